"""The contract of a lab. A rule is a function from a lab to its complaints: every real lab gives none, and for every
rule a good lab is spoilt to show that the rule can complain. A lab for learning by example: `good_lab` below."""

import ast
import copy
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parents[1]
LABS = sorted(path for path in (ROOT / "notebooks").glob("*.ipynb") if not path.name.startswith("_"))
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
COLAB = REPOSITORY.replace("https://github.com", "https://colab.research.google.com/github") + "/blob/main/notebooks"
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
CHECKED = {"nbval-check-output", "keep_output"}  # compared by nbval, kept by nbstripout

SET_UP = f"""\
import os

if "COLAB_RELEASE_TAG" in os.environ:  # Colab has every dependency: install this project alone
    %pip install --quiet --no-deps "mgd-helpers @ git+{REPOSITORY}"

import mgd_helpers as mgd

lab = mgd.setup(chapter=CHAPTER, seed=0)"""


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


# --- the rules -------------------------------------------------------------------------------------------------------


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
            "a link to its theory page": rf"\]\(\.\./{theory_of(lab)}\.md(#[\w-]+)?\)",
        },
    )
    promise = [*text.split("\n\n"), ""][1].strip()
    if not promise.endswith(".") or re.search(r"[.!?]\s", promise):
        complaints.append("the paragraph under the title is not one sentence")
    if sum(len(re.findall(r"^# ", without_code(cell.source), re.MULTILINE)) for cell in lab.prose) > 1:
        complaints.append("more than one '# ' title; sections are '## '")
    return complaints


def set_up_cell(lab):
    """The second cell is the same everywhere but for the chapter, which is the number of the file."""
    wanted = SET_UP.replace("CHAPTER", str(int(lab.path.name[:2])))
    return [] if lab.cells[1].cell_type == "code" and lab.cells[1].source == wanted else [f"is not:\n{wanted}"]


def one_parameter(lab):
    """Right after the set-up comes the one cell tagged `parameters`: PROFILE = "digits", and nothing else."""
    cells = lab.tagged("parameters")
    if len(cells) != 1 or cells[0] is not lab.code[1]:
        return ["the second code cell, and no other, must be tagged 'parameters'"]
    body = ast.unparse(ast.parse(cells[0].source))
    return [] if body == "PROFILE = 'digits'" else [f'holds {body!r} instead of PROFILE = "digits" alone']


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
    for cell in filter(draws, lab.code):
        mystnb = cell.metadata.get("mystnb", {})
        alt, caption = mystnb.get("image", {}).get("alt", ""), mystnb.get("figure", {}).get("caption", "")
        if not 40 <= len(alt) <= 250:
            complaints.append(f"{named(cell)}: metadata mystnb.image.alt has {len(alt)} characters, 40 to 250 wanted")
        if len(caption) < 10:
            complaints.append(f"{named(cell)}: metadata mystnb.figure.caption is missing")
    return complaints


def draws(cell):
    """Whether a cell makes a figure: it calls pyplot, seaborn or a function of plots.py, or is tagged `figure`."""
    plots = ast.parse((ROOT / "mgd_helpers" / "lab" / "plots.py").read_text(encoding="utf-8")).body
    ours = "|".join(node.name for node in plots if isinstance(node, ast.FunctionDef) and node.name != "use_style")
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
    """Fewer than 25 code cells, under 100 KB, notebook format 4.5 with cell ids, kernel python3."""
    complaints = []
    if len(lab.code) >= 25:
        complaints.append(f"{len(lab.code)} code cells, fewer than 25 wanted")
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


