"""The benchmarks run, print what they promise, and their committed results say what made them. Nothing is timed."""

import argparse
import ast
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import forks
import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from benchmarks import __main__ as command_line
from benchmarks import busy, gpu, growth, harness, report
from benchmarks.models import DIT_XL_2_256
from benchmarks.on_gpu import checks, labs
from benchmarks.on_gpu.stalls import stalls

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
COLUMNS = {
    "tangent": {"method", "seconds", "times_faster", "difference", "promised"},
    "step": {"batch", "denoiser_seconds", "step_seconds", "guided_step_seconds", "pull_seconds", "share", "promised"},
    "sampling": {"pipeline", "batch", "images_per_second", "times_faster", "peak_mib", "difference", "promised"},
    "sets": {"pipeline", "guidance", "seconds", "ratio", "promised"},
    "students": {"network", "students", "looped_seconds", "vmapped_seconds", "times_faster", "difference"},
    "strengths": {"rule", "sampler", "steps", "net_pull", "spread"},
    "tree": {"seed", "sklearn_init", "times_faster", "inertia_ratio", "promised"},
    "busy": {"work", "quiet_seconds", "busy_seconds", "ratio", "promised"},
    "growth": {"operation", "axis", "size", "seconds", "peak_mib", "time_exponent", "memory_exponent"},
}
MADE_BY = {"seed", "load_before", "hardware", "versions"}
KEPT = sorted((FOLDER / "results").glob("*.json"))
QUICK = ["--quick", "--device", "cpu", "--seed", "3"]


@pytest.fixture
def results(monkeypatch, tmp_path):
    """The folder of results is another one, which is not there yet."""
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


# --- the command line ------------------------------------------------------------------------------------------------


def test_every_promised_benchmark_is_there():
    assert set(COLUMNS) == set(command_line.BENCHMARKS)
    assert all((FOLDER / f"{name}.py").exists() for name in COLUMNS)


def test_without_a_name_it_lists_them_with_a_sentence_each(capsys):
    assert command_line.main([]) == 0
    listed = " ".join(capsys.readouterr().out.split())
    for name in (*COLUMNS, "gpu"):
        sentence = sys.modules[f"benchmarks.{name}"].__doc__.splitlines()[0]
        assert f"{name} {sentence}" in listed and sentence[-1] in ".?"
    assert " all All but gpu" in listed


def test_an_unknown_name_is_refused(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["trees"])
    assert "'trees'" in capsys.readouterr().err


def test_all_runs_each_in_a_fresh_process_one_after_the_other(monkeypatch):
    ran = []

    def run(command, cwd):
        ran.append(command)
        return subprocess.CompletedProcess(command, returncode=0)

    monkeypatch.setattr(command_line.subprocess, "run", run)
    assert command_line.main(["all", *QUICK]) == 0
    words = ["--device", "cpu", "--seed", "3", "--quick"]
    assert ran == [[sys.executable, "-m", "benchmarks", name, *words] for name in command_line.BENCHMARKS]


def test_the_first_that_fails_ends_all(monkeypatch):
    monkeypatch.setattr(command_line.subprocess, "run", lambda command, cwd: subprocess.CompletedProcess(command, 7))
    assert command_line.main(["all", *QUICK]) == 7


