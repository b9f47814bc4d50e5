"""A guided run never waits for a GPU more often than the bare run, but for a few times a run: two stand-ins for one.

On a CPU every look at a tensor's value is a call of an operation that can be counted: on a GPU each would stop it. And
torch's fake tensors claim to lie on a GPU: whatever mixes devices, or asks for a value, fails.
"""

from __future__ import annotations

import functools
from collections import Counter

import diffusers
import fake_gpu
import pytest
import tiny as kinds
import torch
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode

from mgd_helpers import seeding
from mgd_helpers.clustering.targets import Targets
from mgd_helpers.guidance import factories, noise, sampling, tangent_at
from mgd_helpers.guidance.chains import chain
from mgd_helpers.guidance.matching import MatchPull
from mgd_helpers.guidance.per_class import PerClass
from mgd_helpers.guidance.pulls import ManifoldPull, ModePull
from mgd_helpers.guidance.released import ReleasedPull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.strengths import mean, per_log_snr, posterior, score
from mgd_helpers.guidance.toys import tiny_pipeline
from mgd_helpers.guidance.transport import TransportPull
from mgd_helpers.guidance.windows import window

# operations whose result, or whose shape, depends on values: a GPU is waited for
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "bincount", "equal", "repeat_interleave.Tensor")
A_RUN = 12  # looks a run: twice whether all is finite, the doubled rows, and labels of groups once


@functools.cache
def name_of(function):
    return str(function).removeprefix("aten.")


class Looks(TorchDispatchMode):
    """Counts how often a value is looked at within the context."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = name_of(function)
        masked = name in ("index.Tensor", "index_put_.default") and any(
            one is not None and one.dtype == torch.bool for one in args[1]
        )
        if masked or name.startswith(WAITS):
            self.counts[name] += 1
        return function(*args, **(kwargs or {}))


def guidances_for(latent, count=3, targets=None, cloud=None):
    """Every guidance, place of a tangent and kind of neighbourhood, for `count` images."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(count, *latent, generator=generator).clamp(-0.9, 0.9) if targets is None else targets
    cloud = torch.randn(40, *latent, generator=generator) if cloud is None else cloud
    with unset_fake_temporarily():  # labels lie on the host, and are looked at once
        groups = (torch.arange(count) % 2, torch.arange(40) % 2)
    few = {"n_neighbors": 12, "rank": 3}
    members = tuple(torch.tensor([0]) for _ in range(count))
    found = {
        name: make(Targets(targets, tuple(range(count)), members), cloud, 0)
        for name, make in factories.GUIDANCES.items()
        if name != "none" and "transport" not in name  # its tree is grown beforehand, by values
    }
    transport = TransportPull(targets, torch.arange(1.0, count + 1), epsilon=0.1)
    return (
        found
        | {
            "transport": window(transport, above=0.5),
            "match+transport": chain(window(transport, above=0.5), MatchPull(cloud)),
            "always on": ManifoldPull(targets, cloud),
            "auto": ManifoldPull(targets, cloud, n_neighbors="auto", rank="auto"),
            "a share of the variance": ManifoldPull(targets, cloud, rank=0.9),
            "a cloud for each": ManifoldPull(targets, cloud.expand(count, *cloud.shape), **few),
            "auto, a cloud for each": ManifoldPull(targets, cloud.expand(count, *cloud.shape), n_neighbors="auto"),
            "groups": ManifoldPull(targets, cloud, groups=groups, **few),
            "groups, auto": ManifoldPull(targets, cloud, groups=groups, n_neighbors="auto", rank="auto"),
            "at the target": ManifoldPull(targets, tangent=tangent_at.target(targets, cloud)),
            "at the sample": ManifoldPull(targets, tangent=tangent_at.sample(cloud)),
            "by the score": window(ModePull(targets, score(0.1)), below=0.99),  # without bound as the noise grows
            "by the posterior": ModePull(targets, posterior(0.1)),
            "by the mean": ModePull(targets, mean(0.1)),
            "by log-SNR": window(ModePull(targets, per_log_snr(0.1)), above=0.3),
            "released, always": ReleasedPull.preset("imagenette", targets, update="ddim"),
            "per class": PerClass(
                {0: ModePull(targets[:1]), 1: ManifoldPull(targets[1:], cloud)}, [0] + [1] * (count - 1)
            ),
        }
    )


PAIRS = [  # one call of `step` for each level, and two
    ("DiTPipeline", "DDIMScheduler", {"clip_sample": False}),
    ("DiTPipeline", "DDPMScheduler", {"clip_sample": False}),
    ("DiTPipeline", "DPMSolverMultistepScheduler", {}),
    ("StableDiffusionPipeline", "KDPM2DiscreteScheduler", {"steps_offset": 1}),
    ("StableDiffusionPipeline", "EulerDiscreteScheduler", {"steps_offset": 1}),
    ("StableDiffusionPipeline", "HeunDiscreteScheduler", {"steps_offset": 1}),
    ("StableDiffusion3Pipeline", "FlowMatchEulerDiscreteScheduler", {}),
    ("StableDiffusion3Pipeline", "FlowMatchHeunDiscreteScheduler", {}),
    ("FluxPipeline", "FlowMatchEulerDiscreteScheduler", {}),
    ("DDPMPipeline", "DDPMScheduler", {"clip_sample": False}),
]
# A guidance is a function of a prediction and a level, and knows no scheduler. So all of them run with a pair of each
# kind, and with the other pairs those that ask something else of a level, and one for each class
WITH_ALL = [("DiTPipeline", "DDIMScheduler"), ("StableDiffusion3Pipeline", "FlowMatchHeunDiscreteScheduler")]
FEW = ["mode", "manifold", "match+transport", "released, always", "by the posterior", "by log-SNR", "per class"]


