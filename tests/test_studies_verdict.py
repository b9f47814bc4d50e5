"""The small file that lab 10 reads is what the studies say today."""

import json

import pytest

from studies import report, verdict
from studies.data_sets import DATA_SETS


def test_the_file_of_the_package_is_what_the_command_writes(monkeypatch, tmp_path, capsys):
    committed = verdict.FILE.read_text(encoding="utf-8")
    monkeypatch.setattr(verdict, "FILE", tmp_path / "verdict.json")
    verdict.main()
    assert committed == verdict.FILE.read_text(encoding="utf-8"), "run python -m studies.verdict"
    assert capsys.readouterr().out == f"verdict.json: {len(committed)} characters\n"


@pytest.mark.parametrize("data", DATA_SETS)
def test_its_intervals_are_those_of_the_report(data):
    content = json.loads(verdict.FILE.read_text(encoding="utf-8"))["sets"][data]
    found = report.main_scores(data, 10, measure="nearest_neighbor")
    assert list(content["cells"]) == [
        "mode less unguided",
        "tangent less mode",
        "match+transport less nearest real",
    ]
    for cell in content["cells"].values():
        pair = report.difference(found, cell["row"], cell["base"])
        assert [cell["mean"], cell["low"], cell["high"]] == pytest.approx(
            [100 * pair.mean, 100 * pair.low, 100 * pair.high], abs=1e-3
        )
        assert sum(cell["differences"]) / len(cell["differences"]) == pytest.approx(cell["mean"], abs=1e-3)
        assert len(cell["differences"]) == pair.sets == 5


def test_its_p_values_give_the_verdicts_of_the_table():
    from mgd_helpers.evaluation import holm

    content = json.loads(verdict.FILE.read_text(encoding="utf-8"))["p_values"]
    table = report.pooled_table(10).set_index("row")
    told_apart = {row for row, p in zip(content, holm(list(content.values())), strict=True) if p < 0.05}
    assert told_apart == set(table.index[table.verdict.isin(["better", "worse"])])
    assert set(content) == set(table.index) - {"unguided"}


def test_the_settings_are_those_that_won():
    content = json.loads(verdict.FILE.read_text(encoding="utf-8"))
    tangent = content["sets"]["digits"]["settings"]["tangent"]
    assert tangent == {"scale": 1.5, "strength": 1.0, "n_neighbors": 48, "rank": 16}
    assert (content["images_per_class"], content["steps"]) == (10, 25)
