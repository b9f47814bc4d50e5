"""The arithmetic of the playground is the package's: same points, noise and settings, same result."""

import pytest
import torch
from browsing import ROOT

import mgd_helpers as mgd
from mgd_helpers.guidance.toys import PointCloudPipeline
from mgd_helpers.guidance.transport import TransportPull
from tools import playground

STATIC = ROOT / "book" / "_static"
EXACT = {"rtol": 0, "atol": 1e-5}
PLAIN = {"strength": 0.3, "softness": 0.0, "above": 0.0, "neighbors": 12, "together": False}


@pytest.fixture
def call(open_page):
    """`call("step", …)`: a function of the arithmetic, on plain numbers, in the browser."""
    page = open_page("about:blank")
    for name in ("playground_data.js", "playground_arithmetic.js"):
        page.add_script_tag(path=STATIC / name)

    def called(name, *arguments):
        plain = [one.tolist() if torch.is_tensor(one) else one for one in arguments]
        return page.evaluate("([name, given]) => playgroundArithmetic[name](...given)", [name, plain])

    called.data = page.evaluate("playgroundData")
    return called


@pytest.fixture
def start(call):
    """Where particles start, [60, 2], as the page draws them from a seed."""
    return double(call("noise", 4, 60))


def double(numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def curve():
    return playground.curve().double()


def guidance_of(settings, count):
    """The package's guidance under the settings of the page."""
    targets, strength = double(settings["targets"]), settings["strength"]
    if settings["together"]:
        pull = TransportPull(targets, strength=strength)
    else:
        goals = targets[torch.arange(count) % len(targets)]
        pull = mgd.ManifoldPull(
            goals, curve(), strength, settings["softness"], n_neighbors=settings["neighbors"], rank=1
        )
    return mgd.window(pull, above=settings["above"])


def by_the_package(start, steps, settings):
    """The path of DDIM in double precision: the package's levels, denoiser and guidance, [steps + 1, n, 2]."""
    pipe, guidance, path = PointCloudPipeline(curve(), None), guidance_of(settings, len(start)), [start]
    for level in playground.levels(steps):
        signal, noise = level.signal.double(), level.noise.double()
        guess = guidance(pipe.denoise(path[-1], signal=signal, noise=noise), level)
        found = (path[-1] - signal * guess) / noise
        path.append(level.following[0] * guess + level.following[1] * found)
    return torch.stack(path)


def by_the_page(call, start, steps, settings, taken):
    levels = call("levelsOf", call.data["levels"], steps)
    return double(call("run", start, call.data["curve"], levels, settings, taken))


CASES = {
    "no pull": {"strength": 0.0},
    "mode": {},
    "mode, full strength": {"strength": 1.0},
    "mode, stopped at one half": {"strength": 1.0, "above": 0.5},
    "soft": {"softness": 0.4},
    "manifold": {"softness": 1.0},
    "manifold, two neighbours": {"softness": 1.0, "neighbors": 2},
    "manifold, sixty neighbours, stopped": {"softness": 1.0, "neighbors": 60, "above": 0.25},
    "four targets": {"kind": "four", "softness": 0.5},
    "a set": {"kind": "four", "together": True},
    "a set, full strength, stopped": {"kind": "four", "together": True, "strength": 1.0, "above": 0.5},
}


@pytest.mark.parametrize("steps", [5, 50])
@pytest.mark.parametrize("case", CASES)
def test_page_and_package_give_the_same_path(call, start, case, steps):
    settings = PLAIN | {"kind": "one"} | CASES[case]
    settings["targets"] = call.data[settings.pop("kind")]
    path = by_the_package(start, steps, settings)
    for taken in (1, steps // 2, steps):
        torch.testing.assert_close(by_the_page(call, start, steps, settings, taken), path[taken], **EXACT)


@pytest.mark.parametrize("steps", playground.STEPS)
def test_page_and_package_go_through_the_same_levels(call, start, steps):
    levels = call("levelsOf", call.data["levels"], steps)
    expected = [[level.signal.item(), level.noise.item()] for level in playground.levels(steps)] + [[1, 0]]
    found = [[level["signal"], level["noise"]] for level in levels]
    # the package's levels are float32, whose last digit is not the same on every processor
    torch.testing.assert_close(double(found), double(expected), rtol=0, atol=1e-6)
    settings = PLAIN | {"targets": call.data["one"]}
    path = by_the_package(start, steps, settings)
    torch.testing.assert_close(by_the_page(call, start, steps, settings, steps), path[-1], **EXACT)


def test_the_path_is_that_of_a_steered_pipeline(call, start):
    """The loop above is no other sampler than the labs': the whole pipeline, which works in single precision."""
    pipe = PointCloudPipeline(playground.curve(), playground.scheduler())
    settings = PLAIN | {"targets": call.data["one"], "softness": 1.0, "above": 0.25}
    goals = torch.tensor(settings["targets"]).repeat(len(start), 1)
    pull = mgd.ManifoldPull(goals, playground.curve(), 0.3, 1.0, n_neighbors=12, rank=1)
    with pytest.MonkeyPatch.context() as patch, mgd.steer(pipe, mgd.window(pull, above=0.25)):
        patch.setattr(torch, "randn", lambda *shape, generator: start.float())
        ends = pipe(len(start), 50).images
    off = (ends - by_the_page(call, start, 50, settings, 50)).norm(dim=1)
    assert off.median() < 1e-4 and (off < 0.02).float().mean() > 0.9  # a near tie of neighbours falls either way


def test_distances_are_those_of_the_package(call, start):
    targets = double(call.data["four"])
    for together in (False, True):
        settings = PLAIN | {"targets": call.data["four"], "together": together}
        found = call("measure", start, call.data["curve"], settings)
        plan = TransportPull(targets).plan(start)
        goals = (plan / plan.sum(1, keepdim=True)) @ targets if together else targets.repeat(15, 1)
        expected = {
            "curve": torch.cdist(start, curve()).amin(1).mean().item(),
            "target": (start - goals).norm(dim=1).mean().item(),
        }
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-5)
        assert found["counts"] == torch.cdist(start, targets).argmin(1).bincount(minlength=4).tolist()


def test_the_noise_is_standard_normal_and_belongs_to_its_seed(call):
    drawn = double(call("noise", 1, 5000))
    assert drawn.mean().abs() < 0.03 and drawn.T.cov().sub(torch.eye(2)).abs().max() < 0.05
    assert (drawn.abs() < 1).double().mean().item() == pytest.approx(0.683, abs=0.01)
    assert call("noise", 1, 3) == drawn[:3].tolist() and call("noise", 2, 3) != drawn[:3].tolist()
