"""The repository's address, and the book's on GitHub Pages, which follows from it. `_config.yml` has the only one."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def repository(root: Path = ROOT) -> str:
    """The address that `_config.yml` names, without a slash or `.git` at its end; raises ValueError for other hosts."""
    url = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    plain = str(url).rstrip("/").removesuffix(".git")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", plain):
        raise ValueError(f"repository: url in _config.yml must read https://github.com/OWNER/NAME; got {url!r}.")
    return plain


def site(root: Path = ROOT) -> str:
    """The book's address on GitHub Pages, without a slash at its end: `https://OWNER.github.io/NAME`.

    A repository called `OWNER.github.io` is the owner's own site, and has no folder.
    """
    owner, name = repository(root).removeprefix("https://github.com/").split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}" if name.lower() == host else f"https://{host}/{name}"
