"""The part for teachers: sixty questions with keys that hold, sixteen misconceptions that run, pages that fit."""

import math
import re

import nbformat
import pytest
from notebook_rules import ROOT
from test_appendices import printed_by

import mgd_helpers as mgd
from mgd_helpers.evaluation import holm
from tools import clocks

BANK = sorted((ROOT / "book" / "questions").glob("chapter_*.md"))
QUESTION = re.compile(
    r"^## (\d+\.\d) · (Single choice|Numeric|Short)\n\n(.*?)\n\n"
    r"```\{admonition\} Key\n:class: dropdown\n\n(.*?)\n```$",
    re.MULTILINE | re.DOTALL,
)
QUESTIONS = {
    number: (kind, asked, key)
    for page in BANK
    for number, kind, asked, key in QUESTION.findall(page.read_text(encoding="utf-8"))
}
PAGES = [ROOT / "book" / f"{name}.md" for name in ("how_to_use", "teachers", "misconceptions", "question_bank")]


def ddim(sample, guess, level, following):
    """A step of DDIM by hand; levels are (signal, noise) with squares that sum to one."""
    assert all(math.isclose(signal**2 + noise**2, 1) for signal, noise in (level, following))
    return following[0] * guess + following[1] * (sample - level[0] * guess) / level[1]


def split_gain(left, right, distance):
    return left * right / (left + right) * distance**2


def leaves_to_nodes(leaves):
    """Counted on a tree of the package."""
    import torch

    tree = mgd.bisect(torch.randn(40, 4, 1, 1, generator=torch.Generator().manual_seed(0)), n_leaves=leaves, seed=0)
    return len(tree.children)


# What the keys of numeric questions say, computed anew
COMPUTED = {
    "1.2": lambda: round(100 * 100 / round(len(mgd.load_data("digits").train.images), -2)),
    "2.1": lambda: math.sqrt(1 - 0.6**2),
    "2.3": lambda: 0.5 * 0 + 0.5 * 4,
    "2.5": lambda: ddim(2.0, 2.0, (0.6, 0.8), (0.8, 0.6)),
    "3.2": lambda: 4 * 32 * 32,
    "3.3": lambda: 9 + 4 * (0.25 + 0.25),
    "3.5": lambda: 1 + 2 * (3 - 1),
    "4.1": lambda: leaves_to_nodes(10),
    "4.2": lambda: split_gain(3, 6, 2),
    "5.1": lambda: 12 - 1,
    "5.2": lambda: round(8 / 256, 3),
    "6.1": lambda: -0.6 / 0.8 * 0.5,
    "6.2": lambda: 2 * 0.2 / 0.8,
    "7.1": lambda: 0,
    "7.3": lambda: 0.4 / (1 / 5),
    "8.1": lambda: 100 * math.sqrt(0.9 * 0.1 / 900),
    "8.2": lambda: (2**2 + 2**2 - 2 * 0.75 * 2 * 2) / 4,
    "8.3": lambda: 8 * 3**2 + 2,
    "9.3": lambda: (5 + 0 + 10) / 3 / 5,
    "9.4": lambda: 1 / 20,
    "10.5": lambda: max(holm([0.012, 0.03, 0.04])),
}