def exercises(lab):
    """At least three: a code cell tagged `exercise` (the stub), and later one tagged `solution`, hidden three ways."""
    order = [tag for cell in lab.code for tag in ("exercise", "solution") if tag in tags(cell)]
    judged = (ROOT / "mgd_helpers" / "lab" / "checks.py").exists()  # exercises need the helpers that judge them
    wanted = 3 if judged else 0
    complaints = []
    if order.count("exercise") < wanted or order != ["exercise", "solution"] * order.count("exercise"):
        complaints.append(f"wants at least {wanted} times a stub and then its solution, by tags; has {order}")
    for cell in lab.tagged("solution"):
        ways = {
            "tag hide-input": "hide-input" in tags(cell),  # the book
            "metadata cellView: form": cell.metadata.get("cellView") == "form",  # Colab
            "metadata jupyter.source_hidden: true": cell.metadata.get("jupyter", {}).get("source_hidden") is True,
        }
        complaints += [f"{named(cell)}: lacks {way}" for way, there in ways.items() if not there]
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
    set_up_cell,
    one_parameter,
    checked_cells,
    outputs_elsewhere,
    nothing_skipped,
    figures,
    plain_markdown,
    small_and_valid,
    no_machine_paths,
    exercises,
    one_progress_bar,
    last_cell,
]


def theory_of(lab):
    """The page of the table of contents under which the lab stands."""
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    chapters = [chapter for part in parts for chapter in part["chapters"]]
    sections = {section["file"]: chapter["file"] for chapter in chapters for section in chapter.get("sections", [])}
    return sections.get(f"notebooks/{lab.path.stem}", "nowhere in _toc.yml")


def without_code(markdown):
    return re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_lab_keeps_the_contract(path, rule):
    complaints = rule(Lab.read(path))
    assert not complaints, "\n".join([f"{path.name}: {rule.__doc__}", *complaints])


# --- the rules can complain ------------------------------------------------------------------------------------------

FIRST = f"""\
# 1 · Encoding

You turn images into latents, and back.

{BADGE}({COLAB}/01_encode.ipynb)

**Objectives**

- encode a batch of images;
- measure what a round trip loses.

**Prerequisites:** Python and a little linear algebra.

**Time:** 2 minutes on a CPU, 1 minute on a T4. **GPU:** not needed.

**Theory:** [Encoding](../book/01_encoding.md)"""

LAST = (
    """\
## What you can do now

- Encode and decode images.

**Test yourself**
"""
    + "".join(f"\n<details>\n<summary>Why {n}?</summary>\n\nBecause $n = {n}$.\n\n</details>\n" for n in range(3))
    + """
**Next:** [Divisive clustering](../book/02_clustering.md)"""
)

DRAWN = {
    "image": {"alt": "A straight line that rises from the lower left corner to the upper right one."},
    "figure": {"caption": "A line, drawn to show that lines can be drawn."},
}
HIDDEN = {"tags": ["solution", "hide-input"], "cellView": "form", "jupyter": {"source_hidden": True}}


@pytest.fixture
def good_lab(tmp_path):
    """A lab without fault, and short enough to read."""
    cells = [
        new_markdown_cell(FIRST),
        new_code_cell(SET_UP.replace("CHAPTER", "1")),
        new_code_cell('PROFILE = "digits"  # or "cifar10" on a GPU', metadata={"tags": ["parameters"]}),
        new_markdown_cell("## Section\n\nA circle has area $\\pi r^2$ and/or a centre."),
        new_code_cell("import matplotlib.pyplot as plt\n\nplt.plot([0, 1]);", metadata={"mystnb": DRAWN}),
    ]
    for number in range(3):
        output = new_output("stream", name="stdout", text=f"0.12{number} of 1500, as expected\n")
        checked = {"tags": sorted(CHECKED)}
        cells += [
            new_code_cell(printing(output.text), metadata=checked, outputs=[output], execution_count=number + 1),
            new_markdown_cell(f"**Exercise {number + 1}.** Add."),
            new_code_cell("answer = None", metadata={"tags": ["exercise"]}),
            new_code_cell("answer = 42", metadata=HIDDEN),
        ]
    cells.append(new_markdown_cell(LAST))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    lab = Lab(tmp_path / "01_encode.ipynb", copy.deepcopy(new_notebook(cells=cells, metadata={"kernelspec": kernel})))
    lab.notebook.nbformat_minor = 5
    nbformat.write(lab.notebook, lab.path)
    return Lab.read(lab.path)


