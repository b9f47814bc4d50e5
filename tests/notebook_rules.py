"""The contract of a lab: a rule is a function from a lab to its complaints, and its docstring says what it asks.

`test_notebooks.py` holds the real labs to the rules. `test_notebook_rules.py` shows that every rule can complain, and
has a lab without fault, `good_lab`, to learn from.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from mgd_helpers.lab import plots
from tools import address, clocks, release

ROOT = Path(__file__).parents[1]
ADDRESS, RELEASE = address.read(ROOT), release.read(ROOT)
REPOSITORY, COLAB = ADDRESS.repository, ADDRESS.colab(RELEASE.version)
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
PARAMETERS = 'PROFILE = "digits"  # or "fashion_mnist", "cifar10"; "imagenette" needs a GPU'
PARAMETERS_OF = {  # labs whose other profiles are others, or need no GPU
    "12_photographs": 'PROFILE = "digits"  # or "photographs": your own, which need a GPU',
    "13_train": 'PROFILE = "digits"  # or "fashion_mnist", "cifar10", "imagenette": 32 x 32 pixels',
}
TASK = ("task", "solution", "check")  # the cells of a task, in this order
CHECKED = {"nbval-check-output", "keep_output"}  # compared by nbval, kept by nbstripout

SET_UP = release.set_up_cell(ADDRESS, RELEASE, "CHAPTER")


@dataclass(frozen=True)
class Lab:
    path: Path
    notebook: nbformat.NotebookNode

    @classmethod
    def read(cls, path):
        return cls(path, nbformat.read(path, as_version=nbformat.NO_CONVERT))

    @property
    def cells(self):
        return self.notebook.cells

    @property
    def code(self):
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @property
    def prose(self):
        return [cell for cell in self.cells if cell.cell_type == "markdown"]

    def tagged(self, *names):
        return [cell for cell in self.cells if tags(cell) & set(names)]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def named(cell):
    """A cell as a complaint calls it."""
    return f"cell {cell.get('id')} ({cell.source.strip().splitlines()[0][:50] if cell.source.strip() else 'empty'})"


def printed(cell):
    """The text among a cell's outputs."""
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)


def lacking(text, wanted):
    """Which of the named patterns do not occur."""
    return [f"lacks {name}" for name, pattern in wanted.items() if not re.search(pattern, text, re.MULTILINE)]


def theory_of(lab):
    """The page of the table of contents under which the lab stands; of a lab that is a chapter, the pages under it."""
    pages = clocks.theory_of(lab.path, ROOT)
    return [page.relative_to(ROOT).with_suffix("").as_posix() for page in pages] or ["nowhere in _toc.yml"]


def without_code(markdown):
    return re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)


def first_cell(lab):
    """Title, promise, objectives, prerequisites, minutes, GPU, Colab badge of this very file, link to the theory."""
    text = lab.cells[0].source if lab.cells[0].cell_type == "markdown" else ""
    complaints = lacking(
        text,
        {
            "a title, '# …', as first line": r"\A# \S",
            "'**Objectives**'": r"^\*\*Objectives\b",
            "two objectives as a list, '- …'": r"^- .+(\n  .+)*\n+- ",
            "'**Prerequisites**'": r"^\*\*Prerequisites\b",
            "time on a CPU, '2 minutes on a CPU'": r"\d (min|minutes?|s|seconds?) on a CPU\b",
            "time on a T4, '1 minute on a T4'": r"\d (min|minutes?|s|seconds?) on a T4\b",
            "whether a GPU is needed, '**GPU:** not needed'": r"\*\*GPU:?\*\*:? .*\b(needed|optional|required)\b",
            "the Colab badge of this file": re.escape(f"{BADGE}({COLAB}/{lab.path.name})"),
        }
        | {
            f"a link to {ADDRESS.page(page)}": rf"\]\({re.escape(ADDRESS.page(page))}(#[\w-]+)?\)"
            for page in theory_of(lab)
        },
    )
    promise = [*text.split("\n\n"), ""][1].strip()
    if not promise.endswith(".") or re.search(r"[.!?]\s", promise):
        complaints.append("the paragraph under the title is not one sentence")
    if sum(len(re.findall(r"^# ", without_code(cell.source), re.MULTILINE)) for cell in lab.prose) > 1:
        complaints.append("more than one '# ' title; sections are '## '")
    return complaints


