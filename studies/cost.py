"""What does a set cost? Every row once, in a fresh process: seconds, memory, calls: `python studies/cost.py digits`

Memory is the most that the process held while it made the set, beyond what it held before (data, latents and pipeline);
read from /proc, so on Linux only. A denoiser evaluation is one latent through the network: classifier-free guidance
takes two for each image and step, and training evaluates, too. Seconds count only on a machine without other work.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import gc
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import main_table
import protocol
import rules

PER_CLASS = 10


def held(field: str) -> float:
    """VmRSS, what this process holds, or VmHWM, the most it held, in MiB."""
    return int(re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def cost(stand, rule) -> dict:
    """What `rule` takes for one set from seed 0, trees included."""
    from diffusers import DiTTransformer2DModel
    from torch.nn.modules.module import register_module_forward_hook

    evaluations = 0

    def count(module, inputs, output):
        nonlocal evaluations
        evaluations += len(output[0]) if isinstance(module, DiTTransformer2DModel) else 0

    hook = register_module_forward_hook(count)
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what loading has left free in the heap would hide what the rule takes
    before = held("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    started = time.perf_counter()
    made = rule(stand, PER_CLASS, 0)
    seconds = time.perf_counter() - started
    hook.remove()
    return {
        "seconds_per_image": protocol.rounded(seconds / len(made)),
        "peak_mib": round(held("VmHWM") - before),
        "evaluations_per_image": protocol.rounded(evaluations / len(made)),
    }


def in_fresh_process(data: str, row: str) -> dict:
    command = [sys.executable, __file__, data, "--row", row]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=("digits", "fashion_mnist", "cifar10"))
    parser.add_argument("--row", help="measure this row only, and print it instead of keeping it")
    asked = parser.parse_args()
    stand, table = protocol.bench(asked.data), main_table.rows(asked.data)
    if asked.row:
        with tempfile.TemporaryDirectory() as nothing_kept:
            rules.KEPT = Path(nothing_kept)  # so that the fine-tune of a row counts, too
            print(json.dumps(cost(stand, table[asked.row])))
        return
    cells = protocol.Cells("cost", asked.data, note=stand.data.note, images_per_class=PER_CLASS)
    for name in table:
        cells(name, functools.partial(in_fresh_process, asked.data, name))


if __name__ == "__main__":
    main()
