"""Versions, changelog, citation and workflows agree, and workflows take no more than they need."""

import re
import tomllib

import pytest
import yaml
from notebook_rules import REPOSITORY, ROOT

from tools import artifacts

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_citation_and_changelog_have_the_version_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == VERSION and citation["repository-code"] == REPOSITORY
    newest = re.search(r"^## \[(.+?)\] - (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest[1] == VERSION and re.fullmatch(r"unreleased|20\d\d-\d\d-\d\d", newest[2])


def test_the_citation_has_what_its_format_asks_for():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert {"authors", "message", "title", "license", "repository-code"} <= set(citation)
    for who in [*citation["authors"], *citation["references"][0]["authors"]]:
        assert set(who) in ({"name"}, {"given-names", "family-names"})
    assert {"type", "title", "authors", "year", "url"} <= set(citation["references"][0])


def test_notes_of_a_release_are_its_part_of_the_changelog(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    said = "# Changelog\n\n## [1.2.0] - 2027-01-02\n\n### Added\n\n- A.\n\n## [1.1.0] - 2026-01-02\n\n- Old.\n"
    (tmp_path / "CHANGELOG.md").write_text(said)
    assert artifacts.notes(tmp_path) == "### Added\n\n- A.\n"
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [1.2.0] - 2027-01-02\n\n## [1.1.0] - 2026-01-02\n\n- Old.\n"
    )
    with pytest.raises(ValueError, match=r"must have a section ## \[1\.2\.0\] that says what is new"):
        artifacts.notes(tmp_path)
    assert "### Added" in artifacts.notes(ROOT) and "## [" not in artifacts.notes(ROOT)


# --- workflows -------------------------------------------------------------------------------------------------------


def not_pinned(text):
    """Actions that are not named by a full commit hash with the version behind it."""
    lines = re.findall(r"^\s*-?\s*uses:\s*(.+)$", text, re.MULTILINE)
    return [line for line in lines if not re.fullmatch(r"[\w-]+/[\w./-]+@[0-9a-f]{40}  # v\d+(\.\d+){2}", line)]


def too_free(text):
    """Jobs that may do more than read, beside those that publish; and workflows that do not say what they may."""
    flow = yaml.safe_load(text)
    jobs = [name for name, job in flow["jobs"].items() if "write" in job.get("permissions", {}).values()]
    return (
        [] if flow.get("permissions") == {"contents": "read"} and set(jobs) <= {"pages", "publish"} else jobs or [flow]
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_jobs_may_read_alone_and_end(path):
    text = path.read_text(encoding="utf-8")
    assert not_pinned(text) == [] and too_free(text) == []
    assert [name for name, job in yaml.safe_load(text)["jobs"].items() if "timeout-minutes" not in job] == []
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    assert not re.search(r"run:.*\$\{\{ *github\.(event|head_ref)", text), "what others write is no part of a command"


def test_one_action_has_one_hash():
    used = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r"uses: (\S+?)@(.+)", path.read_text(encoding="utf-8")):
            used.setdefault(action, set()).add(pin)
    assert {action: pins for action, pins in used.items() if len(pins) > 1} == {}


def test_the_checks_of_workflows_can_complain():
    for pin in ("v4", "main", "de0fac2", "de0fac2e4500dabe0009e67214ff5f5447ce83dd"):
        assert not_pinned(f"    - uses: actions/checkout@{pin}\n") == [f"actions/checkout@{pin}"]
    assert not_pinned(f"    - uses: actions/checkout@{'a' * 40}  # v6.0.2\n") == []
    assert too_free("jobs: {pages: {}}") and too_free("permissions: {contents: write}\njobs: {run: {}}")
    assert too_free("permissions: {contents: read}\njobs: {run: {permissions: {contents: write}}}") == ["run"]


def test_what_is_published_was_tested():
    ci, release = (
        yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text()) for name in ("ci", "release")
    )
    steps = [step.get("run") or step["uses"].split("@")[0] for step in ci["jobs"]["run"]["steps"]]
    assert steps.index(".ci/run") < steps.index("actions/upload-pages-artifact")
    assert ci["jobs"]["pages"]["needs"] == "run" and ci["jobs"]["pages"]["if"] == "github.ref == 'refs/heads/main'"
    assert ci["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
    commands = [step["run"] for step in release["jobs"]["make"]["steps"] if "run" in step]
    assert [command.split("  #")[0] for command in commands[-3:]] == [
        ".ci/run",
        ".venv/bin/python -m tools release",
        "make artifacts",
    ]
    assert release["jobs"]["publish"]["needs"] == "make"
    assert all("uses" not in step for step in release["jobs"]["publish"]["steps"]), "the token to write stays here"


def test_workflows_call_targets_that_there_are():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {name for path in WORKFLOWS for name in re.findall(r"run: make (\w+)", path.read_text())}
    assert {"artifacts", "links"} <= called <= targets
