"""tools.address: where the repository lies, and where the book is published."""

import pytest
from notebook_rules import REPOSITORY, ROOT

from tools import address


@pytest.fixture
def configured(tmp_path):
    """A function: the root of a book whose `_config.yml` names an address."""

    def write(url):
        (tmp_path / "_config.yml").write_text(f"title: x\nrepository:\n  url: {url}\n  branch: main\n")
        return tmp_path

    return write


def test_this_book_is_published_where_its_repository_says():
    assert address.repository(ROOT) == REPOSITORY
    owner, name = REPOSITORY.split("/")[-2:]
    assert address.site(ROOT) == f"https://{owner}.github.io/{name}"


@pytest.mark.parametrize("url", ["https://github.com/Some-One/a.book", "https://github.com/Some-One/a.book.git/"])
def test_slashes_and_suffixes_are_no_part_of_the_address(configured, url):
    root = configured(url)
    assert address.repository(root) == "https://github.com/Some-One/a.book"
    assert address.site(root) == "https://some-one.github.io/a.book", "a host has no capitals, a folder may"


def test_an_owners_own_site_has_no_folder(configured):
    assert address.site(configured("https://github.com/Someone/someone.github.io")) == "https://someone.github.io"


@pytest.mark.parametrize("url", ["https://gitlab.com/a/b", "https://github.com/a", "http://github.com/a/b", "null"])
def test_an_address_elsewhere_is_refused(configured, url):
    with pytest.raises(ValueError, match=r"_config\.yml must read https://github\.com/OWNER/NAME; got"):
        address.repository(configured(url))
