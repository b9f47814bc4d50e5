"""tools.verified: each page that ran says when and on what, also when a later build takes it from the cache."""

import json
import re

import nbformat
import pytest
from jupyter_cache import get_cache
from nbformat.v4 import new_code_cell, new_notebook

from tools import verified

ARTICLE = '<html><article class="bd-article"><p>Text</p></article></html>'


def a_lab(code):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=[new_code_cell(code)], metadata={"kernelspec": kernel})


@pytest.fixture
def cached(tmp_path):
    """A function: put a lab that ran for so many seconds into the cache, from a folder that may lie anywhere."""

    def put(name, code="1", seconds=2.6):
        cache = get_cache(str(tmp_path / "cache"))
        file = tmp_path / "elsewhere" / f"{name}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(a_lab(code), file)
        cache.cache_notebook_file(file, data={"execution_seconds": seconds}, check_validity=False, overwrite=True)
        return tmp_path / "cache"

    return put


def page(tmp_path, name):
    file = tmp_path / "html" / f"{name}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(ARTICLE)
    return file


def line(file):
    return re.search(r'<p class="last-verified"><small>(.*)</small></p>\n</article>', file.read_text())[1]


def test_a_page_that_ran_says_when_for_how_long_and_on_what(cached, tmp_path):
    cache = cached("notebooks/01_lab")
    verified.remember(tmp_path, cache)
    lab, other = page(tmp_path, "notebooks/01_lab"), page(tmp_path, "book/01_lab")
    assert verified.stamp(tmp_path / "html", cache) == [lab]
    pattern = (
        r"Last run on \d{1,2} \w+ 20\d\d, \d\d:\d\d UTC, in 3 seconds, by <code>make book</code>, on .* cores, with "
    )
    assert re.match(pattern + r"python 3\.\S+, mgd-helpers .*, torch .*\.$", line(lab))
    assert other.read_text() == ARTICLE, "a page that did not run says nothing"


def test_a_page_from_the_cache_keeps_the_run_that_made_it(cached, tmp_path, monkeypatch):
    monkeypatch.setattr(verified, "this_run", lambda root: {"versions": "old", "machine": "m", "commit": "a"})
    cache = cached("notebooks/01_lab")
    verified.remember(tmp_path, cache)
    monkeypatch.setattr(verified, "this_run", lambda root: {"versions": "new", "machine": "m", "commit": "b"})
    cached("notebooks/02_lab", code="2")
    kept = verified.remember(tmp_path, cache)
    assert [run["versions"] for run in kept.values()] == ["old", "new"]
    labs = [page(tmp_path, f"notebooks/0{number}_lab") for number in (1, 2)]
    verified.stamp(tmp_path / "html", cache)
    assert line(labs[0]).endswith("at commit a, on m, with old.") and line(labs[1]).endswith("with new.")


def test_of_two_versions_of_a_lab_the_one_in_use_counts(cached, tmp_path):
    cache = cached("notebooks/01_lab", code="1", seconds=10)
    cached("notebooks/01_lab", code="2", seconds=20)
    verified.remember(tmp_path, cache)
    lab = page(tmp_path, "notebooks/01_lab")
    verified.stamp(tmp_path / "html", cache)
    assert "in 20 seconds" in line(lab)
    lab.write_text(ARTICLE)
    get_cache(str(cache)).merge_match_into_notebook(a_lab("1"))  # the first version is back, and the build takes it
    verified.stamp(tmp_path / "html", cache)
    assert "in 10 seconds" in line(lab)


def test_on_github_the_run_is_named_and_linked(tmp_path):
    names = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "77"}
    run = verified.this_run(tmp_path, {"GITHUB_ACTIONS": "true"} | names)
    assert run["url"] == "https://github.com/a/b/actions/runs/77" and run["commit"] == "", "no repository here"
    assert "url" not in verified.this_run(tmp_path, names)
    said = verified.sentence("1 May 2026, 10:00", None, run | {"machine": "A <b>"})
    assert 'by <a href="https://github.com/a/b/actions/runs/77">run 77</a> of the workflow, on A &lt;b&gt;,' in said
    assert "seconds" not in said


def test_the_commit_is_named_and_whether_files_had_changed():
    run = verified.this_run(verified.Path(__file__).parents[1], {})
    assert re.fullmatch(r"[0-9a-f]{10,}( with changes)?", run["commit"])


def test_what_is_kept_lies_in_the_cache_and_is_dropped_with_it(cached, tmp_path):
    cache = cached("notebooks/01_lab")
    verified.remember(tmp_path, cache)
    assert set(json.loads((cache / "ran.json").read_text())) == {"1"}
