"""When each lab and each page that computes last ran, on what, and by which run: written under the built page.

The execution cache knows the time. What it does not know, versions, machine and run, is kept beside it right after the
build that ran the page, and so belongs to it also when a later build takes the page from the cache.
"""

from __future__ import annotations

import html as markup
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from jupyter_cache import get_cache

from mgd_helpers.provenance import hardware, package_versions

KEPT = "ran.json"  # in the cache's folder: number of a record -> what it ran on


def this_run(root: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What runs now: `versions`, `machine`, `commit` (empty outside git), and on GitHub the `url` of the run."""
    machine = hardware("cpu")
    git = ["git", "-C", str(root)]
    asked = [[*git, "rev-parse", "--short=10", "HEAD"], [*git, "status", "--porcelain", "--untracked-files=no"]]
    commit, changed = (subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() for ask in asked)
    run = {
        "versions": ", ".join(f"{name} {number}" for name, number in package_versions().items()),
        "machine": f"{machine['processor']}, {machine['cores']} cores",
        "commit": f"{commit} with changes" if commit and changed else commit,
    }
    if environment.get("GITHUB_ACTIONS") == "true":
        named = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
        server, repository, number = (environment[name] for name in named)
        run["url"] = f"{server}/{repository}/actions/runs/{number}"
    return run


def remember(root: Path, cache: Path) -> dict[str, dict[str, str]]:
    """Keep that what the cache got since the last call is of this run; returns all that is kept, by record."""
    kept = json.loads((cache / KEPT).read_text(encoding="utf-8")) if (cache / KEPT).exists() else {}
    new = {str(record.pk) for record in get_cache(str(cache)).list_cache_records()} - set(kept)
    if new:
        kept |= dict.fromkeys(sorted(new, key=int), this_run(root))
        (cache / KEPT).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return kept


def sentence(created: str, seconds: float | None, run: Mapping[str, str]) -> str:
    """What stands under a page, as HTML; `created` is the time in UTC."""
    said = {name: markup.escape(text) for name, text in run.items()}
    number = said.get("url", "").rpartition("/")[2]
    by = f'by <a href="{said["url"]}">run {number}</a> of the workflow' if number else "by <code>make book</code>"
    commit = f", at commit {said['commit']}" if said["commit"] else ""
    took = "" if seconds is None else f", in {seconds:.0f} seconds"
    return f"Last run on {created} UTC{took}, {by}{commit}, on {said['machine']}, with {said['versions']}."


def stamp(html: Path, cache: Path) -> list[Path]:
    """Write under every page that ran when and on what it did; returns these pages."""
    kept = json.loads((cache / KEPT).read_text(encoding="utf-8"))
    # A page that changed and changed back has several records; the build touched the one it took
    records = sorted(get_cache(str(cache)).list_cache_records(), key=lambda record: record.accessed)
    latest = {Path(record.uri).with_suffix(".html").as_posix(): record for record in records}
    stamped = []
    for page in sorted(html.rglob("*.html")):
        place = f"/{page.relative_to(html).as_posix()}"
        record = next((record for address, record in latest.items() if address.endswith(place)), None)
        text = page.read_text(encoding="utf-8")
        if record is None or "</article>" not in text:
            continue
        created = f"{record.created.day} {record.created:%B %Y, %H:%M}"
        said = sentence(created, record.data.get("execution_seconds"), kept[str(record.pk)])
        line = f'<p class="last-verified"><small>{said}</small></p>\n'
        page.write_text(text.replace("</article>", f"{line}</article>", 1), encoding="utf-8")
        stamped.append(page)
    return stamped
