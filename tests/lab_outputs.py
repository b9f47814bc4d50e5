"""What a lab prints when it runs with other settings than the book's, and what of it is wrong then."""

import re

from notebook_rules import CHECKED, tags


def streams(cell, name="stdout"):
    """What a cell prints on one of its two streams."""
    outputs = [output for output in cell.get("outputs", []) if output.output_type == "stream"]
    return "".join(output.text for output in outputs if output.name == name)


def names(text):
    """The names of claims and checks, without their values."""
    return [line.split(": ")[0] for line in text.splitlines()]


def verdicts(text):
    """The lines that end in True or False."""
    return [" ".join(line.split()) for line in text.splitlines() if re.search(r": +(True|False)$", line)]


def prose(notebook):
    """All that a reader reads beside code and output: text cells, captions, alternative texts."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in notebook.cells:
        mystnb = cell.metadata.get("mystnb", {})
        texts += [mystnb.get("figure", {}).get("caption", ""), mystnb.get("image", {}).get("alt", "")]
    return "\n".join(texts)


def told(text, about="seed 0"):
    """The decimal numbers of a text, other than those in a sentence about the settings of the book."""
    sentences = re.split(r"(?<=[.?!])\s", text)
    return {number for one in sentences if about not in one for number in re.findall(r"\d+\.\d+", one)}


def complaints(stored, run, *, about="seed 0", verdicts_hold=True):
    """What is wrong with a lab after a run with other settings, beside the lab as it is stored.

    A sentence `about` the book's own settings may tell numbers that only these give.
    """
    found = []
    for before, after in zip(stored.cells, run.cells, strict=True):
        old, new = streams(before), streams(after)
        if noise := streams(after, "stderr"):
            found.append(f"{after.id} warns: {noise}")
        fixed = "check" in tags(before) or "checks.progress()" in before.source
        if fixed and old and new != old:
            found.append(f"{after.id} said {old!r} and now says {new!r}")
        if tags(before) >= CHECKED:
            turned = set(verdicts(new)) - set(verdicts(old)) if verdicts_hold else set()
            found += [f"{after.id}: {line}" for line in turned]
            if names(new) != names(old):
                found.append(f"{after.id} has claims of other names: {names(old)}, {names(new)}")
    printed = [told("\n".join(map(streams, lab.cells))) for lab in (stored, run)]
    gone = printed[0] - printed[1]
    return found + [f"the prose tells {number}" for number in sorted(gone & told(prose(stored), about))]