def whole_links(lab):
    """Links name pages of the published book in full: on Colab a relative one leads nowhere."""
    return [
        f"{named(cell)}: {link}; `python -m tools stamp` writes the whole address"
        for cell in lab.prose
        for link in re.findall(r"\]\((?!https:|#)[^)]*\)|<a href=\"(?!https:|#)[^\"]*\"", cell.source)
    ]


def set_up_cell(lab):
    """The second cell is the same everywhere but for the chapter, the file's number: `python -m tools stamp`."""
    wanted = SET_UP.replace("CHAPTER", str(int(lab.path.name[:2])))
    return [] if lab.cells[1].cell_type == "code" and lab.cells[1].source == wanted else [f"is not:\n{wanted}"]


def one_parameter(lab):
    """Right after the set-up comes the one cell tagged `parameters`: PROFILE = "digits", and which others there are.

    A lab that loads no data has nothing to choose, and no such cell. `PARAMETERS_OF` has the exceptions.
    """
    cells = lab.tagged("parameters")
    if not any(re.search(r"\bmgd\.load_data\(|\blab\.load\(", cell.source) for cell in lab.code):
        return ["a lab that loads nothing has no use for a cell tagged 'parameters'"] if cells else []
    if len(cells) != 1 or cells[0] is not lab.code[1]:
        return ["the second code cell, and no other, must be tagged 'parameters'"]
    wanted = PARAMETERS_OF.get(lab.path.stem, PARAMETERS)
    return [] if cells[0].source == wanted else [f"holds {cells[0].source!r} instead of {wanted!r}"]


def loaded_once(lab):
    """`lab.load` puts a pipeline where the lab runs, and loads data once: what takes a name would load it anew.

    A pipeline of no profile, MODEL, is loaded by its address, with the lab's device and dtype.
    """
    other = r"\bmgd\.load_pipeline\((?!MODEL, device=lab\.device, dtype=lab\.dtype\))"
    loads = rf"^[^#\n]*({other}|\bdistill\(PROFILE\b|\bagainst=PROFILE\b)"
    return [
        f"{named(cell)}: {match[1]}… loads what `lab.load` has loaded"
        for cell in lab.code
        if (match := re.search(loads, cell.source, re.MULTILINE))
    ]


def checked_cells(lab):
    """At least three cells are compared with what they printed when the lab was written."""
    cells = lab.tagged(*CHECKED)
    complaints = [f"{len(cells)} checked cells, at least 3 wanted"] if len(cells) < 3 else []
    for cell in cells:
        if not tags(cell) >= CHECKED:
            complaints.append(f"{named(cell)}: needs both tags, {sorted(CHECKED)}")
        if cell.cell_type != "code" or not printed(cell).strip():
            complaints.append(f"{named(cell)}: stores no printed output, so compares nothing")
            continue
        if not re.search(r"\b(print_claims|checks\.\w+(\.\w+)?)\(", cell.source):
            complaints.append(f"{named(cell)}: prints by hand, not with `print_claims` or a check of `mgd_helpers.lab`")
        if not cell.execution_count:
            complaints.append(
                f"{named(cell)}: stores no execution count; `make format` keeps it where nbstripout alone does not"
            )
        for output in cell.outputs:
            if output.get("name") != "stdout":
                complaints.append(
                    f"{named(cell)}: stores {output.output_type}; `print` what is to be compared, and nothing else"
                )
        complaints += [f"{named(cell)}: prints {what}" for what in fragile(printed(cell))]
    return complaints


