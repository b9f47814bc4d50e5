"""What a release consists of: wheel, the book to read without a network, its theory as PDF, student edition, slides.

Everything gets a line in SHA256SUMS. Archives hold no times, so that the same book gives the same bytes.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import tomllib
import zipfile
from pathlib import Path

from tools import address, pdf, slides, student


def version(root: Path) -> str:
    """The version of the package, which is that of the book, too."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def notes(root: Path) -> str:
    """What CHANGELOG.md says of this version; raises ValueError where it says nothing."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"^## \[{re.escape(version(root))}\][^\n]*\n(.*?)(?=^## |^\[[^\]]+\]: |\Z)", text, re.M | re.S)
    if not found or not found[1].strip():
        raise ValueError(f"CHANGELOG.md must have a section ## [{version(root)}] that says what is new.")
    return found[1].strip() + "\n"


def pack(folder: Path, file: Path) -> Path:
    """Write what lies in `folder` into a zip archive, in a folder named like the archive."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = f"{file.stem}/{path.relative_to(folder).as_posix()}"
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return file


def checksums(files: list[Path]) -> str:
    """A line for each file, as `sha256sum --check` reads it."""
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def write(root: Path, html: Path, out: Path) -> list[Path]:
    """Make all files of a release from the book built at `html`, into an empty folder `out`; return them in order.

    The notes of the release go beside the folder, into `release_notes.md`, for they are no part of what is attached.
    """
    if not (html / "index.html").exists():
        raise ValueError(f"The book must have been built at {html}: make book.")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out.parent / "release_notes.md").write_text(notes(root), encoding="utf-8")
    name = f"{address.read(root).name}-{version(root)}"
    wheel = student.make_wheel(root, out)
    if wheel is None:
        raise RuntimeError("A release needs a wheel of the package.")
    with tempfile.TemporaryDirectory() as folder:
        labs, decks = Path(folder) / "labs", Path(folder) / "slides"
        student.write(root, labs, wheel=False)
        slides.write(root, decks)
        files = [
            wheel,
            pack(html, out / f"{name}-book.zip"),
            pdf.write(root, html, out / f"{name}-theory.pdf"),
            pack(labs, out / f"{name}-student.zip"),
            pack(decks, out / f"{name}-slides.zip"),
        ]
    sums = out / "SHA256SUMS"
    sums.write_text(checksums(files), encoding="utf-8")
    return [*files, sums]
