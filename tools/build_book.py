"""Build the book. Labs and pages that ran before are taken from the execution cache.

jupyter-book keys that cache on a notebook's code alone, so a broken helper would pass unseen. Here the cache belongs to
one state of everything they run on, and is dropped when that state changes. While they run, the root of the repository
stands in PYTHONPATH, so that pages can `from studies import report`.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools import site, verified

PYTHON = [sys.executable]  # tests have a quicker way
KERNEL_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "passive",  # threads that wait must not spin: see the Makefile
    "MGD_QUIET": "1",  # a progress bar writes to stderr, which fails the build
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # a shell's MPLBACKEND=Agg would drop every figure
    "JUPYTER_PREFER_ENV_PATH": "1",  # "python3" is this environment's kernel, also beside one in the user's home
}

# Figures have twice the pixels that they take on the page, for fine screens and for paper
KERNEL_CONFIGURATION = 'c.InlineBackend.figure_formats = {"retina"}\n'

# What labs and pages run on, beside Python: the package with its weights, and code and results that pages read
RUNS_ON = ("requirements.lock", "mgd_helpers", "studies", "benchmarks")


# Pages that were called something else before: the old address leads to the new one
MOVED = {
    "book/01_encoding": "book/03_encoding",
    "book/02_clustering": "book/04_clustering",
    "book/03_tangent": "book/05_tangent",
    "book/04_guidance": "book/06_guidance",
    "book/05_evaluation": "book/09_evaluation",
    "book/06_sets": "book/07_sets",
    "notebooks/01_encode": "notebooks/03_encode",
    "notebooks/02_cluster": "notebooks/04_cluster",
    "notebooks/03_tangent": "notebooks/05_tangent",
    "notebooks/04_guide": "notebooks/06_guide",
    "notebooks/05_evaluate": "notebooks/09_evaluate",
    "notebooks/06_sets": "notebooks/07_sets",
}
# A line of JavaScript takes the part behind # along
REDIRECT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>This page has moved</title>
<link rel="canonical" href="{new}">
<script>location.replace("{new}" + location.hash)</script>
<meta http-equiv="refresh" content="0; url={new}">
<p>This page has moved: <a href="{new}">go to its new address</a>.</p>
</html>
"""


def fingerprint(root: Path) -> str:
    """Hash what labs and pages run on: every file of `RUNS_ON`, Python's version, and how figures are made."""
    digest = hashlib.sha256((sys.version + KERNEL_CONFIGURATION).encode())
    found = (path for name in RUNS_ON for path in (root / name, *(root / name).rglob("*")))
    files = [path for path in found if path.is_file() and "__pycache__" not in path.parts]
    for path in sorted(files):
        digest.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def poor_alt_texts(html: Path) -> list[str]:
    """List figures of the built pages without an alt text of 40 to 250 characters; Sphinx puts the path there."""
    figures = (
        (page, tag)
        for page in sorted(html.rglob("*.html"))
        for tag in re.findall(r"<img\b[^>]*>", page.read_text(encoding="utf-8"))
        if "_images/" in tag
    )
    alts = ((page, tag, re.search(r'\balt="([^"]*)"', tag)) for page, tag in figures)
    return [f"{page.name}: {tag}" for page, tag, alt in alts if not alt or not 40 <= len(alt[1]) <= 250]


def redirect(html: Path) -> list[str]:
    """Write a page at every old address whose new one was built; returns the old addresses."""
    here = [old for old, new in MOVED.items() if (html / f"{new}.html").exists()]
    for old in here:
        new = f"{Path(MOVED[old]).name}.html"  # beside it, in the same folder
        (html / f"{old}.html").write_text(REDIRECT.format(new=new), encoding="utf-8")
    return here


def build(root: Path) -> int:
    """Build the book at `root` and say where it lies; returns 0 where all of it ran and every figure has a text."""
    built = root / "_build"
    html, cache = built / "html", built / ".jupyter_cache"
    key, state = cache / "runs_on.sha256", fingerprint(root)
    if not key.exists() or key.read_text() != state:
        print("What labs and pages run on has changed: all run afresh.", flush=True)
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        # Before the build, not after: labs that fail are never cached, and those that pass belong to this state
        key.write_text(state)
    for stale in (html, built / ".doctrees"):  # pages read before would not repeat their warnings
        shutil.rmtree(stale, ignore_errors=True)

    profile = built / "ipython" / "profile_default"  # and so no habit of the user's own IPython
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL_CONFIGURATION)
    python_path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    jupyter_book = [*PYTHON, "-c", "from jupyter_book.cli.main import main; main()"]
    status = subprocess.run(
        [*jupyter_book, "build", str(root), "--all", "-W", "-n", "--keep-going"],
        env=os.environ | KERNEL_ENVIRONMENT | {"PYTHONPATH": python_path, "IPYTHONDIR": str(profile.parent)},
        check=False,
    ).returncode
    verified.remember(root, cache)

    if fingerprint(root) != state:
        shutil.rmtree(cache)
        print("What labs and pages run on changed meanwhile: build again.")
        return 1
    redirect(html)
    if not status:
        verified.stamp(html, cache)
        site.finish(root, html)
    poor = [f"An alt text of 40 to 250 characters is wanted: {line}" for line in poor_alt_texts(html)]
    print("\n".join([*poor, "The book was not built." if status or poor else f"\nThe book: {html / 'index.html'}"]))
    return status or int(bool(poor))