def fragile(text):
    """What differs between machines: decimals beyond three significant digits, devices and times."""
    decimals = re.findall(r"(?<![\w.])\d+\.\d+(?![\w.]*\.\d)", text)
    found = [f"more than 3 significant digits: {n}" for n in decimals if len(n.replace(".", "").lstrip("0")) > 3]
    found += [f"a device: {m}" for m in re.findall(r"\b(?:cuda|cpu|gpu)\b", text, re.IGNORECASE)]
    return found + [f"a time: {m}" for m in re.findall(r"\b\d[\d.]* ?(?:ms|s|sec|seconds?|minutes?)\b", text)]


def outputs_elsewhere(lab):
    """Only checked cells keep their output."""
    return [
        f"{named(cell)}: holds output; `make format` strips it"
        for cell in lab.code
        if cell.outputs and not tags(cell) & CHECKED
    ]


def nothing_skipped(lab):
    """No cell is hidden from the checks, and none raises."""
    complaints = [
        f"{named(cell)}: tag {tag}"
        for cell in lab.code
        for tag in tags(cell)
        & {"nbval-skip", "nbval-ignore-output", "skip-execution", "raises-exception", "remove-cell"}
    ]
    complaints += [f"{named(cell)}: {m[0]}" for cell in lab.code if (m := re.search(r"NBVAL_\w+", cell.source))]
    errors = [cell for cell in lab.code for output in cell.outputs if output.output_type == "error"]
    return complaints + [f"{named(cell)}: stores an error" for cell in errors]


def figures(lab):
    """A cell that draws says what is to be seen: `mystnb.image.alt` of 40-250 characters, `mystnb.figure.caption`."""
    complaints = []
    for cell in filter(has_figure, lab.code):
        mystnb = cell.metadata.get("mystnb", {})
        alt, caption = mystnb.get("image", {}).get("alt", ""), mystnb.get("figure", {}).get("caption", "")
        if not 40 <= len(alt) <= 250:
            complaints.append(f"{named(cell)}: metadata mystnb.image.alt has {len(alt)} characters, 40 to 250 wanted")
        if len(caption) < 10:
            complaints.append(f"{named(cell)}: metadata mystnb.figure.caption is missing")
    return complaints


def has_figure(cell):
    """Whether a cell makes a figure: it calls pyplot, seaborn or a function of `plots`, or is tagged `figure`."""
    ours = "|".join(name for name in plots.__all__ if name.startswith(("show_", "draw_")))
    return "figure" in tags(cell) or re.search(rf"\bplt\.\w+\(|\bsns\.\w+plot\(|\b({ours})\(", cell.source)


def plain_markdown(lab):
    """CommonMark, $math$ and <details>: Colab and JupyterLab show MyST raw."""
    myst = {
        "a directive": r"^\s*(```|~~~|:::)+\s*\{",
        "a colon fence": r"^:::",
        "a role": r"\{[a-z][\w:-]*\}`",
        "a label": r"^\([\w:-]+\)=\s*$",
        "a comment": r"^%",
        "a labelled equation": r"\$\$\s*\([\w:-]+\)",
        "<img> without alt text": r"<img(?![^>]*\balt=[\"'][^\"']{10})[^>]*>",
        "an image without alt text": r"!\[\s*\]\(",
    }
    return [
        f"{named(cell)}: {name}: {match[0].strip()}"
        for cell in lab.prose
        for name, pattern in myst.items()
        if (match := re.search(pattern, cell.source, re.MULTILINE))
    ]