def test_sixty_questions_six_a_chapter_each_with_a_key():
    assert list(QUESTIONS) == [f"{chapter}.{number}" for chapter in range(1, 11) for number in range(1, 7)]
    headings = [
        line for page in BANK for line in re.findall(r"^## .*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(headings) == len(set(headings)) == 60, "a question without a key, or a number twice"
    for chapter, page in enumerate(BANK, start=1):
        assert page.stem == f"chapter_{chapter:02}"
        assert {number.split(".")[0] for number, *_ in QUESTION.findall(page.read_text())} == {str(chapter)}


def plain(text):
    return " ".join(re.findall(r"\w+", text.lower()))


def test_no_question_and_no_key_stands_twice():
    for part in (1, 2):
        wordings = [plain(question[part]) for question in QUESTIONS.values()]
        assert len(set(wordings)) == 60


@pytest.mark.parametrize("number", [number for number, question in QUESTIONS.items() if question[0] == "Single choice"])
def test_a_single_choice_has_one_key_and_a_word_on_every_other(number):
    _, asked, key = QUESTIONS[number]
    assert re.findall(r"^- ([A-D])\. \S", asked, re.MULTILINE) == list("ABCD")
    right = re.match(r"\*\*([A-D])\.\*\* ", key)
    assert right, "the key begins with its letter"
    others = set(re.findall(r"\b([A-D])\b", key[right.end() :])) - {right[1]}
    assert others | {right[1]} == set("ABCD"), "why is every other choice wrong?"


def test_keys_of_single_choices_are_not_all_one_letter():
    letters = [question[2][2] for question in QUESTIONS.values() if question[0] == "Single choice"]
    assert {
        letter: letters.count(letter) for letter in "ABCD" if not 1 <= letters.count(letter) <= len(letters) / 2
    } == {}


def test_numeric_keys_are_computed():
    numeric = {number: question[2] for number, question in QUESTIONS.items() if question[0] == "Numeric"}
    assert set(numeric) == set(COMPUTED)
    numbers = {number: re.match(r"\*\*(−?[\d.]+?)\.?\*\*", key)[1] for number, key in numeric.items()}
    stated = {number: float(key.replace("−", "-")) for number, key in numbers.items()}
    assert stated == pytest.approx({number: compute() for number, compute in COMPUTED.items()}, rel=1e-6)


def test_every_kind_is_asked_often():
    kinds = [kind for kind, *_ in QUESTIONS.values()]
    assert min(kinds.count(kind) for kind in ("Single choice", "Numeric", "Short")) >= 10


def test_what_the_keys_of_the_verdict_say_is_borne_out_by_the_results():
    from studies.claims import parts, rows, sizes

    claims = dict((*rows.CLAIMS, *sizes.CLAIMS, *parts.CLAIMS))
    told = [
        "**Pulls to single targets help by one or two points",
        "In the mean over the data sets, strict projection is most of a point behind the plain pull",
        "The ConvNet cannot tell these two apart either, and the nearest neighbour prefers the straight one.",
        "In the mean over the data sets, no guidance to single targets is told apart from these images.",
        "Steered as a set, by *match+transport* or by matching alone, they are ahead.",
        "**Training the pixels is best where images are ten",
        "Leaves, flat k-means, trees that grow on pooled latents",
    ]
    for start in told:
        checks = [check for sentence, check in claims.items() if sentence.startswith(start)]
        assert len(checks) == 1 and checks[0](), start


def labels(text):
    """Labels that roles such as {numref}`fig-x` and {eq}`eq-x` ask for."""
    return set(re.findall(r"\{(?:numref|eq)\}`([\w-]+)`", text))


def test_what_questions_refer_to_is_defined_in_the_book():
    known = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "book").glob("*.md"))
    defined = set(re.findall(r"^:(?:name|label): (\S+)$", known, re.MULTILINE))
    asked = set().union(*(labels(page.read_text(encoding="utf-8")) for page in BANK))
    assert asked and asked <= defined


@pytest.mark.parametrize("page", [*PAGES, *BANK], ids=lambda page: page.stem)
def test_a_page_for_teachers_fits(page):
    assert clocks.words(page.read_text(encoding="utf-8")) <= 1200


def test_sixteen_misconceptions_each_with_a_prediction_and_a_run():
    text = (ROOT / "book" / "misconceptions.md").read_text(encoding="utf-8")
    items = re.split(r"^\*\*(\d+)\. “?\"?", text, flags=re.MULTILINE)[1:]
    assert items[::2] == [str(number) for number in range(1, 17)]
    assert [number for number, item in zip(items[::2], items[1::2], strict=True) if not _predicts_and_runs(item)] == []


def _predicts_and_runs(item):
    return item.count("*Predict:*") == 1 and "?" in item and item.count("*Run:*") == 1


@pytest.mark.slow
def test_what_the_misconceptions_claim_is_true(tmp_path):
    printed = printed_by(ROOT / "book" / "misconceptions.md", tmp_path)
    verdicts = [line for line in printed if line.endswith(("True", "False"))]
    assert len(verdicts) == 5 and all(line.endswith("True") for line in verdicts)


def test_tasks_that_teachers_are_sent_to_exist():
    from mgd_helpers.lab import checks

    text = (ROOT / "book" / "misconceptions.md").read_text(encoding="utf-8")
    found = re.findall(r"(?:prediction|task|tasks)\s+`(\w+)`(?:\s+and\s+`(\w+)`)?", text)
    names = {name for pair in found for name in pair if name}
    assert len(names) >= 6 and names <= set(checks.__all__)


def places(text):
    """(lab, "Task" or "##", number) of every place in a lab that a text sends to, as in "lab 2, tasks 1 and 2"."""
    found = []
    for lab, kind, numbers in re.findall(r"[Ll]ab (\d+), (task|section)s?\s+(\d(?:(?: and | to |, )\d)*)", text):
        mark = {"task": "Task", "section": "##"}[kind]
        found += [(int(lab), mark, int(number)) for number in re.findall(r"\d", numbers)]
    return found


def test_tasks_and_sections_of_labs_that_are_named_exist():
    there = set()
    for lab in clocks.labs(ROOT):
        prose = "\n".join(
            cell.source for cell in nbformat.read(lab, as_version=4).cells if cell.cell_type == "markdown"
        )
        marks = re.findall(r"^(?:\*\*(Task) |(##) )(\d+)[:.]", prose, re.MULTILINE)
        there |= {(int(lab.stem[:2]), task or section, int(number)) for task, section, number in marks}
    texts = [path.read_text(encoding="utf-8") for path in [*PAGES, *BANK, *(ROOT / "slides").glob("*.md")]]
    named = {place for text in texts for place in places(text)}
    assert len(named) > 15 and sorted(named - there) == []


def test_places_are_read_as_they_are_written():
    text = "lab 2, tasks 1 and 2; Lab 8, section 6. lab 3, tasks 2 to 4"
    assert places(text) == [(2, "Task", 1), (2, "Task", 2), (8, "##", 6), (3, "Task", 2), (3, "Task", 4)]
