"""Every page of theory keeps the rules of `page_rules`, and what is read with it is written in short sentences."""

import re

import pytest
from page_rules import broken_rules, long_sentences, sentences
from test_book import PAGES, ROOT, text_of

THEORY = sorted((ROOT / "book").glob("[0-9]*.md"))
NOT_YET = ()
REFERENCE = "what_the_numbers_say|performance|schedulers|api|teachers|misconceptions|playground"
IN_PLAIN_WORDS = [
    page
    for page in PAGES
    if re.match(f"intro|how_to_use|glossary|notation|appendix|{REFERENCE}", page.name) or "refresh" in str(page)
]


@pytest.mark.parametrize("page", [page for page in THEORY if page.stem not in NOT_YET], ids=lambda page: page.stem)
def test_a_page_of_theory_keeps_the_rules(page):
    assert broken_rules(text_of(page)) == []
    assert long_sentences(text_of(page)) == []


@pytest.mark.parametrize("page", IN_PLAIN_WORDS, ids=lambda page: page.stem)
def test_sentences_are_short(page):
    text = re.sub(r"→ \[\].*$", "", text_of(page), flags=re.MULTILINE)
    if page.stem == "glossary":
        text = re.sub(r"^(\S.*)\n(?=  \S)", r"\1\n\n", text, flags=re.MULTILINE)  # a term is no part of the sentence
    assert long_sentences(text) == []


PICTURE = """```{figure} a.svg
:alt: An alternative text does not count as a sentence, whatever it says, however many words it may come to have.

A caption.
```
"""
GOOD = f"""# A page

```{{admonition}} After this page you can
- read;
- write;
- count.
```

```{{admonition}} Predict first
What comes now?
```

{PICTURE}{PICTURE}{PICTURE}
## Summary

1. One.
2. Two,
   of two lines.
3. Three.
4. Four.
5. Five.
"""
ON_AND_ON = "This sentence goes on and on, and on; " * 3 + "so it ends here."


@pytest.mark.parametrize(
    ("old", "new", "broken"),
    [
        ("One.", "One.", []),
        ("# A page\n", "# A page\n\n" + "A word. " * 600, ["has_few_words"]),
        ("```{figure} a.svg", "```{note}", ["has_three_pictures"]),
        ("- count.\n", "", ["has_objectives"]),
        ("Predict first", "Answer", ["has_a_question_to_predict"]),
        ("Predict first\n", "Predict first\n:class: dropdown\n\n", ["has_a_question_to_predict"]),
        ("4. Four.\n", "", ["has_a_summary_of_five"]),
        ("5. Five.", "5. Five.\n6. Six.", ["has_a_summary_of_five"]),
        ("A caption.", ON_AND_ON, ["has_short_sentences"]),
        ("What comes now?", f"- {ON_AND_ON}", ["has_short_sentences"]),
    ],
)
def test_each_rule_of_a_page_can_be_broken(old, new, broken):
    assert old in GOOD
    assert broken_rules(GOOD.replace(old, new)) == broken


def test_sentences_end_at_full_stops_paragraphs_items_and_display_formulas():
    text = "One [link](there.md) and {term}`two <three>`. Eq. 5 of $a.b$ is four!\n- five\n\nsix\n$$\na\n$$\nseven\n"
    assert sentences(text) == ["One link and two.", "Eq 5 of § is four!", "five", "six", "seven"]
    assert [count for count, _ in long_sentences(ON_AND_ON)] == [28]
