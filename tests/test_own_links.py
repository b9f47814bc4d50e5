"""tools.own_links: links of a lab to the published book become links inside it, and a dead one is a warning."""

from types import SimpleNamespace

import pytest
from notebook_rules import ADDRESS

from tools import own_links

FOUND = {"book/05_tangent": "book/05_tangent.md", "notebooks/06_guide": "notebooks/06_guide.ipynb"}
APP = SimpleNamespace(
    config=SimpleNamespace(html_theme_options={"repository_url": ADDRESS.repository}),
    env=SimpleNamespace(doc2path=FOUND.get, found_docs=set(FOUND)),
)
LAB = f"[page]({ADDRESS.page('book/05_tangent')}#two) [lab]({ADDRESS.page('notebooks/06_guide')})"


@pytest.fixture
def warnings(monkeypatch):
    said = []
    logger = SimpleNamespace(warning=lambda text, *names, location: said.append((text % names, location)))
    monkeypatch.setattr(own_links.logging, "getLogger", lambda name: logger)
    return said


def test_links_of_a_lab_stay_inside_the_book(warnings):
    source = [LAB]
    own_links.make_relative(APP, "notebooks/05_tangent", source)
    assert source == ["[page](../book/05_tangent.md#two) [lab](06_guide.ipynb)"] and warnings == []


def test_pages_keep_what_they_say(warnings):
    source = [LAB]
    own_links.make_relative(APP, "book/intro", source)
    assert source == [LAB]


def test_a_dead_link_is_a_warning_which_fails_the_build(warnings):
    own_links.make_relative(APP, "notebooks/05_tangent", [f"[page]({ADDRESS.page('book/nowhere')})"])
    assert warnings == [("the book has no page book/nowhere", "notebooks/05_tangent")]
