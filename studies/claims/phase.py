"""Sentences on the toy worlds, and on where the pipelines lie among them."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterator

from studies import phase_figure
from studies.claims.verdicts import BETTER, WORSE
from studies.phase import FEW_STEPS, STOPS, STRENGTHS, TARGETS
from studies.phase_figure import MMD, NEVER, OFF, RANDOM, World
from studies.protocol import STEPS

HALF = "stopped at one half"
CLOSED = round(2 * math.pi, 4)


def toys(**settings: object) -> Iterator[World]:
    """The worlds with these settings."""
    return (world for world in phase_figure.worlds() if settings.items() <= world.settings.items())


def bent(**settings: object) -> list[World]:
    return [world for world in toys(**settings) if world.settings["angle"] > 0]


def verdicts(worlds: list[World], stops: tuple[str, ...], measure: int, strengths: tuple = STRENGTHS) -> set[str]:
    return {world.gain(stop, strength, measure).verdict for world in worlds for stop in stops for strength in strengths}


def an_exact_denoiser_projects() -> bool:
    worlds = list(toys(blur=0.0, steps=STEPS))
    gains = [world.gain(HALF, strength, OFF).mean for world in worlds for strength in STRENGTHS]
    return len(worlds) == 5 and max(map(abs, gains)) < 0.01


def projecting_stays_closer() -> bool:
    worlds = bent(blur=0.0)
    return {world.settings["steps"] for world in worlds} == {FEW_STEPS, STEPS} and verdicts(worlds, (NEVER,), OFF) == {
        BETTER
    }


def mean_of(world: World, name: str) -> float:
    """How far off the manifold, mean over seeds: of targets, or of samples without guidance."""
    values = [one[name] for one in world.results]
    return statistics.mean(value[OFF] if isinstance(value, list) else value for value in values)


def blunt_worlds_have_closer_targets() -> bool:
    worlds = list(toys(blur=0.8))
    return len(worlds) == 5 and all(mean_of(world, "targets off") < mean_of(world, "unguided") for world in worlds)


def mmd_favours_closed_circles_only() -> bool:
    found = {world.settings["angle"]: world.gain(NEVER, 1.0, MMD).verdict for world in bent(blur=0.0, steps=STEPS)}
    return found.pop(CLOSED) == BETTER and set(found.values()) == {WORSE}


@functools.cache
def means_beat_their_feet() -> bool:
    """By MMD to true points, on open arcs; worked out anew, it takes a moment."""
    import mgd_helpers as mgd
    from mgd_helpers.evaluation.fidelity import mmd
    from mgd_helpers.seeding import generator
    from studies.arcs import Arcs

    def holds(angle: float, seed: int) -> bool:
        arcs, drawn = Arcs(angle), generator(seed)
        cloud, true = arcs.draw(500, drawn), arcs.draw(500, drawn)
        tree = mgd.bisect(cloud, n_leaves=TARGETS, seed=seed)
        means = mgd.pick_targets(tree, images_per_class=TARGETS, strategy="leaves").latents
        return mmd(generated=means, real=true) < mmd(generated=arcs.points(arcs.foot(means)), real=true)

    return all(holds(turn * math.pi, seed) for turn in (0.5, 1, 1.5) for seed in range(3))


def between(name: str, bounds: dict[str, tuple[float, float]]) -> bool:
    """Whether what was measured of each pipeline lies within its bounds."""
    found = phase_figure.pipelines()
    return all(low < found[data].mean(name) < high for data, (low, high) in bounds.items())


def towards_targets_much_stays() -> bool:
    return between("bluntness", {"digits": (0.45, 0.5), "fashion_mnist": (0.6, 0.67), "cifar10": (0.95, 1)})


def in_a_random_way_little_stays() -> bool:
    return between(RANDOM, {"digits": (0.055, 0.07), "fashion_mnist": (0.15, 0.19), "cifar10": (0.29, 0.36)})


def both_ways_agree_in_the_toy() -> bool:
    """On flat ground kicks are random, for no way to a target leads off it."""
    return all(
        abs(world.place[1] - flat.place[1]) < 0.1
        for flat in toys(angle=0.0, steps=STEPS)
        for world in bent(blur=flat.settings["blur"], steps=STEPS)
    )


def little_is_at_stake_at_the_sharp_ends() -> bool:
    worlds = [
        world
        for turn in (0.5, 1)
        for blur in (0.0, 0.2)
        for world in toys(angle=round(turn * math.pi, 4), blur=blur, steps=STEPS)
    ]
    gains = [world.gain(HALF, strength, OFF).mean for world in worlds for strength in STRENGTHS]
    off = [mean_of(world, "targets off") for world in worlds]
    return len(worlds) == 4 and max(map(abs, gains)) < 0.1 and 1 < min(off) < max(off) < 2.5


def worlds_around_the_pipelines() -> list[World]:
    """The blurred ones on both sides of the pipelines' curvature."""
    places = [(round(turn * math.pi, 4), blur) for turn in (0.5, 1) for blur in (0.4, 0.8)]
    return [world for angle, blur in places for world in toys(angle=angle, blur=blur)]


