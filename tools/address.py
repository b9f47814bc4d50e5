"""The repository's address, and the book's on GitHub Pages, which follows from it. `_config.yml` has the only one.

All others are written from there. A fork gets its own by `make address URL=https://github.com/OWNER/NAME`. Labs and
README name pages of the published book in full: on Colab and on a package's page a relative link is dead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = {"_build", "build", "out", "distilled", "node_modules", "__pycache__"}  # made, not written
KEPT = {".github", ".ci"}  # of the hidden folders those that are part of the project


@dataclass(frozen=True)
class Address:
    """Where a project lies: its repository, https://github.com/OWNER/NAME, and what follows from that."""

    repository: str

    @classmethod
    def of(cls, url: object) -> Address:
        """From an address as one copies it, with a slash or `.git` at its end; raises ValueError for other hosts."""
        plain = str(url).rstrip("/").removesuffix(".git")
        if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", plain):
            raise ValueError(f"URL must read https://github.com/OWNER/NAME; got {url!r}.")
        return cls(plain)

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.repository.split("/")[3]

    @property
    def name(self) -> str:
        """What the repository is called."""
        return self.repository.split("/")[4]

    @property
    def book(self) -> str:
        """The book on GitHub Pages, without a slash at the end: `https://OWNER.github.io/NAME`.

        A repository called `OWNER.github.io` is the owner's own site, and has no folder.
        """
        host = f"{self.owner.lower()}.github.io"
        return f"https://{host}" if self.name.lower() == host else f"https://{host}/{self.name}"

    def colab(self, version: str) -> str:
        """The folder of the labs of a release, as Colab opens it, without a slash at the end."""
        return f"https://colab.research.google.com/github/{self.owner}/{self.name}/blob/v{version}/notebooks"

    def file(self, version: str, path: str, kind: str = "blob") -> str:
        """A file of the repository as of a release: its page (`blob`), or the file itself (`raw`)."""
        return f"{self.repository}/{kind}/v{version}/{path}"

    def page(self, entry: str) -> str:
        """The published page of a file of the book, named without suffix, such as book/05_tangent."""
        return f"{self.book}/{entry}.html"


def read(root: Path = ROOT) -> Address:
    """The address of the project at `root`; raises ValueError where `_config.yml` names another host."""
    url = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    try:
        return Address.of(url)
    except ValueError as error:
        raise ValueError(str(error).replace("URL", "repository: url in _config.yml")) from None


def repository(root: Path = ROOT) -> str:
    """The repository of the project at `root`, without a slash or `.git` at its end."""
    return read(root).repository


def site(root: Path = ROOT) -> str:
    """The book's address on GitHub Pages, without a slash at its end."""
    return read(root).book


def texts(root: Path) -> Iterator[tuple[Path, str]]:
    """Every file of text that is part of the project, with what it holds."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if name in KEPT or not (name in SKIPPED or name.startswith(".")))
        for name in sorted(names):
            path = Path(folder, name)
            try:
                yield path, path.read_bytes().decode()
            except UnicodeDecodeError:
                continue  # weights, pictures


def strays(root: Path, address: Address) -> list[str]:
    """Mentions of an address that `rewrite` did not find: in other capitals, or the name under another owner.

    What spells the address of the project at `root` rightly is no stray.
    """
    here = read(root)
    right = re.compile(f"{re.escape(here.book)}|{re.escape(f'{here.owner}/{here.name}')}(?![\\w-])")
    owner, name = re.escape(address.owner), re.escape(address.name)
    wrong = re.compile(rf"[\w.-]+/{name}(?![\w-])|\b{owner}(?:/{name}|\.github\.io)[\w-]*", re.IGNORECASE)
    return [
        f"{path.relative_to(root).as_posix()}: {found}"
        for path, text in texts(root)
        for found in wrong.findall(right.sub("", text))
    ]


def rewrite(root: Path, new: Address) -> list[Path]:
    """Put a new address in the place of the old one, in every file, and return the files changed."""
    old = read(root)
    changed = []
    for path, text in texts(root):
        # Names of hosts know no capitals, those of repositories do
        text_now = text.replace(f"{old.owner}/{old.name}", f"{new.owner}/{new.name}").replace(old.book, new.book)
        if text_now != text:
            path.write_bytes(text_now.encode())
            changed.append(path)
    return changed


def absolute(text: str, address: Address, folder: str) -> str:
    """Markdown whose relative links to pages and labs lead to the published book; `folder` is where the text lies."""

    def published(link: re.Match) -> str:
        entry = os.path.normpath(os.path.join(folder, link[1]))
        inside = entry.split("/")[0] in ("book", "notebooks")
        return f"]({address.page(entry)}{link[2] or ''})" if inside else link[0]

    return re.sub(r"\]\((?!\w+:)([\w./-]+)\.(?:md|ipynb)(#[\w-]+)?\)", published, text)


def at_release(text: str, address: Address, version: str) -> str:
    """Markdown at the root whose links to files of the repository lead to those of a release, for a package's page."""

    def whole(link: re.Match) -> str:
        return f"{link[1]}({address.file(version, link[2], 'raw' if link[1][0] == '!' else 'blob')})"

    text = re.sub(r"(!?\[[^\]]*\])\((?!\w+:|#)([\w./-]+)\)", whole, text)
    return re.sub(rf"({re.escape(address.repository)}/(?:blob|raw))/v[\w.-]+/", rf"\1/v{version}/", text)


def relative(text: str, address: Address, folder: str, suffixes: dict[str, str]) -> tuple[str, list[str]]:
    """The way back: links to the published book become links to files. Returns the text, and pages that do not exist.

    `suffixes` says of each page, named without suffix, which its file has.
    """
    unknown = []

    def local(link: re.Match) -> str:
        if link[1] not in suffixes:
            unknown.append(link[1])
            return link[0]
        return f"]({os.path.relpath(link[1], folder)}{suffixes[link[1]]}{link[2] or ''})"

    return re.sub(rf"\]\({re.escape(address.book)}/([\w./-]+)\.html(#[\w-]+)?\)", local, text), unknown
