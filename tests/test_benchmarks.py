"""The benchmarks run, print what they promise, and their committed results say what made them. Nothing is timed."""

import json
import math
import re
import runpy
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
SHARED = {"harness", "models", "gpu"}  # what the scripts share, and the one that keeps a file of its own
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in SHARED)
COLUMNS = {
    "tangent": {"method", "seconds", "times_faster", "difference", "promised"},
    "step": {"batch", "denoiser_seconds", "step_seconds", "guided_step_seconds", "pull_seconds", "share", "promised"},
    "sampling": {"pipeline", "batch", "images_per_second", "times_faster", "peak_mib", "difference", "promised"},
    "students": {"network", "students", "looped_seconds", "vmapped_seconds", "times_faster", "difference"},
    "strengths": {"rule", "sampler", "steps", "net_pull", "spread"},
    "tree": {"seed", "sklearn_init", "times_faster", "inertia_ratio", "promised"},
    "busy": {"work", "quiet_seconds", "busy_seconds", "ratio", "promised"},
    "growth": {"operation", "axis", "size", "seconds", "peak_mib", "time_exponent", "memory_exponent"},
}
MADE_BY = {"seed", "load_before", "hardware", "versions"}
KEPT = sorted((FOLDER / "results").glob("*.json"))


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import harness

    return harness


