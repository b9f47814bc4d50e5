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
) -> tuple[torch.nn.Module, float]:
    """Train with warm-up and cosine decay; returns the averaged network and the seconds that training took.

    `loss_of(model, generator)` draws its own batch. The checkpoint in the folder `work` is named after the run, and the
    log there is `train.log`. A second call resumes from the checkpoint, and its seconds count as well; what is finished
    is not trained again. `watch(step, averaged network, running loss)` is called after each step, and at least once.

    Raises `ValueError` where a loss is not finite.
    """
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema_decay), use_buffers=True)
    ema.module.eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 200) * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)
    )
    generator = torch.Generator(next(model.parameters()).device).manual_seed(seed)
    file = work / f"{name}.pt"
    first, seconds, running = 0, 0.0, math.nan
    parts: dict[str, Any] = {"model": model, "ema": ema, "optimizer": optimizer, "schedule": schedule}
    if file.exists():
        state = torch.load(file, weights_only=True, map_location="cpu")
        for key, part in parts.items():
            part.load_state_dict(state[key])
        generator.set_state(state["generator"])
        first, seconds, running = state["step"], state["seconds"], state.get("loss", math.nan)
        log(work, f"{name}: resumed at step {first}")

    def checkpoint(step: int) -> None:
        state = {key: part.state_dict() for key, part in parts.items()}
        state |= {"generator": generator.get_state(), "step": step, "seconds": seconds, "loss": running}
        write(file, lambda part: torch.save(state, part))

    model.train()
    started = time.perf_counter() - seconds
    for step in progress(range(first, steps), name, initial=first, total=steps):
        loss = loss_of(model, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        ema.update_parameters(model)
        running = loss.item() if math.isnan(running) else 0.95 * running + 0.05 * loss.item()
        if not math.isfinite(running):
            raise ValueError(f"the loss of {name} must stay finite; got {loss.item()} at step {step + 1}.")
        seconds = time.perf_counter() - started
        if (step + 1) % 100 == 0:
            log(work, f"{name} step {step + 1}/{steps} loss {running:.5f} {seconds:.0f} s")
        if (step + 1) % 500 == 0 or step + 1 == steps:
            checkpoint(step + 1)
        if watch:
            watch(step + 1, ema.module, running)
    if watch and first >= steps:
        watch(steps, ema.module, running)
    return ema.module.eval().requires_grad_(False), seconds


def log(work: Path, line: str) -> None:
    """Append a line, with the time of day, to the log of a training."""
    with open(work / "train.log", "a", encoding="utf-8") as file:
        print(time.strftime("%Y-%m-%d %H:%M:%S"), line, file=file)
