"""Every rule can complain: a lab without fault is spoilt in one place, and the rule of that place notices."""

import copy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_rules import (
    ADDRESS,
    BADGE,
    CHECKED,
    COLAB,
    PARAMETERS,
    RULES,
    SET_UP,
    Lab,
    checked_cells,
    figures,
    first_cell,
    last_cell,
    loaded_once,
    no_machine_paths,
    nothing_skipped,
    one_parameter,
    one_progress_bar,
    outputs_elsewhere,
    plain_markdown,
    set_up_cell,
    small_and_valid,
    tasks,
    whole_links,
)

FIRST = f"""\
# 1 · Encoding

You turn images into latents, and back.

{BADGE}({COLAB}/03_encode.ipynb)

**Objectives**

- encode a batch of images;
- measure what a round trip loses.

**Prerequisites:** Python and a little linear algebra.

**Time:** 2 minutes on a CPU, 1 minute on a T4. **GPU:** not needed.

**Theory:** [Encoding]({ADDRESS.page("book/03_encoding")})"""

LAST = (
    """\
## What you can do now

- Encode and decode images.

**Test yourself**
"""
    + "".join(f"\n<details>\n<summary>Why {n}?</summary>\n\nBecause $n = {n}$.\n\n</details>\n" for n in range(3))
    + """
**Next:** [Divisive clustering](https://elsewhere/book)"""
)

DRAWN = {
    "image": {"alt": "A straight line that rises from the lower left corner to the upper right one."},
    "figure": {"caption": "A line, drawn to show that lines can be drawn."},
}
HIDDEN = {
    "tags": ["solution", "hide-input"],
    "cellView": "form",
    "jupyter": {"source_hidden": True},
    "mystnb": {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"},
}


@pytest.fixture
def good_lab(tmp_path):
    """A lab without fault, and short enough to read."""
    cells = [
        new_markdown_cell(FIRST),
        new_code_cell(SET_UP.replace("CHAPTER", "3")),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_markdown_cell("## Section\n\nA circle has area $\\pi r^2$ and/or a centre."),
        new_code_cell(
            "from matplotlib import pyplot as plt\n\nplt.plot(lab.load(PROFILE));", metadata={"mystnb": DRAWN}
        ),
    ]
    checked = {"tags": sorted(CHECKED)}
    claim = 'print_claims({"of 1500, as expected": 0.12})'
    output = new_output("stream", name="stdout", text="of 1500, as expected: 0.12\n")
    cells.append(new_code_cell(claim, metadata=checked, outputs=[output], execution_count=1))
    output = new_output("stream", name="stdout", text="addition: nothing is wrong.\n")
    judged = {"tags": ["check", *sorted(CHECKED)]}
    for number in range(4):
        cells += [
            new_markdown_cell(f"**Task {number + 1}.** Add."),
            new_code_cell("answer = None", metadata={"tags": ["task"]}),
            new_code_cell("answer = checks.solution(answer)(42)", metadata=HIDDEN),
            new_code_cell("checks.addition(answer)", metadata=judged, outputs=[output], execution_count=number + 2),
        ]
    cells.append(new_code_cell("checks.progress()"))
    cells.append(new_markdown_cell(LAST))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    lab = Lab(tmp_path / "03_encode.ipynb", copy.deepcopy(new_notebook(cells=cells, metadata={"kernelspec": kernel})))
    lab.notebook.nbformat_minor = 5
    nbformat.write(lab.notebook, lab.path)
    return Lab.read(lab.path)


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


SPOILT = [  # cells: 0 first, 1 set-up, 2 parameters, 3 prose, 4 figure, 5 checked, 7 task, 8 solution, 9 check
    (first_cell, replace(0, "# 1", "## 1")),
    (first_cell, replace(0, "and back.", "and back. Then you rest.")),
    (first_cell, replace(0, "**Objectives**", "**Aims**")),
    (first_cell, replace(0, "**Prerequisites:**", "Before:")),
    (first_cell, replace(0, "2 minutes on a CPU", "quick on a CPU")),
    (first_cell, replace(0, "1 minute on a T4", "quick on a T4")),
    (first_cell, replace(0, "**GPU:** not needed", "")),
    (first_cell, replace(0, "03_encode.ipynb", "04_cluster.ipynb")),
    (first_cell, replace(0, "book/03_encoding", "book/04_clustering")),
    (first_cell, replace(3, "## Section", "# Section")),
    (whole_links, replace(3, "A circle", "[A circle](../book/03_encoding.md)")),
    (whole_links, replace(3, "A circle", "[A circle](04_cluster.ipynb)")),
    (whole_links, replace(3, "A circle", '<a href="../book/a.html">A circle</a>')),
    (set_up_cell, replace(1, "chapter=3", "chapter=4")),
    (set_up_cell, replace(1, "--no-deps ", "")),
    (one_parameter, replace(2, '"digits"', '"cifar10"')),
    (one_parameter, put(2, metadata={})),
    (one_parameter, put(4, metadata={"tags": ["parameters"]})),
    (one_parameter, replace(4, "lab.load(PROFILE)", "[0, 1]")),
    (one_parameter, replace(2, "needs a GPU", "is large")),
    (loaded_once, replace(4, "lab.load(PROFILE)", "mgd.load_pipeline(PROFILE)")),
    (loaded_once, replace(4, "lab.load(PROFILE)", "mgd.load_pipeline(MODEL)")),
    (loaded_once, replace(4, "lab.load(PROFILE)", "mgd.distill(PROFILE)")),
    (loaded_once, replace(4, "lab.load(PROFILE)", "mgd.evaluate(sets, against=PROFILE)")),
    (one_parameter, replace(2, "PROFILE", "SPEED = 3\nPROFILE")),
    (checked_cells, lambda lab: [cell.metadata.tags.clear() for cell in lab.tagged(*CHECKED)]),
    (checked_cells, put(5, metadata={"tags": ["nbval-check-output"]})),
    (checked_cells, put(5, metadata={"tags": ["keep_output"]})),
    (checked_cells, put(5, outputs=[])),
    (checked_cells, put(5, execution_count=None)),
    (checked_cells, replace(5, "print_claims", "print")),
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
    (figures, put(7, metadata={"tags": ["task", "figure"]})),
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
    (tasks, put(7, metadata={})),
    (tasks, put(9, metadata={})),
    (tasks, lambda lab: lab.cells.insert(7, lab.cells.pop(9))),
    (tasks, lambda lab: [lab.cells.pop(7) for _ in range(3)]),
    (tasks, put(8, metadata=HIDDEN | {"tags": ["solution"]})),
    (tasks, put(8, metadata=HIDDEN | {"cellView": "code"})),
    (tasks, put(8, metadata=HIDDEN | {"jupyter": {}})),
    (tasks, put(8, metadata=HIDDEN | {"mystnb": {}})),
    (tasks, replace(8, "checks.solution(answer)(42)", "42")),
    (tasks, replace(9, "checks.addition(answer)", "answer == 42")),
    (tasks, put(9, outputs=[new_output("stream", name="stdout", text="addition: you subtracted.")])),
    (tasks, replace(-2, "checks.progress()", "pass")),
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