@pytest.mark.slow
def test_it_runs_as_a_module_from_the_repository():
    command = [*forks.python(), "-m", "benchmarks", "gpu", "--help"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--minutes" in made.stdout and "--seed" in made.stdout


def test_the_package_imports_its_own_files_by_their_full_names_and_patches_no_path():
    for path in [*FOLDER.rglob("*.py"), Path(__file__)]:
        tree = ast.parse(path.read_text())
        attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        assert not {"sys.path", "sys.argv"} & {ast.unparse(node) for node in attributes}, path
        own = {one.stem for one in FOLDER.rglob("*.py")} - {"__init__", "__main__"}
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not own & modules, path


@pytest.mark.slow
@pytest.mark.parametrize("name", COLUMNS)
def test_a_quick_run_prints_its_table_and_what_made_it_and_keeps_nothing(name, results, capsys, monkeypatch):
    monkeypatch.setattr(busy, "PYTHON", forks.python())
    assert command_line.main([name, *QUICK]) == 0
    heading, columns, *rows, made_by = capsys.readouterr().out.strip().splitlines()
    assert heading == name and rows
    assert COLUMNS[name] <= set(columns.split())
    assert set(json.loads(made_by)) >= MADE_BY and json.loads(made_by)["seed"] == 3
    assert not results.exists()


@pytest.mark.parametrize("name", growth.SIZES)
def test_the_axes_of_growth_start_within_its_sizes(name):
    fixed, first = growth.SIZES[name]
    assert list(fixed) == list(first)


def test_the_neighbor_ends_with_its_context(monkeypatch):
    monkeypatch.setattr(busy, "NEIGHBOR", 'import time; print("busy", flush=True); time.sleep(60)')
    with busy.neighbor() as process:
        assert process.poll() is None
    assert process.poll() is not None


# --- kept results ----------------------------------------------------------------------------------------------------


def test_results_of_a_cpu_are_committed():
    assert "cpu" in [path.stem for path in KEPT]


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_kept_results_hold_every_benchmark_and_say_what_made_it(file):
    kept = json.loads(file.read_text())
    assert set(kept) == set(COLUMNS) if file.stem == "cpu" else set(kept) <= set(COLUMNS)  # a GPU is lent by the minute
    for name, made in kept.items():
        assert set(made) >= MADE_BY | {"rows"} and isinstance(made["seed"], int)
        assert {"processor", "cores", "threads"} <= set(made["hardware"])
        assert ("gpu" in made["hardware"]) == (file.stem != "cpu")
        assert {"python", "torch", "diffusers", "mgd-helpers"} <= set(made["versions"])
        assert made["rows"] and all(set(row) >= COLUMNS[name] for row in made["rows"])
        numbers = [value for row in made["rows"] for value in row.values() if isinstance(value, float)]
        assert numbers and all(map(math.isfinite, numbers))


def test_kept_results_are_of_the_promised_sizes():
    everything = json.loads((FOLDER / "results" / "cpu.json").read_text())
    for kept in (everything | json.loads(file.read_text()) for file in KEPT):
        tangent, step, sampling = (kept[name] for name in ("tangent", "step", "sampling"))
        assert (tangent["dim"], tangent["n_neighbors"]) == (4096, 12) and tangent["profile"]
        assert step["cloud"] == [1300, 4, 32, 32] and 749e6 < step["parameters"] < 751e6
        assert [row["batch"] for row in step["rows"]] == [1, 8, 32] and step["profile"]
        assert sampling["steps"] == 25 and {row["batch"] for row in sampling["rows"]} == {1, 8, 32, 64}
        axes = {(row["operation"], row["axis"]) for row in kept["growth"]["rows"]}
        assert axes == {(name, axis) for name, (fixed, _) in growth.SIZES.items() for axis in fixed}


def test_images_of_a_batch_are_those_of_the_loop():
    rows = json.loads((FOLDER / "results" / "cpu.json").read_text())["sampling"]["rows"]
    batches = [row for row in rows if row["pipeline"] == "digits" and row["batch"] > 1]
    assert len(batches) == 3 and all(row["difference"] <= row["promised"] == 1e-4 for row in batches)


# --- the page --------------------------------------------------------------------------------------------------------


def page():
    """The page's prose, and its code cells without their tags."""
    text = (ROOT / "book" / "performance.md").read_text()
    cells = re.findall(r"^```\{code-cell\}.*?^---$.*?^---$\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^---.*?^---$|^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), cells


def test_the_page_shows_every_benchmark_and_types_no_figure():
    prose, cells = page()
    shown = set(re.findall(r'report\.table\(\s*found,\s*"(\w+)"', "".join(cells)))
    assert shown | {"strengths", "growth"} == set(COLUMNS)
    assert "report.net_pulls(found)" in "".join(cells) and "report.growth(found)" in "".join(cells)
    names = r"\w+\.md|DiT-XL/2-256|32-bit"
    assert [line for line in prose.splitlines() if re.search(r"\d", re.sub(names, "", line))] == []


def test_cells_of_the_page_run_and_define_no_function():
    scope, cells = {}, page()[1]
    assert len(cells) > 10
    with matplotlib.rc_context():
        for cell in cells:
            assert not any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(cell)))
            exec(cell, scope)
    plt.close("all")


def made(rows, **settings):
    """A result as the harness keeps it."""
    hardware = {"processor": "abacus", "cores": 2, "threads": 1} | settings.pop("hardware", {})
    versions = {"torch": "2", "diffusers": "1", "python": "3"}
    return {"rows": rows, "seed": 4, "load_before": 0.5, "hardware": hardware, "versions": versions} | settings


def test_results_are_read_by_device(tmp_path):
    for device in ("cpu", "abacus"):
        (tmp_path / f"{device}.json").write_text(json.dumps({"step": {"rows": [device]}}))
    assert report.read(tmp_path) == {device: {"step": {"rows": [device]}} for device in ("abacus", "cpu")}


