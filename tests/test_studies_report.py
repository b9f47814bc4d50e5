"""What the page "What the numbers say" reads out of the results, how it shows it, and what it claims."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pandas
import pytest

from mgd_helpers.evaluation.paired import Difference
from studies import cells, choose, figures, html_tables, report, tables
from studies.claims import CLAIMS, parts
from studies.data_sets import DATA_SETS

ROOT = Path(__file__).parents[1]
BOOK = ("intro", "10_verdict", "what_the_numbers_say")
PAGES = [*(ROOT / "book" / f"{name}.md" for name in BOOK), ROOT / "README.md"]
EXACT = [(table, data) for table in ("main", "students_resnet18_10", "ablations") for data in DATA_SETS]
MADE_ON = {
    "hardware": {"processor": "a processor", "threads": 1},
    "versions": {"torch": "2", "diffusers": "0.3", "python": "3.11"},
}


def words(text):
    """A text without its line breaks."""
    return " ".join(text.split())


@pytest.fixture
def nothing_measured(monkeypatch, tmp_path):
    """An empty folder of results; `keep` puts cells of ten images and ConvNet-3 into the main table of digits."""
    monkeypatch.setattr(cells, "RESULTS", tmp_path)

    def keep(rows):
        found = [
            {
                "settings": {"images_per_class": 10, "network": "convnet3", "row": row, "seed": seed},
                "result": {"students": list(students), "nearest_neighbor": students[0]},
            }
            for row, sets in rows.items()
            for seed, students in enumerate(sets)
        ]
        (tmp_path / "main_digits.json").write_text(json.dumps(MADE_ON | {"cells": found}))

    return keep


# --- claims


@pytest.mark.parametrize(("sentence", "check"), CLAIMS, ids=lambda part: words(part) if isinstance(part, str) else "")
def test_a_sentence_of_the_page_is_there_and_borne_out(sentence, check):
    said = " ".join(words(page.read_text()) for page in PAGES)
    assert said.count(words(sentence)) == 1, f"the pages no longer say, once: {sentence}"
    assert check(), f"the results no longer bear out: {sentence}"


def test_a_result_that_changes_refutes_a_sentence(monkeypatch):
    sentence = "To pull all the way is better than 0.4 of the way, by both judges."
    check = dict(parts.CLAIMS)[sentence]
    real = report.factor_table
    monkeypatch.setattr(report, "factor_table", lambda *key: real(*key) | {"0.4": real("strength")["score 0.1"]})
    assert not check()


# --- from cells to comparisons


def test_shares_become_those_of_whole_images(nothing_measured):
    counts = {"ours": ((286, 289), (288, 287)), "theirs": ((278, 281), (280, 279))}
    nothing_measured(
        {row: [[round(right / 297, 5) for right in students] for students in sets] for row, sets in counts.items()}
    )
    for measure in ("students", "nearest_neighbor"):
        found = report.main_scores("digits", 10, measure=measure)
        for pair in (report.difference(found, "ours", "theirs"), report.pooled([found], "ours", "theirs")):
            assert (pair.mean, pair.verdict, pair.p_value) == (pytest.approx(8 / 297, abs=1e-12), "not told apart", 1)


@pytest.mark.parametrize(("table", "data"), EXACT)
def test_cells_are_shares_of_as_many_images_as_the_report_thinks(table, data):
    kept, exact = cells.read(table, data)["cells"], report.read(table, data)["cells"]
    for before, after in zip(kept, exact, strict=True):
        assert before["settings"] == after["settings"]
        for measure in report.JUDGES.values():
            if measure in before["result"]:
                assert after["result"][measure] == pytest.approx(before["result"][measure], abs=5.1e-6)


def test_scores_are_in_the_order_of_rows_and_of_seeds():
    order = [("k 10", 1), ("k 10", 0), ("k 2", 0), ("mode", 0), ("herding", 10), ("herding", 2)]
    found = [
        {
            "settings": {"row": row, "seed": seed, "factor": "a"},
            "result": {"students": [seed], "nearest_neighbor": seed},
        }
        for row, seed in order
    ]
    found.append({"settings": {"row": "mode", "seed": 1, "factor": "b"}, "result": {"students": [1]}})
    expected = {"herding": [[2], [10]], "mode": [[0]], "k 2": [[0]], "k 10": [[0], [1]]}
    for measure in report.JUDGES.values():
        ordered = report.scores(found, measure, factor="a")
        assert ordered == expected and list(ordered) == list(expected)
    assert report.scores(found, factor="b", seed=1) == {"mode": [[1]]}


@pytest.mark.parametrize("measured", [["digits"], ["digits", "cifar10"]])
def test_a_sampler_is_judged_by_its_own_unguided_sets(monkeypatch, measured):
    guided = {("base", "base"): 0.7, ("sampler", "DDIM 10"): 0.6, ("sampler", "DPM++ 10"): 0.5}
    plain = {("part", "no guidance"): 0.6}
    plain |= {("sampler, unguided", "DDIM 10"): 0.58, ("sampler, unguided", "DPM++ 10"): 0.51}
    found = {
        (factor, row, seed): {
            "settings": {"factor": factor, "row": row, "seed": seed},
            "result": {"students": [accuracy + 0.01 * seed * ((factor, row) in guided)]},
        }
        for (factor, row), accuracy in (guided | plain).items()
        for seed in range(2)
    }

    def read(table, data):
        return {"cells": list(found.values()) if data in measured else []}

    monkeypatch.setattr(report, "read", read)
    assert report.ablated("sampler, unguided") == measured
    gains = report.sampler_gains()
    expected = {"DDIM 10": 0.025, "DDIM 25": 0.105, "DPM++ 10": -0.005}
    assert {row: round(pair.mean, 6) for row, pair in gains.items()} == expected
    assert {pair.sets for pair in gains.values()} == {2 * len(measured)}
    del found["part", "no guidance", 1], found["sampler", "DPM++ 10", 1]
    assert list(report.sampler_gains()) == ["DDIM 10"]
    del found["sampler, unguided", "DDIM 10", 1]
    assert report.ablated("sampler, unguided") == []


def test_without_cells_there_are_no_lines(nothing_measured):
    for data in DATA_SETS:
        assert report.full_real(data) is None
        for table in (report.main_table(data, 10), tables.scales(data), tables.robust_table(data)):
            assert len(table) == 0
        assert len(tables.measures_table(data)) == len(tables.audits(data)) == 0
    assert len(report.pooled_table(10)) == len(tables.cost_table()) == len(tables.vae_table()) == 0


# --- tables as HTML


def test_a_difference_stands_with_half_its_interval():
    assert html_tables.points(pandas.Series([0.012, -0.03, None]), pandas.Series([0.02, None, None])) == [
        "+1.2 ± 0.8",
        "−3.0",
        "",
    ]


def test_a_folded_table_opens_with_a_click():
    frame = pandas.DataFrame({"row": ["mode"]})
    assert "<summary>why</summary><table" in html_tables.captioned(frame, "why", folded=True).data
    assert "summary" not in html_tables.captioned(frame, "why").data


def test_a_table_of_rows_shows_percent_points_and_verdicts(nothing_measured):
    nothing_measured({"unguided": [[240 / 297], [242 / 297]], "mode": [[270 / 297], [276 / 297]]})
    [shown] = html_tables.main_tables(10)
    assert shown.data.startswith("<details") and "digits, 10 images per class, ConvNet-3. a processor" in shown.data
    for text in ("<td>unguided</td>", "<td>81.1</td>", "<td>91.9</td>", "<td>+10.8 ± 8.6</td>", "<td>better</td>"):
        assert text in shown.data
    alone = html_tables.compared(report.main_table("digits", 10, base="nobody"), "no base").data
    assert "<th>accuracy to unguided</th>" in alone and "verdict" not in alone


def test_the_mean_over_the_data_sets_stands_first():
    first, *others = html_tables.main_tables(10)
    assert "<td>–</td>" in first.data and report.NOT_TOLD_APART not in first.data
    assert "Mean over the three data sets, 10 images per class, ConvNet-3." in first.data
    assert [data for data, shown in zip(DATA_SETS, others, strict=True) if DATA_SETS[data].title in shown.data] == [
        *DATA_SETS
    ]
    assert all("All real images: " in shown.data for shown in others)


@pytest.mark.parametrize(
    ("shown", "command"),
    [
        (lambda: html_tables.main_tables(50, "resnet18"), "students digits --networks resnet18 --images-per-class 50"),
        (html_tables.measures, "measures digits"),
        (html_tables.audits, "measures digits"),
        (html_tables.robust, "robust digits"),
        (lambda: [html_tables.cost()], "cost digits"),
    ],
)
def test_what_is_not_measured_says_how_to_do_it(nothing_measured, shown, command):
    [note] = shown()
    assert note.data == f"*Not measured yet; `python -m studies {command}` does it.*"


@pytest.mark.parametrize("shown", [html_tables.measures, html_tables.audits, html_tables.robust])
def test_a_table_for_each_data_set_names_it_and_the_machine(shown):
    assert len(shown()) == len(DATA_SETS)
    for table, settings in zip(shown(), DATA_SETS.values(), strict=True):
        assert f"{settings.title}, ten images per class. AMD EPYC" in table.data
        assert all(f"<td>{row}</td>" in table.data for row in report.ROWS)


def test_the_settings_that_won_stand_in_words():
    assert tables.in_words({"scale": 4.0, "n_neighbors": 24, "rank": 8}) == "scale 4, k 24, d 8"
    shown = html_tables.winners().data
    assert all(f"<td>{row}</td>" in shown for row in choose.ROWS)
    best = choose.chosen("cifar10", ["match+transport"])["match+transport"]
    assert f"<td>{tables.in_words(best)}</td>" in shown


def test_cost_and_claims_stand_in_one_table_each():
    assert all(f"<td>{settings.title}</td>" in html_tables.cost().data for settings in DATA_SETS.values())
    assert all(f"<td>{row}</td>" in html_tables.claimed().data for row in tables.CLAIMED)


# --- figures


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_intervals_are_in_points():
    pair = Difference(0.01, -0.02, 0.04, 5, 1, "not told apart", 0.4)
    assert figures.in_points({"mode": pair}) == {"mode": (1, -2, 4)}


def test_a_series_for_each_data_set_that_has_the_base(nothing_measured):
    nothing_measured({"unguided": [[0.5], [0.6]], "mode": [[0.7], [0.9]]})
    [(title, intervals)] = figures.on_each_data_set("unguided", ["mode", "tangent", "unguided"]).items()
    assert title == "digits" and list(intervals) == ["mode"]
    assert intervals["mode"][0] == pytest.approx(25, abs=0.2)
    assert figures.on_each_data_set("nearest real", ["mode"]) == {}


def test_a_series_for_each_condition_that_was_measured():
    conditions = [(10, "convnet3"), (2, "convnet3"), (10, "resnet18")]
    series = figures.in_the_mean("unguided", iter(["mode", "nobody"]), conditions)
    assert list(series) == ["10 per class, ConvNet-3", "10 per class, ResNet-18"]
    assert all(list(intervals) == ["mode"] for intervals in series.values())
    mean, _, _ = series["10 per class, ConvNet-3"]["mode"]
    assert mean == pytest.approx(100 * report.pooled_table(10).set_index("row").difference["mode"])


def test_the_figure_of_a_factor_has_two_judges_and_names_its_data_sets():
    for figure in (figures.draw_factor("stop"), figures.draw_sampler_gains()):
        assert [text.get_text() for text in figure.legends[0].texts] == ["ConvNet-3", "1-NN"]
        assert figure.axes[0].get_title(loc="left").startswith("mean over digits")
    rows = [label.get_text() for label in figures.draw_factor("stop").axes[0].get_yticklabels()]
    assert rows == list(report.factor_table("stop"))


def test_the_figure_of_the_first_page_shows_its_four_results():
    [axis] = figures.draw_promises().axes
    dots = axis.containers[0].lines[0]
    shown = {label.get_text(): x for label, x in zip(axis.get_yticklabels(), dots.get_xdata(), strict=True)}
    for name, (row, base) in figures.PROMISES.items():
        assert shown[name] == pytest.approx(100 * report.pooled(report.everywhere(10), row, base).mean)
    assert {name.strip()[0] for name in shown} == {"1", "2", "3", "4", "w"}, "numbered as on the page"


def test_the_other_figures_show_every_rule():
    panels = figures.draw_scales(["unguided", "mode"]).axes
    assert [axis.get_title() for axis in panels] == [settings.title for settings in DATA_SETS.values()]
    labels = [text.get_text() for text in figures.draw_autoencoders().axes[0].get_legend().texts]
    assert labels == ["decoded targets", "unguided", "mode", "tangent"]


def test_a_figure_that_is_not_measured_says_how_to_do_it(nothing_measured, monkeypatch):
    notes = []
    monkeypatch.setattr(figures, "display", lambda note: notes.append(note.data))
    draws = (figures.draw_sampler_gains, figures.draw_autoencoders, figures.draw_promises)
    for draw_figure in (lambda: figures.draw_factor("stop"), *draws):
        assert draw_figure() is None
    commands = ["ablations digits --factors stop", "ablations digits --factors 'sampler, unguided'", "vae", "main"]
    assert notes == [f"*Not measured yet; `python -m studies {command}` does it.*" for command in commands]
