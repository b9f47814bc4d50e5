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
from tqdm.auto import tqdm


def train(
    name: str,
    model: torch.nn.Module,
    loss_of: Callable[[torch.nn.Module, torch.Generator], torch.Tensor],
    *,
    steps: int,
    learning_rate: float,
    ema_decay: float,
    seed: int,
    work: Path,
    log: Callable[[str], None],
) -> tuple[torch.nn.Module, float]:
    """Train with warm-up and cosine decay; returns the averaged network and the seconds that training took.

    `loss_of(model, generator)` draws its own batch. The checkpoint in `work` is named after the run. A second call
    resumes from it, and its seconds count as well.
    """
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema_decay), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 200) * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)
    )
    generator = torch.Generator(next(model.parameters()).device).manual_seed(seed)
    file = work / f"{name}.pt"
    first, seconds = 0, 0.0
    parts: dict[str, Any] = {"model": model, "ema": ema, "optimizer": optimizer, "schedule": schedule}
    if file.exists():
        state = torch.load(file, weights_only=True)
        for key, part in parts.items():
            part.load_state_dict(state[key])
        generator.set_state(state["generator"])
        first, seconds = state["step"], state["seconds"]
        log(f"{name}: resumed at step {first}")

    def checkpoint(step: int, seconds: float) -> None:
        state = {key: part.state_dict() for key, part in parts.items()}
        state |= {"generator": generator.get_state(), "step": step, "seconds": seconds}
        torch.save(state, file.with_suffix(".tmp"))
        file.with_suffix(".tmp").replace(file)

    model.train()
    started, running = time.perf_counter() - seconds, None
    bar = tqdm(range(first, steps), desc=name, initial=first, total=steps, mininterval=5)
    for step in bar:
        loss = loss_of(model, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        ema.update_parameters(model)
        running = loss.item() if running is None else 0.99 * running + 0.01 * loss.item()
        if (step + 1) % 100 == 0:
            bar.set_postfix(loss=f"{running:.4f}")
            log(f"{name} step {step + 1}/{steps} loss {running:.5f} {time.perf_counter() - started:.0f} s")
        if (step + 1) % 500 == 0 or step + 1 == steps:
            checkpoint(step + 1, time.perf_counter() - started)
    seconds = torch.load(file, weights_only=True)["seconds"]
    return ema.module.eval().requires_grad_(False), seconds