def test_every_promised_benchmark_is_there():
    assert set(COLUMNS) <= set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_quick_run_prints_its_table_and_what_made_it_and_keeps_nothing(name, harness, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--quick", "--device", "cpu", "--seed", "3"])
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    heading, columns, *rows, made_by = capsys.readouterr().out.strip().splitlines()
    assert heading == name and rows
    assert COLUMNS.get(name, set()) <= set(columns.split())
    assert set(json.loads(made_by)) >= MADE_BY and json.loads(made_by)["seed"] == 3
    assert list(tmp_path.iterdir()) == []


def test_results_of_a_cpu_are_committed():
    assert "cpu" in [path.stem for path in KEPT]


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_kept_results_hold_every_benchmark_and_say_what_made_it(file):
    kept = json.loads(file.read_text())
    assert set(kept) == set(SCRIPTS) if file.stem == "cpu" else set(kept) <= set(SCRIPTS)  # a GPU is lent by the minute
    for name, made in kept.items():
        assert set(made) >= MADE_BY | {"rows"} and isinstance(made["seed"], int)
        assert {"processor", "cores", "threads"} <= set(made["hardware"])
        assert ("gpu" in made["hardware"]) == (file.stem != "cpu")
        assert {"python", "torch", "diffusers", "mgd-helpers"} <= set(made["versions"])
        assert made["rows"] and all(set(row) >= COLUMNS.get(name, set()) for row in made["rows"])
        numbers = [value for row in made["rows"] for value in row.values() if isinstance(value, float)]
        assert numbers and all(map(math.isfinite, numbers))


def test_kept_results_are_of_the_promised_sizes():
    everything = json.loads((FOLDER / "results" / "cpu.json").read_text())
    for kept in (everything | json.loads(file.read_text()) for file in KEPT):
        tangent, step, sampling, growth = (kept[name] for name in ("tangent", "step", "sampling", "growth"))
        assert (tangent["dim"], tangent["n_neighbors"]) == (4096, 12) and tangent["profile"]
        assert step["cloud"] == [1300, 4, 32, 32] and 749e6 < step["parameters"] < 751e6
        assert [row["batch"] for row in step["rows"]] == [1, 8, 32] and step["profile"]
        assert sampling["steps"] == 25 and {row["batch"] for row in sampling["rows"]} == {1, 8, 32, 64}
        axes = {(row["operation"], row["axis"]) for row in growth["rows"]}
        assert axes >= {("tangent", axis) for axis in ("cloud", "dim", "neighbours", "batch")}
        assert axes >= {("tree", axis) for axis in ("latents", "dim", "leaves")}


def test_images_of_a_batch_are_those_of_the_loop():
    rows = json.loads((FOLDER / "results" / "cpu.json").read_text())["sampling"]["rows"]
    batches = [row for row in rows if row["pipeline"] == "digits" and row["batch"] > 1]
    assert len(batches) == 3 and all(row["difference"] <= row["promised"] == 1e-4 for row in batches)


def test_the_page_shows_every_benchmark_and_types_no_figure():
    page = (ROOT / "book" / "performance.md").read_text()
    shown = set(re.findall(r'show\(\s*"(\w+)"', page)) | set(re.findall(r'results\["(\w+)"\]', page))
    assert shown >= set(SCRIPTS)
    prose = re.sub(r"^---.*?^---$|^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    names = r"\w+\.md|DiT-XL/2-256|32-bit"
    assert [line for line in prose.splitlines() if re.search(r"\d", re.sub(names, "", line))] == []


# --- the harness -----------------------------------------------------------------------------------------------------


def test_peak_memory_counts_what_is_held_at_once(harness):
    mib = 2**18  # float32 numbers in one MiB

    def one_after_the_other():
        for _ in range(5):
            torch.ones(4 * mib)

    def together():
        return [torch.ones(4 * mib) for _ in range(5)]

    assert harness.peak_mib(one_after_the_other, device="cpu") == pytest.approx(4, abs=0.01)
    assert harness.peak_mib(together, device="cpu") == pytest.approx(20, abs=0.01)


def test_exponents_are_those_of_the_power_law(harness):
    sizes = [3, 10, 40, 100]
    for power in (-1, 0, 0.5, 2):
        assert harness.exponent(sizes, [7 * size**power for size in sizes]) == pytest.approx(power)


def test_hot_spots_name_the_operation_that_takes_most(harness):
    matrix = torch.ones(300, 300)
    found = harness.hot_spots(lambda: [matrix @ matrix for _ in range(20)], device="cpu", top=3)
    assert found[0]["operation"] == "aten::mm" and found[0]["calls"] == 20


def test_functions_are_timed_by_turns_and_warm_up_first(harness):
    calls = []
    times = harness.seconds_each(
        [lambda: calls.append("a"), lambda: calls.append("b")], device="cpu", repeats=2, warm_up=2
    )
    assert "".join(calls) == "aabb" + "abab" and len(times) == 2


def test_time_is_the_median(harness, monkeypatch):
    clock = iter([0, 1, 10, 13, 20, 29])  # calls of 1, 3 and 9 seconds
    monkeypatch.setattr(harness.time, "perf_counter", lambda: next(clock))
    assert harness.seconds(lambda: None, device="cpu", repeats=3, warm_up=1) == 3


def test_results_of_several_benchmarks_share_a_file(harness, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["any.py", "--device", "cpu"])
    options = harness.arguments("any")
    for value in (1.23456, 2.34567):
        harness.report("one", [{"value": value}], options=options)
        harness.report("two", [{"value": 3}], options=options, sizes=[1, 2])
    kept = json.loads((tmp_path / "results" / "cpu.json").read_text())
    assert kept["one"]["rows"] == [{"value": 2.346}], "four digits; a new run takes the place of the old"
    assert kept["two"]["rows"] == [{"value": 3}] and kept["two"]["sizes"] == [1, 2]


# --- one go at a GPU -------------------------------------------------------------------------------------------------


@pytest.fixture
def gpu(harness, monkeypatch, tmp_path):
    """`gpu(*words)`: run the script at small sizes on the CPU; its exit status and what its file holds."""
    import gpu

    def run(*words):
        out = tmp_path / "found.json"
        monkeypatch.setattr(sys, "argv", ["gpu.py", "--quick", "--device", "cpu", "--out", str(out), *words])
        return gpu.main(), json.loads(out.read_text())

    run.module = gpu
    return run


def test_every_part_runs_on_a_cpu_and_is_kept(gpu, capsys):
    status, found = gpu()
    assert status == 0 and set(found) == set(gpu.module.PARTS) | {"summary"}
    for made in found.values():
        assert set(made) >= MADE_BY and made["rows"] and not any(row.get("fault") for row in made["rows"])
    assert found["tests"]["rows"][0]["passed"] > 5
    assert {row["compared"] for row in found["agreement"]["rows"]} == {"float16", "bfloat16", "float32 on the CPU"}
    assert [row["batch"] for row in found["batches"]["rows"]] == [1, 2]
    told = [line for line in capsys.readouterr().out.splitlines() if re.match(r"\[ *\d+ s\] \w+:", line)]
    assert len(told) == len(gpu.module.PARTS), "a line of progress for each"


def test_a_guidance_that_reads_at_each_step_fails_and_is_named_by_its_line(gpu, monkeypatch):
    from on_gpu import checks

    monkeypatch.setattr(checks, "GUIDED", {"none": checks.GUIDED["none"], "slow": checks.reading})
    status, found = gpu("--parts", "stall")
    assert status == 1
    faults = {row["guidance"]: row["fault"] for row in found["stall"]["rows"] if row["fault"]}
    assert set(faults) == {"slow"} and re.search(r"waits 1 times more at each step: checks\.py:\d+ x4", faults["slow"])


def test_a_count_that_finds_nothing_fails_by_its_control(gpu, monkeypatch):
    from on_gpu import checks

    monkeypatch.setattr(checks, "GUIDED", {})
    monkeypatch.setattr(checks, "reading", lambda targets, cloud, seed: lambda denoised, level: denoised)
    status, found = gpu("--parts", "stall")
    assert status == 1 and "was counted 0 times" in found["stall"]["rows"][-1]["fault"]


def test_only_reads_of_what_latents_became_are_stalls(harness):
    from on_gpu.stalls import stalls

    latents, table = torch.ones(2, 4, 8, 8), torch.arange(5.0)

    def run():
        assert latents.isfinite().all()  # waits
        assert table.sum().item() == 10  # lies on the CPU, wherever latents are
        chosen = latents.flatten(1).sum(1) > 3
        return chosen.nonzero(), latents * table[0]  # the first of them waits

    assert stalls(run, device="cpu").total() == 2


def test_a_part_that_fails_is_told_and_the_others_go_on(gpu, monkeypatch, capsys):
    def broken(options, left):
        """Breaks after a row."""
        yield {"value": 1.0, "fault": None}
        raise RuntimeError("out of luck")

    def fine(options, left):
        """Goes on."""
        yield {"value": 2.0, "fault": None}

    monkeypatch.setattr(gpu.module, "PARTS", {"broken": (broken, 1), "fine": (fine, 1), "long": (fine, 1e6)})
    status, found = gpu()
    assert status == 1 and found["broken"]["rows"] == [{"value": 1.0, "fault": None}]
    assert found["broken"]["faults"] == ["RuntimeError: out of luck"]
    assert [row["state"] for row in found["summary"]["rows"]] == ["failed", "done", "skipped"]
    assert "long: skipped" in capsys.readouterr().out and "long" not in found


def test_a_full_run_asks_for_a_gpu(gpu, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu"])
    with pytest.raises(SystemExit, match="--quick"):
        gpu.module.main()
