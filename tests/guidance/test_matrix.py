"""Every pipeline under every scheduler: what `steer` promises, measured pair by pair, and kept as book/schedulers.md.

`PYTHONPATH=tests python tests/guidance/test_matrix.py` measures all pairs and writes the page; the tests measure each
pair again and compare.
"""

from __future__ import annotations

import functools
import inspect
import re
from pathlib import Path

import diffusers
import pytest
import tiny
import torch

from mgd_helpers import seeding
from mgd_helpers.guidance import schedulers
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.steering import steer

PAGE = Path(__file__).parents[2] / "book" / "schedulers.md"
STEPS, IMAGES = 5, 2

DIFFUSION = {
    "DDIMScheduler": {"clip_sample": False, "timestep_spacing": "trailing"},
    "DDIMParallelScheduler": {"clip_sample": False, "timestep_spacing": "trailing"},
    "DDPMScheduler": {"clip_sample": False},
    "DDPMParallelScheduler": {"clip_sample": False},
    "DPMSolverMultistepScheduler": {},
    "DPMSolverMultistepScheduler, sde": {"algorithm_type": "sde-dpmsolver++"},
    "DPMSolverMultistepScheduler, Karras": {"use_karras_sigmas": True},
    "DPMSolverMultistepScheduler, dpmsolver": {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"},
    "DPMSolverSinglestepScheduler": {},
    "UniPCMultistepScheduler": {},
    "EulerDiscreteScheduler": {},
    "EulerAncestralDiscreteScheduler": {},
    "HeunDiscreteScheduler": {},
    "KDPM2DiscreteScheduler": {},
    "KDPM2AncestralDiscreteScheduler": {},
    "LMSDiscreteScheduler": {},
    "LCMScheduler": {},
    "DEISMultistepScheduler": {},
    "PNDMScheduler": {"skip_prk_steps": True},
    "SASolverScheduler": {},
    "TCDScheduler": {},
    "EDMEulerScheduler": {},
    "EDMDPMSolverMultistepScheduler": {},
    "CMStochasticIterativeScheduler": {},
    "IPNDMScheduler": {},
}
FLOW = {
    "FlowMatchEulerDiscreteScheduler": {},
    "FlowMatchEulerDiscreteScheduler, stochastic": {"stochastic_sampling": True},
    "FlowMatchHeunDiscreteScheduler": {},
    "FlowMatchLCMScheduler": {},
    "DPMSolverMultistepScheduler": {"use_flow_sigmas": True, "prediction_type": "flow_prediction"},
    "UniPCMultistepScheduler": {"use_flow_sigmas": True, "prediction_type": "flow_prediction"},
    "DPMSolverSinglestepScheduler": {"use_flow_sigmas": True, "prediction_type": "flow_prediction"},
    "DEISMultistepScheduler": {"use_flow_sigmas": True, "prediction_type": "flow_prediction"},
}


def is_flow(kind):
    return tiny.KINDS[kind].prediction == "flow_prediction"


def pairs():
    """DDIMPipeline is asked about DDIM alone, for it puts one in the place of whatever it is given."""
    for kind in tiny.KINDS:
        for name in FLOW if is_flow(kind) else DIFFUSION:
            if kind != "DDIMPipeline" or name == "DDIMScheduler":
                yield kind, name


def scheduler_for(kind, name):
    config = (FLOW if is_flow(kind) else DIFFUSION)[name]
    cls = getattr(diffusers, name.split(",")[0])
    takes = inspect.signature(cls.__init__).parameters
    if not is_flow(kind) and "prediction_type" in takes:
        config = config | {"prediction_type": tiny.KINDS[kind].prediction}
    if "steps_offset" in takes and "timestep_spacing" not in config:
        config = config | {"steps_offset": 1}  # Stable Diffusion insists
    if kind == "FluxPipeline" and "use_dynamic_shifting" in takes:
        config = config | {"use_dynamic_shifting": True}  # and so does Flux
    return cls(**config)


def targets_for(kind):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(IMAGES, *tiny.KINDS[kind].latent, generator=generator).clamp(-0.9, 0.9)


def sample(kind, pipe, guidance):
    with steer(pipe, guidance, generators=seeding.generators(0, 0, range(IMAGES))):
        return tiny.KINDS[kind].call(pipe, seeding.generators(0, 0, range(IMAGES)), num_inference_steps=STEPS)


def predicted(kind, pipe):
    """Pairs (ours, the scheduler's own) of predicted clean samples, one per step, where the scheduler tells its own:
    in what `step` returns, or inside, where a solver turns the model's output into a clean prediction."""
    ours, theirs, scheduler = [], [], pipe.scheduler
    config = scheduler.config
    if config.get("algorithm_type") in ("dpmsolver++", "sde-dpmsolver++") or config.get("predict_x0"):
        name, said = "convert_model_output", lambda output: output
    else:
        name, said = "step", lambda output: getattr(output, "pred_original_sample", None)
    original = getattr(scheduler, name)

    @functools.wraps(original)
    def telling(*args, return_dict=True, **kwargs):
        output = original(*args, **kwargs)
        theirs.append(said(output))
        return output if return_dict or name != "step" else (output.prev_sample,)

    setattr(scheduler, name, telling)
    try:
        sample(kind, pipe, lambda denoised, level: ours.append(denoised) or denoised)
    finally:
        delattr(scheduler, name)
    return [pair for pair in zip(ours, theirs, strict=True) if pair[1] is not None]


@functools.cache
def measured(kind, name):
    """What the page says of a pair: `exact`, how far off, `refused`, or `—` where the stock pipeline cannot run it."""
    pipe = tiny.make(kind, scheduler_for(kind, name))
    try:
        with steer(pipe, None):
            pass
    except ValueError:
        return "refused"
    try:
        stock = tiny.KINDS[kind].call(pipe, seeding.generators(0, 0, range(IMAGES)), num_inference_steps=STEPS)
    except (TypeError, ValueError):
        return "—"
    assert stock.isfinite().all()
    targets = targets_for(kind)
    assert torch.equal(sample(kind, pipe, ModePull(targets, strength=0.0)), sample(kind, pipe, None))
    for ours, theirs in predicted(kind, pipe):
        torch.testing.assert_close(ours, theirs.float(), rtol=1e-3, atol=1e-3 * ours.std().item())
    distance = (sample(kind, pipe, ModePull(targets, strength=1.0)) - targets).abs().max().item()
    assert distance < 4  # noise that some samplers leave, and no more
    return "exact" if distance < 1e-5 else f"{distance:.2g} off"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")  # of what is tried on purpose
@pytest.mark.parametrize(("kind", "name"), list(pairs()))
def test_a_pair_keeps_its_promises(kind, name):
    assert measured(kind, name) == on_page()[kind, name]
    cls = name.split(",")[0]
    if measured(kind, name) == "exact":
        assert cls in schedulers.ON_TARGET + schedulers.NEAR_TARGET
    elif measured(kind, name).endswith("off"):
        assert cls in schedulers.NEAR_TARGET or "dpmsolver" in name or "Img2Img" in kind


def test_every_scheduler_that_is_steered_was_tried_somewhere():
    tried = {name.split(",")[0] for (_, name), said in on_page().items() if said not in ("refused", "—")}
    assert tried == set(schedulers.ON_TARGET + schedulers.NEAR_TARGET)


def label(name):
    """A name as the page has it, short enough for six columns."""
    return (
        re.sub("Pipeline|Scheduler", "", name)
        .replace("StableDiffusion", "Stable Diffusion ")
        .replace(" ,", ",")
        .strip()
    )


def on_page():
    """The cells of the page's tables by (pipeline, scheduler)."""
    kinds, names = ({label(name): name for name in group} for group in (tiny.KINDS, [*DIFFUSION, *FLOW]))
    cells = {}
    for block in re.findall(r"(?:^\|.*\n)+", PAGE.read_text(), re.MULTILINE):
        rows = [[cell.strip(" `") for cell in line.strip("| \n").split(" | ")] for line in block.splitlines()]
        for name, *said in rows[2:]:
            cells |= {(kinds[kind], names[name]): cell for kind, cell in zip(rows[0][1:], said, strict=True)}
    return cells


def table(flow):
    kinds = [kind for kind in tiny.KINDS if is_flow(kind) == flow and kind != "DDIMPipeline"]
    kinds = ["DDIMPipeline"] if flow is None else kinds
    names = [name for name in (FLOW if flow else DIFFUSION) if flow is not None or name == "DDIMScheduler"]
    lines = ["| scheduler | " + " | ".join(map(label, kinds)) + " |", "|---" * (len(kinds) + 1) + "|"]
    lines += [f"| {label(name)} | " + " | ".join(measured(kind, name) for kind in kinds) + " |" for name in names]
    return "\n".join(lines)


def write():
    """Put fresh tables in the place of the page's old ones; the prose between them stays."""
    old = re.split(r"(?:^\|.*\n)+", PAGE.read_text(), flags=re.MULTILINE)
    tables = [table(False), table(None), table(True)]
    PAGE.write_text("".join(f"{text}{new}\n" for text, new in zip(old, tables, strict=False)) + old[-1])


if __name__ == "__main__":
    write()
