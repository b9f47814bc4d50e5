"""Constraints for pip from the packages of a Colab: what it has, less what no other machine can install.

Colab publishes `pip freeze` of its machines at https://github.com/googlecolab/backend-info, as `pip-freeze.txt`
(without a GPU) and `pip-freeze.gpu.txt`, a day or two before or after it runs them.
"""

from __future__ import annotations

import re

# Packages of NVIDIA and those built for CUDA; torch needs triton with CUDA alone, and says itself which
CUDA = re.compile(r"nvidia|nvtx|triton$|.*cuda|.*-cu\d\d")
DEBIAN = {"dbus-python", "gdal", "pycairo", "pygobject", "python-apt"}  # they come with the system, or build against it
INSTALLERS = {"pip", "setuptools", "wheel"}  # torch may ask for newer ones, and labs do without


def from_freeze(freeze: str) -> str:
    """Constraints from the text of a `pip freeze`, one line per package, in its order.

    Left out: packages that are no release of the registry (`name @ https://…`, `-e …`), of CUDA, of the system, and
    installers. A local version loses its end: `torch==2.11.0+cu128` becomes `torch==2.11.0`, of which each machine has
    a build. An old freeze names torch by the address of its wheel: then the version is read from there.

    Raises `ValueError` for a text in which nothing is left.
    """
    kept = []
    for line in map(str.strip, freeze.splitlines()):
        pinned = re.fullmatch(r"([\w.-]+)==([^+\s]+)(?:\+\S+)?", line)
        wheel = re.fullmatch(r"(torch\w*) @ https://download\.pytorch\.org/\S*/\1-([\d.]+)(?:%2B|\+|-)\S+", line)
        if found := pinned or wheel:
            name, version = found.groups()
            plain = re.sub(r"[-_.]+", "-", name).lower()
            if not (CUDA.match(plain) or plain in DEBIAN | INSTALLERS):
                kept.append(f"{name}=={version}")
    if not kept:
        raise ValueError("freeze must be the output of `pip freeze`, with lines such as numpy==2.1.3; none was found.")
    made = f"# Made by `python -m tools constraints` from a Colab's pip freeze: {len(kept)} packages"
    return "\n".join([made, *kept, ""])
