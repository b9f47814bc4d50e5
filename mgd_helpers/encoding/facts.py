"""What a pipeline says of itself: `mgd.json` beside its `model_index.json`, written when it was trained.

Size, channels, padding and guidance scale belong to a pipeline, not to the data that it is used with.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from mgd_helpers.data.catalog import PIPELINE_REVISIONS
from mgd_helpers.data.files import write

FACTS = "mgd.json"


def write_facts(folder: str | Path, **facts: Any) -> None:
    """Write what is known of the pipeline in a folder; what is `None` is left out, and other facts there stay.

    `image_size` (pixels a side), `channels`, `padding` (of these pixels, the width of a black border around each image
    that is resized), `guidance_scale`, `steps`, `trained_on` (a line) and `reconstruction_error` (mean square on
    held-out images in [-1, 1]) have these names.
    """
    known = read_facts(folder) | {name: fact for name, fact in facts.items() if fact is not None}
    write(Path(folder) / FACTS, lambda part: part.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8"))


def read_facts(folder: str | Path) -> dict[str, Any]:
    """What a pipeline's folder says of it; empty where it says nothing.

    Raises `ValueError` where the file is broken.
    """
    file = Path(folder) / FACTS
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{str(file)!r} must hold the facts of a pipeline as JSON; it cannot be read: {error}. Delete or mend it."
        ) from error
    if not isinstance(facts, dict):
        raise ValueError(f"{str(file)!r} must hold facts by name; got {type(facts).__name__}. Delete or mend it.")
    return facts


def facts_of(pipe: Any) -> dict[str, Any]:
    """What is known of a pipeline that was loaded from a folder or from the hub; empty for any other."""
    place = str(getattr(pipe, "name_or_path", None) or "")
    if not place or Path(place).is_dir():
        return read_facts(place) if place else {}
    from huggingface_hub import try_to_load_from_cache

    file = None
    with contextlib.suppress(ValueError):  # no name of the hub
        file = try_to_load_from_cache(place, FACTS, revision=PIPELINE_REVISIONS.get(place))
    return read_facts(Path(file).parent) if isinstance(file, str) else {}


def fetch_facts(name: str) -> None:
    """Download the facts of a pipeline on the hub to where `facts_of` finds them, where it has any."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    with contextlib.suppress(OSError, EntryNotFoundError):  # the hub has none, or is out of reach
        hf_hub_download(name, FACTS, revision=PIPELINE_REVISIONS.get(name))
