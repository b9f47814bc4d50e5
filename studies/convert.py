"""Rewrite results files of the first form, whose cells were keyed by text: each cell gets its settings.

python -m studies.convert
"""

from __future__ import annotations

import json

from mgd_helpers.data.files import write
from studies import cells


def number(text: str) -> int | float | str:
    try:
        return json.loads(text)
    except ValueError:
        return text


def settings_of(table: str, key: str) -> dict:
    """The settings that a key says, in the order of the key."""
    parts = key.split("/")
    match table, parts:
        case "tune", [row, options, seed]:
            bound = dict(option.split() for option in options.split(", ")) if options != "-" else {}
            return {"row": row, **{name: number(value) for name, value in bound.items()}, "seed": int(seed)}
        case "main", ["full real", network, seed]:
            return {"row": "full real", "network": network, "seed": int(seed)}
        case "main", [images, network, row, seed]:
            return {"images_per_class": int(images), "network": network, "row": row, "seed": int(seed)}
        case "measures", [images, "audit", row, seed]:
            return {"images_per_class": int(images), "kind": "audit", "row": row, "seed": int(seed)}
        case "measures", [images, row, seed]:
            return {"images_per_class": int(images), "kind": "distances", "row": row, "seed": int(seed)}
        case "ablations", [factor, row, seed]:
            return {"factor": factor, "row": row, "seed": int(seed)}
        case "robust", [row, seed]:
            return {"row": row, "seed": int(seed)}
        case "cost", [row]:
            return {"row": row, "seed": 0}
        case "vae", [steps, "error"]:
            return {"vae_steps": int(steps), "row": "autoencoder", "seed": 0}
        case "vae", [steps, row, seed]:
            return {"vae_steps": int(steps), "row": row, "seed": int(seed)}
    raise ValueError(f"key {key!r} of table {table!r} is none that was ever written.")


def result_of(value: dict | list | float) -> dict:
    """What was found, by name: lists were accuracies of students, single numbers that of one of all real images."""
    if isinstance(value, dict):
        return value
    return {"students": value} if isinstance(value, list) else {"accuracy": value}


def main() -> None:
    for file in sorted(cells.RESULTS.glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content["cells"], dict):
            content["cells"] = [
                {"settings": settings_of(content["table"], key), "result": result_of(value)}
                for key, value in content["cells"].items()
            ]
            write(file, lambda path, content=content: path.write_text(cells.text_of(content), encoding="utf-8"))
            print(f"{file.name}: {len(content['cells'])} cells")


if __name__ == "__main__":
    main()
