"""The release that labs install on Colab: a wheel on the release page, named by version and hash in their second cell.

`make release VERSION=0.2.0` writes the version into `pyproject.toml` and `CITATION.cff`, builds the wheel, and stamps
version and hash into every lab. Commit, and push the tag `v0.2.0`: a workflow publishes the wheel. Badges and buttons
open the labs of the tag, not of `main`: so on Colab labs and package are of one state, and `main` may move on.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tools import address
from tools.address import Address
from tools.student import make_wheel

ROOT = Path(__file__).resolve().parents[1]

SET_UP = """\
import os
from importlib.metadata import distributions

# Colab has every dependency: install this project alone, as released with this lab.
# Elsewhere, see {book}/book/how_to_use.html
if "COLAB_RELEASE_TAG" in os.environ:
    version = "{version}"
    sha256 = "{sha256}"
    repository = "{repository}"
    release = f"{{repository}}/releases/download/v{{version}}"
    wheel = f"{{release}}/mgd_helpers-{{version}}-py3-none-any.whl#sha256={{sha256}}"
    %pip install --quiet --no-deps "{{wheel}}"
    if [found.version for found in distributions(name="mgd-helpers")] != [version]:
        raise RuntimeError(
            f"pip did not install mgd_helpers {{version}}: restart the session and run "
            f"this cell again, or report pip's message above at {{repository}}/issues."
        )

import mgd_helpers as mgd

lab = mgd.setup(chapter={chapter}, seed=0)"""

NEXT = """\
{wheel}
Every lab installs it now. Next: commit, tag v{version}, push the tag; a workflow puts the wheel on its release page."""


@dataclass(frozen=True)
class Release:
    """What labs install: a version, and the hash of its wheel."""

    version: str
    sha256: str

    def wheel(self, here: Address) -> str:
        """Where the wheel lies, with its hash, as pip takes it."""
        name = f"mgd_helpers-{self.version}-py3-none-any.whl"
        return f"{here.repository}/releases/download/v{self.version}/{name}#sha256={self.sha256}"


def read(root: Path = ROOT) -> Release:
    """The release that the labs at `root` install, from `[tool.release]` of `pyproject.toml`."""
    with (root / "pyproject.toml").open("rb") as file:
        return Release(**tomllib.load(file)["tool"]["release"])


def set_up_cell(here: Address, release: Release, chapter: int | str) -> str:
    """The second cell of a lab."""
    return SET_UP.format(
        book=here.book,
        repository=here.repository,
        version=release.version,
        sha256=release.sha256,
        chapter=chapter,
    )


def stamp(root: Path) -> list[Path]:
    """Write set-up cell, badge and links of every lab, and those of README and book; return the files changed."""
    here, release = address.read(root), read(root)
    readme = address.absolute(_text(root / "README.md"), here, "")
    written = {root / "README.md": address.at_release(readme, here, release.version)}
    for path in sorted((root / "notebooks").glob("[0-9]*.ipynb")):
        lab = json.loads(_text(path))
        for number, cell in enumerate(lab["cells"]):
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                source = address.absolute(source, here, "notebooks")
            elif number == 1:
                source = set_up_cell(here, release, int(path.name[:2]))
            cell["source"] = source.splitlines(keepends=True)
        written[path] = json.dumps(lab, indent=1, ensure_ascii=False) + "\n"
    badge = re.escape(here.colab("VERSION")).replace("vVERSION", r"[\w.-]+")
    for path, text in written.items():
        written[path] = re.sub(badge, here.colab(release.version), text)
    configuration = root / "_config.yml"
    written[configuration] = re.sub(
        r"^  branch: \S+", f"  branch: v{release.version}", _text(configuration), flags=re.MULTILINE
    )
    changed = [path for path, text in written.items() if text != _text(path)]
    for path in changed:
        path.write_text(written[path], encoding="utf-8")
    return changed


def build(root: Path, folder: Path) -> tuple[Path, str]:
    """Build the wheel of the state at `root` into a folder; returns its path and its hash.

    The same state gives the same bytes: files carry one date, and `pyproject.toml` names one version of the backend.

    Raises `RuntimeError` where pip cannot build, for want of a network as a rule.
    """
    wheel = make_wheel(root, folder)
    if wheel is None:
        raise RuntimeError("the wheel could not be built; pip's reason stands above.")
    return wheel, hashlib.sha256(wheel.read_bytes()).hexdigest()


def prepare(root: Path, version: str, folder: Path) -> Path:
    """Make the state at `root` ready to be tagged as a version: numbers, labs, and the wheel in a folder, returned."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ValueError(f"VERSION must be three numbers, such as 0.2.0; got {version!r}.")
    _replace(root / "pyproject.toml", r'^version = ".*"$', f'version = "{version}"')  # the package's and the labs'
    _replace(root / "CITATION.cff", r"^version: .*$", f"version: {version}")
    stamp(root)  # the README stands in the wheel, and names the version in its badges
    wheel, sha256 = build(root, folder)
    _replace(root / "pyproject.toml", r'^sha256 = ".*"$', f'sha256 = "{sha256}"')
    stamp(root)
    return wheel


def complaints(root: Path) -> list[str]:
    """What keeps the state at `root` from being released as it is: the release workflow asks this of a tag."""
    with (root / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    release = read(root)
    with tempfile.TemporaryDirectory() as folder:
        if version != release.version:
            found = f"the package is {version}, the labs install {release.version}"
        elif (sha256 := build(root, Path(folder))[1]) != release.sha256:
            found = f"the wheel of this state has the hash {sha256}, the labs name {release.sha256}"
        else:
            return []
    return [f"{found}: run `make release VERSION={version}` and commit."]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _replace(path: Path, pattern: str, line: str) -> None:
    """Replace the one line that matches."""
    text, found = re.subn(pattern, line, _text(path), flags=re.MULTILINE)
    if found < 1:
        raise ValueError(f"{path.name} must hold a line like {line!r}; it has none.")
    path.write_text(text, encoding="utf-8")