def pipelines_lie_among_them() -> bool:
    curvatures = [world.place[0] for world in worlds_around_the_pipelines()]
    return all(min(curvatures) < world.place[0] < max(curvatures) for world in phase_figure.pipelines().values())


def blunt_in_two_ways() -> bool:
    few, blurred = bent(blur=0.0, steps=FEW_STEPS), bent(blur=0.8)
    return (
        all(world.place[1] > 0.75 for world in few + blurred)
        and verdicts(few, (NEVER,), OFF) == {BETTER}
        and verdicts(blurred, (NEVER,), OFF) == {WORSE}
    )


CLAIMS = (
    (
        "Stopped at noise share one half, both pulls end equally far off the manifold, to a hundredth, however it is "
        "bent.",
        an_exact_denoiser_projects,
    ),
    (
        "Never stopped, or with five steps, projecting wins: it stays closer to every bent manifold, at every "
        "strength.",
        projecting_stays_closer,
    ),
    (
        "At blur 0.8 the plain pull ends closer to the manifold in every world.",
        lambda: verdicts(list(toys(blur=0.8)), tuple(STOPS), OFF) == {WORSE},
    ),
    (
        "There the targets lie closer to it than what the denoiser makes by itself.",
        blunt_worlds_have_closer_targets,
    ),
    (
        "Under the exact denoiser, never stopped and pulled all the way, MMD favours projecting on closed circles "
        "only.",
        mmd_favours_closed_circles_only,
    ),
    ("On open arcs it prefers the means themselves to their nearest points of the manifold.", means_beat_their_feet),
    (
        "**The pipelines** have similar curvatures, about 0.4.",
        lambda: between("curvature", dict.fromkeys(phase_figure.pipelines(), (0.38, 0.45))),
    ),
    (
        "Towards the targets, half of a push stays on digits, two thirds on Fashion-MNIST, nearly all on CIFAR-10.",
        towards_targets_much_stays,
    ),
    ("In a random way off the tangent it is a sixteenth, a sixth and a third;", in_a_random_way_little_stays),
    ("in the toy, both ways agree.", both_ways_agree_in_the_toy),
    (
        "The toy worlds around the blunt ends have a blur of 0.4 or 0.8. All of them favour the plain pull by "
        "distance, stopped or not.",
        lambda: (
            pipelines_lie_among_them()
            and len(worlds_around_the_pipelines()) == 4
            and verdicts(worlds_around_the_pipelines(), tuple(STOPS), OFF) == {WORSE}
        ),
    ),
    (
        "Around the sharp ends, stopped at one half, the two pulls end equally far off, to a tenth. The targets lie "
        "one to two and a half off there.",
        little_is_at_stake_at_the_sharp_ends,
    ),
    (
        "By MMD they are divided.",
        lambda: {BETTER, WORSE} <= verdicts(worlds_around_the_pipelines(), tuple(STOPS), MMD),
    ),
    ("five steps and a blur of 0.8 are both blunt, and disagree.", blunt_in_two_ways),
)