def test_a_table_shows_chosen_columns_for_each_device_and_what_made_it():
    rows = [{"batch": 8, "share": 0.0123, "promised": 0.02}, {"batch": 32, "share": 0.05, "promised": None}]
    found = {
        "cpu": {"step": made(rows, rank=3)},
        "gpu": {"step": made(rows, rank=4, hardware={"gpu": "Big"})},
        "no": {},
    }
    html = report.table(found, "step", "Rank {rank}.", batch=("batch", 1), share=("added, %", 100)).data
    assert html.count("<table") == html.count("<caption>") == 2
    assert "Rank 3. abacus, 2 cores, 1 threads; torch 2, diffusers 1, Python 3; seed 4; load average before" in html
    assert "Rank 4. Big; torch 2" in html
    assert re.findall(r"<th>(.*?)</th>", html)[:3] == ["batch", "added, %", "kept"]
    assert re.findall(r"<td>(.*?)</td>", html)[:6] == ["8", "1.23", "yes", "32", "5", ""]


def test_a_profile_has_the_times_of_a_gpu_where_there_is_one():
    profile = [{"operation": "mm", "calls": 2, "cpu_ms": 1.0, "gpu_ms": 0.25}]
    cpu, gpu = made([], profile=profile), made([], profile=profile, hardware={"gpu": "Big"})
    assert re.findall(r"<td>(.*?)</td>", report.profile({"cpu": {"tree": cpu}}, "tree").data) == ["mm", "2", "1"]
    assert report.profile({"gpu": {"tree": gpu}}, "tree").data.count("<td>") == 4


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        (None, ""),
        (math.nan, ""),
        ("name", "name"),
        (12345, "12,345"),
        (0.0, "0"),
        (0.012345, "0.0123"),
        (123.4, "123"),
        (12345.6, "12,346"),
        (1.234e-7, "1.2e-07"),
    ],
)
def test_numbers_are_shown_with_three_digits(value, shown):
    assert report.number(value) == shown


@pytest.mark.parametrize(
    ("name", "row", "kept"),
    [
        ("tangent", {"times_faster": 10, "promised": 10}, True),
        ("tree", {"times_faster": 2.9, "promised": 3}, False),
        ("busy", {"ratio": 2.9, "promised": 3}, True),
        ("step", {"share": 0.03, "promised": 0.02}, False),
        ("step", {"share": 0.03, "promised": None}, None),
        ("sampling", {"difference": 0}, None),
    ],
)
def test_a_promise_is_kept_from_above_or_from_below(name, row, kept):
    assert report.keeps_promise(name, row) is kept


def test_missed_promises_are_told_with_what_they_are_of():
    step = {"batch": 8, "share": 0.05, "promised": 0.02}
    tree = {"seed": 1, "sklearn_init": "random", "n_init": 5, "times_faster": 2.0, "promised": 3.0}
    tangent = {"method": "gram", "times_faster": 9.0, "promised": 5.0}
    found = {"cpu": {"step": made([step]), "tree": made([tree]), "tangent": made([tangent])}}
    told = report.promises(found).data
    assert told.startswith("Of 3 promised figures 1 are kept on cpu.") and "No figure for a GPU" in told
    assert "- step on cpu: share is 0.05, promised was 0.02 (batch 8)" in told
    assert "- tree on cpu: times_faster is 2, promised was 3 (seed 1, against seeding random, 5 restarts)" in told
    assert report.promises({"big": {"tangent": made([tangent])}}).data.endswith("Measured on a GPU: big.")


def test_growth_is_drawn_by_axis_and_its_exponents_are_told():
    found = report.read()
    figure = report.draw_growth(found)
    assert len(figure.axes) == 2 * sum("growth" in results for results in found.values())
    assert len(figure.axes[0].lines) == 5  # four axes of the tangent step and proportional growth
    plt.close(figure)
    html = report.growth(found).data
    assert "Fitted through the largest 3 sizes." in html and "tangent at cloud 2,000" in html


def test_parts_on_a_gpu_are_shown_without_the_summary_and_long_faults(tmp_path):
    parts = {
        "tests": made([{"in_all": 3, "fault": "x" * 200}]),
        "summary": made([{"part": "tests"}]),
        "empty": made([]),
    }
    (tmp_path / "big.json").write_text(json.dumps(parts))
    html = report.on_gpus(tmp_path).data
    assert html.count("<table") == 1 and "<th>in all</th>" in html and "xxx" not in html


# --- the harness -----------------------------------------------------------------------------------------------------


