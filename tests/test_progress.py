import pytest

from mgd_helpers.progress import is_first, is_quiet, progress, tell


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


@pytest.mark.parametrize(("rank", "first"), [(None, True), ("0", True), ("1", False), ("7", False)])
def test_of_several_processes_the_first_one_tells(monkeypatch, capsys, rank, first):
    for name in ("CI", "MGD_QUIET", "RANK"):
        monkeypatch.delenv(name, raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert (is_first(), is_quiet()) == (first, not first)
    tell("once")
    assert capsys.readouterr().out == ("once\n" if first else "")


def test_progress_hands_on_every_item(monkeypatch, capsys):
    assert list(progress(range(5), "counting")) == [0, 1, 2, 3, 4]
    assert list(progress(iter("ab"), "letters", total=2)) == ["a", "b"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("quiet", "said"), [("0", "one line\n"), ("1", "")])
def test_a_line_is_told_on_the_standard_output_and_silenced_with_the_bars(monkeypatch, capsys, quiet, said):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("MGD_QUIET", quiet)
    tell("one line")
    assert capsys.readouterr() == (said, "")


def test_a_log_gets_a_line_now_and_then(monkeypatch, capsys):
    from mgd_helpers import progress as module

    monkeypatch.delenv("MGD_QUIET", raising=False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(module, "is_a_log", lambda: True)
    monkeypatch.setattr(module, "PATIENCE", 0)
    assert list(module.progress(range(3), "count", total=3)) == [0, 1, 2]
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.startswith("count") and "/3" in line for line in lines)
    assert "\r" not in "".join(lines)
