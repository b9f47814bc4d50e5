"""The numbers that a guidance with a name takes, checked and bound to its factory: strength, window, softness, …"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from mgd_helpers import arguments
from mgd_helpers.guidance import tangent_at
from mgd_helpers.guidance.factories import GUIDANCES, Factory
from mgd_helpers.tangent.local_pca import check_neighborhood

# the names at the face of the package, and those of the factories
OPTIONS = {"strength": "strength", "window": "above", "softness": "softness", "n_neighbors": "n_neighbors"}
OPTIONS |= {"rank": "rank"}


def given_options(options: Mapping[str, Any], *, points: int) -> dict[str, Any]:
    """Those of `options` that are not `None`, as plain numbers; `points` is how many latents the smallest class has.

    Raises `ValueError` for a value that no guidance can take.

    >>> given_options({"strength": 1, "window": None}, points=100)
    {'strength': 1.0}
    """
    given = {name: value for name, value in options.items() if value is not None}
    bounds: dict[str, dict] = {"strength": {"at_least": 0}, "window": {"at_least": 0, "below": 1}}
    bounds["softness"] = {"at_least": 0, "at_most": 1}
    for name in bounds.keys() & given.keys():
        given[name] = arguments.number(name, given[name], **bounds[name])
    if {"n_neighbors", "rank"} & given.keys():
        neighbors = given.get("n_neighbors", min(tangent_at.N_NEIGHBORS, points))
        found = check_neighborhood(points, neighbors, given.get("rank", 1))
        given |= {name: value for name, value in zip(("n_neighbors", "rank"), found, strict=True) if name in given}
    return given


def with_options(name: str, given: Mapping[str, Any]) -> Factory:
    """The guidance of this name with these options, each by its name in `OPTIONS`.

    Raises `ValueError` for an option that this guidance does not have.
    """
    factory = GUIDANCES[name]
    for option in given:
        if option not in options_of(name):
            having = [repr(one) for one in GUIDANCES if option in options_of(one)]
            raise ValueError(
                f"{option} must be left out with guidance={name!r}, which has no such number; got {given[option]!r}. "
                f"It is one of {', '.join(having)}."
            )
    bound = {OPTIONS[option]: value for option, value in given.items()}
    return functools.partial(factory, **bound) if bound else factory


def options_of(name: str) -> list[str]:
    """Which options the guidance of this name has.

    >>> options_of("mode"), options_of("none")
    (['strength', 'window'], [])
    """
    known = inspect.signature(GUIDANCES[name]).parameters
    return [option for option, parameter in OPTIONS.items() if parameter in known]
