"""tools.address, of a fork: one place holds the address, a fork changes it everywhere, and labs name pages in full."""

import shutil

import pytest
from notebook_rules import ROOT

from tools import address
from tools.address import Address

FORK = Address.of("https://github.com/Some-Body/my.fork")
HERE = address.read(ROOT)


def test_what_follows_from_the_repository():
    assert (FORK.owner, FORK.name) == ("Some-Body", "my.fork")
    assert FORK.page("book/05_tangent") == "https://some-body.github.io/my.fork/book/05_tangent.html"
    assert FORK.colab("1.2.0") == "https://colab.research.google.com/github/Some-Body/my.fork/blob/v1.2.0/notebooks"


@pytest.mark.parametrize(
    "url",
    ["https://github.com/me", "github.com/me/fork", "https://github.com/me/fork/tree/main", "https://me.org/fork/x"],
)
def test_anything_but_a_repository_is_refused(url):
    with pytest.raises(ValueError, match=r"URL must read https://github\.com/OWNER/NAME"):
        Address.of(url)


def test_no_file_spells_the_address_in_another_way():
    assert address.strays(ROOT, HERE) == []


@pytest.fixture(scope="module")
def fork(tmp_path_factory):
    """A copy of all text of the project, under the address of a fork."""
    copy = tmp_path_factory.mktemp("fork")
    for path, _ in address.texts(ROOT):
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return copy, address.rewrite(copy, FORK)


def test_a_fork_keeps_nothing_of_the_old_address(fork):
    copy, changed = fork
    assert address.read(copy) == FORK
    assert address.strays(copy, HERE) == [] and address.strays(copy, FORK) == []
    names = {path.relative_to(copy).as_posix() for path in changed}
    assert names >= {"pyproject.toml", "_config.yml", "CITATION.cff", "README.md", "LICENSE-prose"}
    assert {path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")} <= {path.name for path in changed}


def test_there_and_back_changes_nothing(fork):
    copy, changed = fork
    address.rewrite(copy, HERE)
    assert [path for path in changed if path.read_bytes() != (ROOT / path.relative_to(copy)).read_bytes()] == []


@pytest.mark.parametrize(
    ("text", "stray"),
    [
        (f"see {HERE.repository.upper()}", True),
        (f"see https://github.com/somebody/{HERE.name}", True),
        (f"see https://{HERE.owner}.github.io/elsewhere", True),
        (f"see {HERE.repository}-2", True),
        (f"see {HERE.repository}/issues, {HERE.book}/book/intro.html and {HERE.colab('1.0.0')}/a.ipynb", False),
        ("read it step-by-step", False),
    ],
)
def test_strays_are_seen(tmp_path, text, stray):
    (tmp_path / "_config.yml").write_text(f"repository: {{url: {HERE.repository}}}")
    (tmp_path / "page.md").write_text(text)
    (tmp_path / "_build").mkdir()
    (tmp_path / "_build" / "page.html").write_text(f"https://{HERE.owner}.github.io/made")
    found = address.strays(tmp_path, HERE)
    assert len(found) == stray and all(one.startswith("page.md: ") for one in found)


LINKS = (
    "[a](../book/a.md#b) [c](04_c.ipynb) [d](https://elsewhere/x.md) [e](#here) [f](../LICENSE.md) ![g](../book/g.svg)"
)
FILES = {"book/a": ".md", "notebooks/04_c": ".ipynb"}


def test_links_become_absolute_and_relative_again():
    whole = address.absolute(LINKS, FORK, "notebooks")
    page = "https://some-body.github.io/my.fork"
    assert whole.startswith(
        f"[a]({page}/book/a.html#b) [c]({page}/notebooks/04_c.html) [d](https://elsewhere/x.md) [e]"
    )
    assert address.absolute(whole, FORK, "notebooks") == whole
    assert address.relative(whole, FORK, "notebooks", FILES) == (LINKS, [])


def test_a_page_that_does_not_exist_is_named():
    dead = f"[a]({FORK.page('book/nowhere')})"
    assert address.relative(dead, FORK, "notebooks", FILES) == (dead, ["book/nowhere"])


def test_files_lead_to_those_of_a_release_whichever_came_before():
    text = "![a b](book/a.svg) [c](LICENSE) [d](https://elsewhere/x.md) [e](#here)"
    whole = address.at_release(text, FORK, "1.2.0")
    home = "https://github.com/Some-Body/my.fork"
    assert whole == (
        f"![a b]({home}/raw/v1.2.0/book/a.svg) [c]({home}/blob/v1.2.0/LICENSE) [d](https://elsewhere/x.md) [e](#here)"
    )
    assert address.at_release(whole, FORK, "1.3.0") == whole.replace("v1.2.0", "v1.3.0")