@functools.cache
def pipeline(kind, scheduler):
    config = next(config for other, name, config in PAIRS if (other, name) == (kind, scheduler))
    return kinds.make(kind, getattr(diffusers, scheduler)(**config))


def looks(kind, scheduler, guidance, steps):
    """How often values are looked at in a run of the stock pipeline under a guidance."""
    pipe, generators = pipeline(kind, scheduler), seeding.generators(0, 0, range(3))
    with Looks() as seen, steer(pipe, guidance, generators=generators):
        kinds.KINDS[kind].call(pipe, generators, num_inference_steps=steps)
    return seen.counts.total()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:guidance acted at no step")  # of those that are for DDPM
@pytest.mark.parametrize(("kind", "scheduler"), [pair[:2] for pair in PAIRS])
def test_a_guided_run_looks_no_more_often_than_the_bare_run_plus_a_constant(kind, scheduler):
    bare = {steps: looks(kind, scheduler, None, steps) for steps in (3, 6)}
    guidances = guidances_for(kinds.KINDS[kind].latent)
    assert set(FEW) <= set(guidances)
    for name, guidance in guidances.items():
        if name in FEW or (kind, scheduler) in WITH_ALL:
            first, *again = (looks(kind, scheduler, guidance, steps) - bare[steps] for steps in (3, 3, 6))
            assert first <= A_RUN + 2 * 7, (name, first)
            # later runs find everything ready: what they look at is what a run costs
            assert again[1] - again[0] <= 1 and max(again) <= 4, (name, again)  # a look less where one step is guided


@pytest.mark.parametrize(
    "breaks",
    [
        lambda denoised, level: denoised * float(denoised.mean() < 9),  # looks at a value at each step
        lambda denoised, level: denoised + 0 * denoised[denoised > 9].sum(),  # a shape that depends on values
    ],
)
def test_a_guidance_that_looks_at_each_step_breaks_the_law(breaks):
    pair = PAIRS[0][:2]
    more = [looks(*pair, breaks, steps) - looks(*pair, None, steps) for steps in (3, 6)]
    assert more[1] - more[0] >= 3


# fake tensors that claim to lie on a GPU


def fake_looks(make, monkeypatch, steps=(3, 7)):
    """The looks of a run of each number of steps under `make(on_gpu)`, whose tensors `on_gpu` puts on the fake GPU."""
    pipe, looks = tiny_pipeline(fake_gpu.OnTheHost(clip_sample=False, timestep_spacing="trailing")), []
    with fake_gpu.fake_gpu(monkeypatch) as gpu:
        fake_gpu.move(pipe)
        for count in steps:
            guidance = make(lambda *shape: torch.empty(*shape, device="cuda"))
            gpu.looks = 0
            found = sampling.sample(pipe, [0, 1, 1], guidance=guidance, steps=count, guidance_scale=4.0)
            looks.append(gpu.looks)
            assert found.device.type == "cpu"  # the answer alone
            assert found.shape == (3, 1, 16, 16)
    return looks


KINDS_OF_GUIDANCE = list(guidances_for((1, 4, 4)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:guidance acted at no step")
@pytest.mark.parametrize("name", KINDS_OF_GUIDANCE)
def test_on_a_gpu_that_is_not_there_every_tensor_stays_where_it_is(name, monkeypatch):
    seen = []

    def make(on_gpu):
        cloud, targets = on_gpu(40, 4, 8, 8), on_gpu(3, 4, 8, 8)
        guidance = guidances_for((4, 8, 8), targets=targets, cloud=cloud)[name]

        def watched(denoised, level):
            moved = guidance(denoised, level)
            seen.append({x.device.type for x in (denoised, level.sample, moved)})
            assert {x.device.type for x in (level.signal, level.noise, *level.following)} == {"cpu"}
            return moved

        return watched

    few, many = fake_looks(make, monkeypatch)
    assert few == many <= A_RUN
    assert len(seen) == 10 and all(places == {"cuda"} for places in seen)


@pytest.mark.slow
def test_a_guidance_that_copies_to_the_host_at_each_step_breaks_the_law_there(monkeypatch):
    def copies(denoised, level):
        return denoised + denoised.cpu().mean().to(denoised.device)

    few, many = fake_looks(lambda on_gpu: copies, monkeypatch)
    assert many - few == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        (lambda denoised, level: denoised.cpu(), "must answer in the shape, dtype and device"),
        (lambda denoised, level: denoised + torch.zeros(3, 4, 8, 8), "device"),
        (lambda denoised, level: denoised * denoised.mean().item(), "_local_scalar_dense"),
        (lambda denoised, level: denoised + torch.ops.aten.nonzero(denoised[0, 0, 0] > 9).sum(), "nonzero"),
    ],
)
def test_a_guidance_that_mixes_devices_or_looks_at_values_fails_there(breaks, message, monkeypatch):
    with pytest.raises(Exception, match=message):
        fake_looks(lambda on_gpu: breaks, monkeypatch, steps=[3])


def test_the_levels_of_a_run_are_one_table(tiny, monkeypatch):
    made, levels = [], noise.noise_levels
    monkeypatch.setattr(noise, "noise_levels", lambda scheduler: made.append(1) or levels(scheduler))
    for runs in (1, 2):
        sampling.sample(tiny, [0, 1], guidance=lambda denoised, level: denoised.clone(), steps=5)
        assert len(made) == runs
