"""One training run that may be stopped at any moment: AdamW, an average of the weights, and checkpoints.

average ← decay * average + (1 - decay) * weights, after every step
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mgd_helpers.data.files import write
from mgd_helpers.progress import progress
from mgd_helpers.threads import as_many_as_useful
from mgd_helpers.training.crew import ALONE, Crew

EVERY = 60.0  # seconds: no more work than that is lost, however slow a step is

Watch = Callable[[int, torch.nn.Module, float], object]


def run(
    name: str,
    model: torch.nn.Module,
    loss_of: Callable[[torch.nn.Module, torch.Generator], torch.Tensor],
    *,
    steps: int,
    learning_rate: float,
    ema_decay: float,
    seed: int,
    work: Path,
    watch: Watch | None = None,
    crew: Crew = ALONE,
    multiply_adds: float = math.inf,
) -> tuple[torch.nn.Module, float]:
    """Train with warm-up and cosine decay; returns the averaged network and the seconds that training took.

    `loss_of(model, generator)` draws its own batch. The checkpoint in the folder `work` is named after the run, and the
    log there is `train.log`. A second call resumes from the checkpoint, and its seconds count as well; what is finished
    is not trained again. `watch(step, averaged network, running loss)` is called after each step, and at least once.
    Of several processes, `crew`, the first one writes. `multiply_adds` of a typical operation decide about threads.

    Raises `ValueError` where a loss is not finite.
    """
    descent = Descent(model, steps=steps, learning_rate=learning_rate, ema_decay=ema_decay, crew=crew)
    generator = torch.Generator(next(model.parameters()).device).manual_seed(seed)
    file = work / f"{name}.pt"
    first, seconds, running = 0, 0.0, math.nan
    parts = descent.parts()
    if file.exists():
        state = torch.load(file, weights_only=True, map_location="cpu")
        for key, part in parts.items():
            part.load_state_dict(state[key])
        generator.set_state(state["generator"])
        first, seconds, running = state["step"], state["seconds"], state.get("loss", math.nan)
        if crew.is_main:
            log(work, f"{name}: resumed at step {first}")

    def checkpoint(step: int) -> None:
        state = {key: part.state_dict() for key, part in parts.items()}
        state |= {"generator": generator.get_state(), "step": step, "seconds": seconds, "loss": running}
        write(file, lambda part: torch.save(state, part))

    model.train()
    started, saved = time.perf_counter() - seconds, seconds
    shown = progress(range(first, steps), name, initial=first, total=steps) if crew.is_main else range(first, steps)
    for step in shown:
        with as_many_as_useful(multiply_adds, device=crew.device):
            now = descent.step(loss_of, generator)
        running = now if math.isnan(running) else 0.95 * running + 0.05 * now
        if not math.isfinite(running):
            raise ValueError(f"the loss of {name} must stay finite; got {now} at step {step + 1}.")
        seconds = time.perf_counter() - started
        if (step + 1) % 100 == 0 and crew.is_main:
            log(work, f"{name} step {step + 1}/{steps} loss {running:.5f} {seconds:.0f} s")
        due = (step + 1) % 500 == 0 or step + 1 == steps or seconds - saved > EVERY
        if due and crew.is_main:
            checkpoint(step + 1)
            saved = seconds
        if watch:
            watch(step + 1, descent.ema.module, running)
    if watch and first >= steps:
        watch(steps, descent.ema.module, running)
    return descent.ema.module.eval().requires_grad_(False), seconds


class Descent:
    """A network on its way down: AdamW, the learning rate of each step, and the average of the weights."""

    def __init__(
        self, model: torch.nn.Module, *, steps: int, learning_rate: float, ema_decay: float, crew: Crew
    ) -> None:
        self.model, self.crew, self.weights = model, crew, list(model.parameters())
        self.ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema_decay), use_buffers=True)
        self.ema.module.eval()
        optimizer = torch.optim.AdamW(self.weights, lr=learning_rate, weight_decay=1e-4)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            lambda step: min(1, (step + 1) / 200) * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2),
        )
        self.optimizer = crew.prepare(optimizer)

    def step(self, loss_of: Callable[..., torch.Tensor], generator: torch.Generator) -> float:
        """One step; returns the loss before it."""
        with self.crew.autocast():
            loss = loss_of(self.model, generator)
        now = self.crew.descend(loss, self.optimizer, self.weights)
        self.schedule.step()
        self.ema.update_parameters(self.model)
        return now

    def parts(self) -> dict[str, Any]:
        """All that a checkpoint keeps of it, by name."""
        parts = {"model": self.model, "ema": self.ema, "optimizer": self.optimizer, "schedule": self.schedule}
        scaler = getattr(self.crew.accelerator, "scaler", None)
        return parts if scaler is None else parts | {"scaler": scaler}


def log(work: Path, line: str) -> None:
    """Append a line, with the time of day, to the log of a training."""
    with open(work / "train.log", "a", encoding="utf-8") as file:
        print(time.strftime("%Y-%m-%d %H:%M:%S"), line, file=file)
