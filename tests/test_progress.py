import pytest

import mgd_helpers.progress as module
from mgd_helpers.progress import is_quiet, progress, tell


@pytest.mark.parametrize(
    ("variable", "value", "quiet"),
    [
        ("CI", "true", True),
        ("MGD_QUIET", "1", True),
        ("MGD_QUIET", "0", False),
        ("CI", "", False),
        ("CI", "false", False),
    ],
)
def test_ci_and_mgd_quiet_silence_the_bars(monkeypatch, variable, value, quiet):
    for name in ("CI", "MGD_QUIET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    assert is_quiet() == quiet


def test_progress_hands_on_every_item(monkeypatch, capsys):
    assert list(progress(range(5), "counting")) == [0, 1, 2, 3, 4]
    assert list(progress(iter("ab"), "letters", total=2)) == ["a", "b"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("items", "options", "said"),
    [
        (range(2, 4), {"initial": 2, "total": 4}, ["count: step 3 of 4, ", "count: step 4 of 4, 0.0 minutes left, "]),
        ([7], {"unit": "image"}, ["count: image 1 of 1, 0.0 minutes left, "]),
        (iter("a"), {}, ["count: step 1, "]),
    ],
)
def test_where_nobody_sees_a_bar_a_line_is_written_now_and_then(monkeypatch, capsys, items, options, said):
    for name in ("CI", "MGD_QUIET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "EVERY", 0.0)
    expected = list(range(2, 4)) if options.get("initial") else ["a"] if not options else [7]
    assert list(progress(items, "count", **options)) == expected
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(said) and all(line.startswith(start) for line, start in zip(lines, said, strict=True))
    monkeypatch.setattr(module, "EVERY", 30.0)
    assert list(progress(range(3), "count")) == [0, 1, 2] and capsys.readouterr().err == ""


@pytest.mark.parametrize(("quiet", "said"), [("0", "one line\n"), ("1", "")])
def test_a_line_is_told_on_the_standard_output_and_silenced_with_the_bars(monkeypatch, capsys, quiet, said):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("MGD_QUIET", quiet)
    tell("one line")
    assert capsys.readouterr() == (said, "")