def printing(text):
    """A cell that prints this text, whatever it is."""
    return f"print({text!r}, end='')"


def test_good_lab_gives_no_complaint(good_lab):
    assert {rule.__name__: rule(good_lab) for rule in RULES if rule(good_lab)} == {}


def replace(index, old, new):
    """A way to spoil a lab: other words in one cell."""

    def spoil(lab):
        assert old in lab.cells[index].source
        lab.cells[index].source = lab.cells[index].source.replace(old, new)

    return spoil


def put(index, **changes):
    """A way to spoil a lab: other fields of one cell."""
    return lambda lab: lab.cells[index].update(nbformat.from_dict(changes))


SPOILT = [  # cells of good_lab: 0 first, 1 set-up, 2 parameters, 3 prose, 4 figure, 5 checked, 7 stub, 8 solution
    (first_cell, replace(0, "# 1", "## 1")),
    (first_cell, replace(0, "and back.", "and back. Then you rest.")),
    (first_cell, replace(0, "**Objectives**", "**Aims**")),
    (first_cell, replace(0, "**Prerequisites:**", "Before:")),
    (first_cell, replace(0, "2 minutes on a CPU", "quick on a CPU")),
    (first_cell, replace(0, "1 minute on a T4", "quick on a T4")),
    (first_cell, replace(0, "**GPU:** not needed", "")),
    (first_cell, replace(0, "01_encode.ipynb", "02_cluster.ipynb")),
    (first_cell, replace(0, "../book/01_encoding.md", "../book/02_clustering.md")),
    (first_cell, replace(3, "## Section", "# Section")),
    (set_up_cell, replace(1, "chapter=1", "chapter=2")),
    (set_up_cell, replace(1, "--no-deps ", "")),
    (one_parameter, replace(2, '"digits"', '"cifar10"')),
    (one_parameter, put(2, metadata={})),
    (one_parameter, put(4, metadata={"tags": ["parameters"]})),
    (one_parameter, replace(2, "PROFILE", "SPEED = 3\nPROFILE")),
    (checked_cells, put(5, metadata={})),
    (checked_cells, put(5, metadata={"tags": ["nbval-check-output"]})),
    (checked_cells, put(5, metadata={"tags": ["keep_output"]})),
    (checked_cells, put(5, outputs=[])),
    (checked_cells, put(5, execution_count=None)),
    (checked_cells, put(5, outputs=[new_output("stream", name="stderr", text="0.1")])),
    (checked_cells, put(5, outputs=[new_output("stream", name="stdout", text="accuracy 0.8713")])),
    (checked_cells, put(5, outputs=[new_output("stream", name="stdout", text="on cuda:0")])),
    (checked_cells, put(5, outputs=[new_output("stream", name="stdout", text="took 3.1 s")])),
    (checked_cells, put(5, outputs=[new_output("display_data", data={"text/plain": "0.1", "text/html": "0.1"})])),
    (outputs_elsewhere, put(7, outputs=[new_output("stream", name="stdout", text="hello")])),
    (nothing_skipped, put(7, metadata={"tags": ["nbval-skip"]})),
    (nothing_skipped, put(7, metadata={"tags": ["raises-exception"]})),
    (nothing_skipped, replace(7, "answer", "# NBVAL_SKIP\nanswer")),
    (nothing_skipped, put(7, outputs=[new_output("error", ename="ValueError", evalue="no", traceback=[])])),
    (figures, put(4, metadata={})),
    (figures, put(4, metadata={"mystnb": DRAWN | {"image": {"alt": "A line."}}})),
    (figures, put(4, metadata={"mystnb": DRAWN | {"image": {"alt": "A line. " * 40}}})),
    (figures, put(4, metadata={"mystnb": DRAWN | {"figure": {}}})),
    (figures, replace(7, "answer", "show_images(answer)\nanswer")),
    (figures, put(7, metadata={"tags": ["exercise", "figure"]})),
    (plain_markdown, replace(3, "A circle", "```{note}\nA circle\n```")),
    (plain_markdown, replace(3, "A circle", ":::{note}\nA circle\n:::")),
    (plain_markdown, replace(3, "A circle", "{cite}`euclid` says a circle")),
    (plain_markdown, replace(3, "A circle", "(area)=\n\nA circle")),
    (plain_markdown, replace(3, "A circle", '<img src="circle.png" width="9"> A circle')),
    (plain_markdown, replace(3, "A circle", "![](circle.png) A circle")),
    (small_and_valid, lambda lab: lab.cells.extend(new_code_cell("pass") for _ in range(25))),
    (small_and_valid, lambda lab: lab.path.write_bytes(b" " * 100_000)),
    (small_and_valid, lambda lab: lab.notebook.update(nbformat_minor=4)),
    (small_and_valid, lambda lab: lab.cells[3].pop("id")),
    (small_and_valid, lambda lab: lab.cells[3].update(id=lab.cells[4].id)),
    (small_and_valid, lambda lab: lab.notebook.metadata.kernelspec.update(name="conda-env")),
    (no_machine_paths, replace(7, "None", 'open("/home/somebody/data.txt")')),
    (no_machine_paths, replace(3, "A circle", "See C:\\data; a circle")),
    (no_machine_paths, put(5, outputs=[new_output("stream", name="stdout", text="saved in /tmp/run/1\n")])),
    (exercises, put(7, metadata={})),
    (exercises, put(8, metadata=HIDDEN | {"tags": ["solution"]})),
    (exercises, put(8, metadata=HIDDEN | {"cellView": "code"})),
    (exercises, put(8, metadata=HIDDEN | {"jupyter": {}})),
    (one_progress_bar, replace(7, "answer", "from tqdm.auto import tqdm\nanswer")),
    (last_cell, replace(-1, "What you can do now", "The end")),
    (last_cell, replace(-1, "**Next:**", "Bye:")),
    (last_cell, replace(-1, "<summary>Why 2?</summary>", "Why 2?")),
    (last_cell, lambda lab: lab.cells.append(new_code_cell("pass"))),
]


