"""Build the book: `python tools/build_book.py [root]`. Labs that ran before are taken from the execution cache.

jupyter-book keys that cache on a notebook's code alone, so a broken helper would pass unseen. Here the cache belongs to
one state of everything a lab runs on, the package, the lock file and Python, and is dropped when that state changes.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

KERNEL_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "passive",  # threads that wait must not spin: see the Makefile
    "MGD_QUIET": "1",  # a progress bar writes to stderr, which fails the build
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # a shell's MPLBACKEND=Agg would drop every figure
    "JUPYTER_PREFER_ENV_PATH": "1",  # "python3" is this environment's kernel, also beside one in the user's home
}


def fingerprint(root: Path) -> str:
    """A hash of what labs run on: every file of mgd_helpers (weights too), requirements.lock, the version of Python."""
    digest = hashlib.sha256(sys.version.encode())
    files = [path for path in (root / "mgd_helpers").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in [root / "requirements.lock", *sorted(files)]:
        digest.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def poor_alt_texts(html: Path) -> list[str]:
    """Figures of the built pages without an alt text of 40 to 250 characters (lacking one, Sphinx puts the path)."""
    figures = (
        (page, tag)
        for page in sorted(html.glob("*/*.html"))
        for tag in re.findall(r"<img\b[^>]*>", page.read_text(encoding="utf-8"))
        if "_images/" in tag
    )
    alts = ((page, tag, re.search(r'\balt="([^"]*)"', tag)) for page, tag in figures)
    return [f"{page.name}: {tag}" for page, tag, alt in alts if not alt or not 40 <= len(alt[1]) <= 250]


def main(root: Path) -> int:
    build = root / "_build"
    html, cache = build / "html", build / ".jupyter_cache"
    key, state = cache / "mgd_helpers.sha256", fingerprint(root)
    if not key.exists() or key.read_text() != state:
        print("The helpers or the lock file changed: every lab runs afresh.", flush=True)
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        # Before the build, not after: labs that fail are never cached, and those that pass belong to this state
        key.write_text(state)
    for stale in (html, build / ".doctrees"):  # pages read before would not repeat their warnings
        shutil.rmtree(stale, ignore_errors=True)

    python_path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    jupyter_book = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    status = subprocess.run(
        [*jupyter_book, "build", str(root), "--all", "-W", "-n", "--keep-going"],
        env=os.environ | KERNEL_ENVIRONMENT | {"PYTHONPATH": python_path},
        check=False,
    ).returncode

    if fingerprint(root) != state:
        shutil.rmtree(cache)
        print("The helpers changed while the labs ran: build again.")
        return 1
    poor = [f"An alt text of 40 to 250 characters is wanted: {line}" for line in poor_alt_texts(html)]
    print("\n".join([*poor, "The book was not built." if status or poor else f"\nThe book: {html / 'index.html'}"]))
    return status or int(bool(poor))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()))