def test_peak_memory_counts_what_is_held_at_once():
    mib = 2**18  # float32 numbers in one MiB

    def one_after_the_other():
        for _ in range(5):
            torch.ones(4 * mib)

    def together():
        return [torch.ones(4 * mib) for _ in range(5)]

    assert harness.peak_mib(one_after_the_other, device="cpu") == pytest.approx(4, abs=0.01)
    assert harness.peak_mib(together, device="cpu") == pytest.approx(20, abs=0.01)


def test_exponents_are_those_of_the_power_law():
    sizes = [3, 10, 40, 100]
    for power in (-1, 0, 0.5, 2):
        assert harness.exponent(sizes, [7 * size**power for size in sizes]) == pytest.approx(power)


def test_hot_spots_name_the_operation_that_takes_most():
    matrix = torch.ones(300, 300)
    found = harness.hot_spots(lambda: [matrix @ matrix for _ in range(20)], device="cpu", top=3)
    assert found[0]["operation"] == "aten::mm" and found[0]["calls"] == 20


def test_functions_are_timed_by_turns_and_warm_up_first():
    calls = []
    times = harness.seconds_each([lambda: calls.append("a"), lambda: calls.append("b")], repeats=2, warm_up=2)
    assert "".join(calls) == "aabb" + "abab" and len(times) == 2


def test_time_is_the_median(monkeypatch):
    clock = iter([0, 1, 10, 13, 20, 29])  # calls of 1, 3 and 9 seconds
    monkeypatch.setattr(harness, "timer", lambda: next(clock))
    assert harness.seconds(lambda: None, repeats=3, warm_up=1) == 3


def test_results_of_several_benchmarks_share_a_file(results, capsys):
    options = argparse.Namespace(device="cpu", quick=False, seed=0, load=0.5)
    for value in (1.23456, 2.34567):
        harness.record("one", [{"value": value}], options=options)
        harness.record("two", [{"value": 3}], options=options, sizes=[1, 2])
    assert [path.name for path in results.iterdir()] == ["cpu.json"], "nothing is left of writing"
    kept = json.loads((results / "cpu.json").read_text())
    assert kept["one"]["rows"] == [{"value": 2.346}], "four digits; a new run takes the place of the old"
    assert kept["two"]["rows"] == [{"value": 3}] and kept["two"]["sizes"] == [1, 2]
    assert kept["two"]["load_before"] == 0.5


@pytest.mark.slow
def test_the_shape_of_dit_xl_is_that_of_its_published_config():
    from diffusers import DiTTransformer2DModel

    with torch.device("meta"):
        model = DiTTransformer2DModel(**DIT_XL_2_256)
    assert 749e6 < sum(weights.numel() for weights in model.parameters()) < 751e6


# --- one go at a GPU -------------------------------------------------------------------------------------------------


@pytest.fixture
def run_gpu(tmp_path):
    """`run_gpu(*words)`: at small sizes on the CPU; its exit status and what its file holds."""

    def run(*words):
        out = tmp_path / "found.json"
        status = command_line.main(["gpu", "--quick", "--device", "cpu", "--out", str(out), *words])
        return status, json.loads(out.read_text())

    return run


@pytest.mark.slow
def test_every_part_runs_on_a_cpu_and_is_kept(run_gpu, capsys, monkeypatch):
    few = ("none", "manifold", "released")  # test_no_stall asks all of them
    monkeypatch.setattr(checks, "GUIDED", {name: checks.GUIDED[name] for name in few})
    status, found = run_gpu()
    assert status == 0 and set(found) == set(gpu.PARTS) | {"summary"}
    for one in found.values():
        assert set(one) >= MADE_BY and one["rows"] and not any(row.get("fault") for row in one["rows"])
    assert found["tests"]["rows"][0]["passed"] > 5
    assert {row["compared"] for row in found["agreement"]["rows"]} == {"float16", "bfloat16", "float32 on the CPU"}
    assert [row["batch"] for row in found["batches"]["rows"]] == [1, 2]
    told = [line for line in capsys.readouterr().out.splitlines() if re.match(r"\[ *\d+ s\] \w+:", line)]
    assert len(told) == len(gpu.PARTS), "a line of progress for each"


def test_tests_that_take_a_device_are_found_in_every_folder():
    files = checks.device_tests()
    assert set(checks.QUICK_TESTS) <= set(files) and all((ROOT / file).exists() for file in files)
    assert {Path(file).parts[1] for file in files} >= {"clustering", "guidance", "tangent"}