@pytest.mark.parametrize(
    ("rule", "spoil"), [pytest.param(*pair, id=f"{pair[0].__name__}-{n}") for n, pair in enumerate(SPOILT)]
)
def test_spoilt_lab_gives_a_complaint(good_lab, rule, spoil):
    spoil(good_lab)
    assert rule(good_lab)


def test_every_rule_is_seen_complaining():
    assert {rule for rule, _ in SPOILT} == set(RULES)


# --- nbval really compares -------------------------------------------------------------------------------------------


def nbval(lab, cells, **options):
    """How many cells of a notebook made of these pass and fail, as `make test` runs it."""
    nbformat.write(new_notebook(cells=cells, metadata=lab.notebook.metadata), lab.path)
    (lab.path.parent / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env"]
    result = subprocess.run([*command, lab.path.name], cwd=lab.path.parent, capture_output=True, text=True, check=False)
    return {
        outcome: int(n) for n, outcome in re.findall(r"(\d+) (passed|failed|error)", result.stdout.splitlines()[-1])
    }


def test_checked_cells_are_really_compared(good_lab):
    """Every checked cell of every lab, with its own tags and output: printed again it passes, corrupted it fails."""
    cells = [copy.deepcopy(cell) for path in LABS for cell in Lab.read(path).tagged(*CHECKED)]
    cells = cells or good_lab.tagged(*CHECKED)
    for number, cell in enumerate(cells):
        cell.update(id=f"cell-{number}", source=printing(printed(cell)))
    assert nbval(good_lab, cells) == {"passed": len(cells)}
    for cell in cells:
        cell.outputs = [new_output("stream", name="stdout", text=printed(cell) + "corrupted\n")]
    assert nbval(good_lab, cells) == {"failed": len(cells)}