def small_and_valid(lab):
    """Fewer than 25 code cells beside tasks, under 100 KB, notebook format 4.5 with cell ids, kernel python3."""
    complaints = []
    to_press = [cell for cell in lab.code if not tags(cell) & set(TASK)]  # what a reader writes is not counted
    if len(to_press) >= 25:
        complaints.append(f"{len(to_press)} code cells beside tasks, fewer than 25 wanted")
    if lab.path.stat().st_size >= 100_000:
        complaints.append(f"{lab.path.stat().st_size} bytes, fewer than 100,000 wanted")
    if (lab.notebook.nbformat, lab.notebook.nbformat_minor) != (4, 5):
        complaints.append("is not in notebook format 4.5")
    if not all(cell.get("id") for cell in lab.cells) or len({cell.id for cell in lab.cells}) < len(lab.cells):
        complaints.append("needs a distinct id for every cell")
    if lab.notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        complaints.append("metadata.kernelspec.name is not python3")
    return complaints


def no_machine_paths(lab):
    """No absolute path, in a source or an output."""
    absolute = r"(?<![\w.:/<)\]}])/[\w.-]+/[\w.-]+|\b[A-Z]:\\\\?\w|~/\w"
    texts = [(cell, text) for cell in lab.cells for text in (cell.source, printed(cell) if "outputs" in cell else "")]
    return [f"{named(cell)}: {match[0]}" for cell, text in texts if (match := re.search(absolute, text))]


def tasks(lab):
    """None, or at least four: a stub tagged `task`, its `solution` hidden three ways, the `check` that judges it."""
    order = [tag for cell in lab.code for tag in TASK if tag in tags(cell)]
    complaints = []
    if order != list(TASK) * (len(order) // 3) or 0 < len(order) < 12:
        complaints.append(f"wants at least four times a task, its solution, its check, by tags; has {order}")
    for cell in [cell for cell in lab.code if "solution" in tags(cell)]:
        ways = {
            "tag hide-input": "hide-input" in tags(cell),  # the book
            "metadata cellView: form": cell.metadata.get("cellView") == "form",  # Colab
            "metadata jupyter.source_hidden: true": cell.metadata.get("jupyter", {}).get("source_hidden") is True,
            "metadata mystnb.code_prompt_show: Show the solution": (
                cell.metadata.get("mystnb", {}).get("code_prompt_show") == "Show the solution"
            ),
            "`checks.solution(…)`, which leaves a reader's own alone": "checks.solution(" in cell.source,
        }
        complaints += [f"{named(cell)}: lacks {way}" for way, there in ways.items() if not there]
    complaints += [
        f"{named(cell)}: calls no check, or one that found something wrong with the solution"
        for cell in lab.tagged("check")
        if not re.search(r"^checks\.\w", cell.source) or not re.search("nothing is wrong|: locked at", printed(cell))
    ]
    if order and not any("checks.progress()" in cell.source for cell in lab.code):
        complaints.append("does not close with `checks.progress()`")
    return complaints


def one_progress_bar(lab):
    """Progress bars come from mgd_helpers.progress, which is silent in CI: tqdm alone writes to stderr."""
    return [f"{named(cell)}: uses tqdm" for cell in lab.code if "tqdm" in cell.source]


def last_cell(lab):
    """What you can do now, three questions with folded answers, the next step."""
    cell = lab.cells[-1]
    if cell.cell_type != "markdown":
        return ["the last cell is code"]
    complaints = lacking(
        cell.source,
        {"'## What you can do now'": r"^#+ What you can do now", "'**Next:** [a link](…)'": r"^\*\*Next\b.*\]\("},
    )
    folded = re.findall(r"<details>\s*<summary>.+?</summary>\s*\n\s*\n.+?\n\s*</details>", cell.source, re.DOTALL)
    if len(folded) != 3 or cell.source.count("<details") != 3:
        complaints.append("wants 3 times <details>, <summary>question</summary>, an empty line, the answer, </details>")
    return complaints


RULES = [
    first_cell,
    whole_links,
    set_up_cell,
    one_parameter,
    loaded_once,
    checked_cells,
    outputs_elsewhere,
    nothing_skipped,
    figures,
    plain_markdown,
    small_and_valid,
    no_machine_paths,
    tasks,
    one_progress_bar,
    last_cell,
]