@pytest.mark.slow
def test_a_guidance_that_reads_at_each_step_fails_and_is_named_by_its_line(run_gpu, monkeypatch):
    monkeypatch.setattr(checks, "GUIDED", {"none": checks.GUIDED["none"], "slow": checks.reading})
    status, found = run_gpu("--parts", "stall")
    assert status == 1
    faults = {row["guidance"]: row["fault"] for row in found["stall"]["rows"] if row["fault"]}
    assert set(faults) == {"slow"} and re.search(r"waits 1 times more at each step: checks\.py:\d+ x4", faults["slow"])


@pytest.mark.slow
def test_a_count_that_finds_nothing_fails_by_its_control(run_gpu, monkeypatch):
    monkeypatch.setattr(checks, "GUIDED", {})
    monkeypatch.setattr(checks, "reading", lambda targets, cloud, seed: lambda denoised, level: denoised)
    status, found = run_gpu("--parts", "stall")
    assert status == 1 and "was counted 0 times" in found["stall"]["rows"][-1]["fault"]


def test_only_reads_of_what_latents_became_are_stalls():
    latents, table = torch.ones(2, 4, 8, 8), torch.arange(5.0)

    def run():
        assert latents.isfinite().all()  # waits
        assert table.sum().item() == 10  # lies on the CPU, wherever latents are
        chosen = latents.flatten(1).sum(1) > 3
        return chosen.nonzero(), latents * table[0]  # the first of them waits

    assert stalls(run, device="cpu").total() == 2


@pytest.mark.slow
def test_a_part_that_fails_is_told_and_the_others_go_on(run_gpu, monkeypatch, capsys):
    def broken(options, left):
        """Breaks after a row."""
        yield {"value": 1.0, "fault": None}
        raise RuntimeError("out of luck")

    def fine(options, left):
        """Goes on."""
        yield {"value": 2.0, "fault": None}

    monkeypatch.setattr(gpu, "PARTS", {"broken": (broken, 1), "fine": (fine, 1), "long": (fine, 1e6)})
    status, found = run_gpu()
    assert status == 1 and found["broken"]["rows"] == [{"value": 1.0, "fault": None}]
    assert found["broken"]["faults"] == ["RuntimeError: out of luck"]
    assert [row["state"] for row in found["summary"]["rows"]] == ["failed", "done", "skipped"]
    assert "long: skipped" in capsys.readouterr().out and "long" not in found


def test_labs_that_lack_something_are_told_and_those_that_break_are_faults(run_gpu, monkeypatch):
    ends = {"11": FileNotFoundError("no network,\n no weights"), "12": ZeroDivisionError("half"), "13": None}

    def run(lab, changes, *, folder):
        assert folder.is_dir() and changes == {"PROFILE": lab}
        if ends[lab]:
            raise ends[lab]

    monkeypatch.setattr(labs.reference, "find_lab", lambda number: number)
    monkeypatch.setattr(labs.reference, "run", run)
    photographs = ("12", {"FOLDER": "nowhere at all"}, 1)
    monkeypatch.setattr(labs, "QUICK", [(n, {"PROFILE": n}, 1) for n in ends] + [("11", {}, 1e6), photographs])
    status, found = run_gpu("--parts", "labs")
    rows = found["labs"]["rows"]
    assert status == 1 and found["labs"]["faults"] == ["ZeroDivisionError: half"]
    assert [row["told"] for row in rows[:3]] == ["not run: no network, no weights", None, None]
    assert [row["seconds"] is None for row in rows] == [True, True, False, True, True]
    assert rows[4]["told"].startswith("not run: it needs a folder")
    assert rows[3]["form"] == "as it stands" and rows[3]["told"].startswith("skipped: ")


def test_the_run_of_a_lab_with_other_parameters_is_kept_as_its_reference(monkeypatch, tmp_path):
    kept = []
    monkeypatch.setattr(labs.reference, "run", lambda lab, changes, folder: (lab.name, changes))
    monkeypatch.setattr(labs.reference, "find_lab", lambda number: tmp_path / number)
    monkeypatch.setattr(labs.reference, "keep", lambda heard, command: kept.append((*heard, command)) or tmp_path)
    monkeypatch.setattr(labs, "FORMS", (("13", {}, 1), ("13", {"BUDGET": "full"}, 1)))
    rows = list(labs.labs(argparse.Namespace(device="cpu", quick=False), lambda: 100.0))
    assert kept == [("13", {"BUDGET": "full"}, "python -m benchmarks gpu --parts labs")]
    assert [row["told"] for row in rows] == [None, f"kept: {tmp_path.name}"]


def test_a_full_run_asks_for_a_gpu():
    with pytest.raises(SystemExit, match="add --quick"):
        command_line.main(["gpu", "--device", "cpu"])
