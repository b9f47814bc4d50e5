"""No term of the glossary and no symbol of the notation is used before the page that introduces it.

Each entry of the glossary ends with a link to that page, and each row of the notation has one in its last column.
"""

import re

import pytest
from page_rules import formulas, plain, readable, symbols
from test_book import ROOT, TOC, entries, prose_of, source_of, text_of

GLOSSARY, NOTATION = ROOT / "book" / "glossary.md", ROOT / "book" / "notation.md"
WITH_REFRESHERS = "00_ready"  # sends to the pages under it
LATER = ("For teachers", "Appendices", "Reference")  # parts that are looked up, and read in any order
BEING_WRITTEN = ()


def pages_of(parts):
    """Pages and labs; what a lab introduces, its page has introduced before."""
    return [path for entry in entries(parts) if (path := source_of(entry)).stem != WITH_REFRESHERS]


START = source_of(TOC["root"])
TO_READ = [START, *pages_of([part for part in TOC["parts"] if part["caption"] not in LATER])]
ORDER = [*TO_READ, *pages_of([part for part in TOC["parts"] if part["caption"] in LATER])]


def finished(pages):
    return [page for page in pages if page.stem not in BEING_WRITTEN]


def home_in(text, source):
    """The page that the last link of a text leads to."""
    *_, link = re.findall(r"\]\(([\w/.]+)\)", text) or [""]
    return source.parent / link


def terms():
    """Term -> the page that introduces it, from the glossary."""
    [listed] = re.findall(r"^```\{glossary\}\n(.*?)^```", text_of(GLOSSARY), re.MULTILINE | re.DOTALL)
    found = {}
    for entry in re.split(r"\n\n(?=\S)", listed.strip()):
        name, meaning = entry.split("\n", 1)
        found[name] = home_in(meaning, GLOSSARY)
    return found


def notation():
    """Symbol -> the page that introduces it, from the tables of the notation."""
    rows = [line for line in text_of(NOTATION).splitlines() if line.startswith("| $")]
    return {
        symbols(formula)[0]: home_in(row, NOTATION)
        for row in rows
        for formula in re.findall(r"\$([^$]+)\$", row.split(" | ")[0])
    }


TERMS, SYMBOLS = terms(), notation()
INDICES = set("ijle")  # they count, or are Euler's number


# --- what a page uses ------------------------------------------------------------------------------------------------


def pattern(term):
    """A term in the singular or the plural, small or capital where it is a word."""
    ends = {"f": rf"{term[:-1]}(?:f|ves)", "y": rf"{term[:-1]}(?:y|ies)"}
    body = ends.get(term[-1], rf"{term}(?:e?s)?").replace(" ", r"\s+")
    return rf"\b{body}\b" if re.search("[A-Z]", term) else rf"(?i:\b{body}\b)"


LONGEST_FIRST = sorted(TERMS, key=len, reverse=True)  # an edge strength is no strength
ANY_TERM = re.compile("|".join(f"({pattern(term)})" for term in LONGEST_FIRST))


def terms_in(text):
    """The terms of the glossary that a page uses, by role or as plain words."""
    roles = re.findall(r"\{term\}`(?:[^`<]*<([^`>]+)>|([^`]+))`", text)
    named = " . ".join("".join(role) for role in roles)
    used = ANY_TERM.finditer(f"{named} . {plain(readable(text))}")
    return {LONGEST_FIRST[match.lastindex - 1] for match in used}


def marked_in(text):
    """The terms that a page marks as new: by a role, in italics or in bold type."""
    marks = re.findall(r"\{term\}`[^`]+`|(?<![\w*])\*{1,2}[^*\n]+\*{1,2}", text)
    return terms_in(" . ".join(marks))


def row_of(symbol):
    """The row of the notation that explains a symbol: its own, or one of the same letter with another index."""
    bare = symbol.split("_")[0]
    tried = (symbol, bare, symbol.replace("'", ""), bare.replace("'", ""))
    alike = [known for known in SYMBOLS if known.split("_")[0] == bare]
    return next((known for known in (*tried, *alike) if known in SYMBOLS), None)


def symbols_in(text):
    """The symbols in the formulas of a page."""
    found = {symbol for formula in formulas(text) for symbol in symbols(formula)}
    return {symbol for symbol in found if symbol.rstrip("'") not in INDICES}


def explained_in(text):
    """The terms that head an entry of a list of definitions: the page says itself what they mean."""
    return terms_in(" . ".join(re.findall(r"^(\S.*)\n: ", text, re.MULTILINE)))


def too_early(page, text):
    """Terms and symbols that this text would use before the page that introduces them, were it this page."""
    place = ORDER.index(page)
    used = [(term, TERMS[term]) for term in terms_in(text) - explained_in(text)]
    used += [(symbol, SYMBOLS[row]) for symbol in symbols_in(text) if (row := row_of(symbol))]
    return {name: home.stem for name, home in sorted(used) if ORDER.index(home) > place}


# --- tests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("homes", [TERMS, SYMBOLS], ids=["glossary", "notation"])
def test_each_entry_names_the_page_that_introduces_it(homes):
    assert {name: home.name for name, home in homes.items() if home not in ORDER} == {}


@pytest.mark.parametrize("page", finished(TO_READ), ids=lambda page: page.stem)
def test_a_page_uses_nothing_that_a_later_page_introduces(page):
    assert too_early(page, prose_of(page)) == {}


@pytest.mark.parametrize("page", finished(ORDER), ids=lambda page: page.stem)
def test_a_page_introduces_what_glossary_and_notation_send_to_it_for(page):
    text = prose_of(page)
    assert sorted({term for term, home in TERMS.items() if home == page} - marked_in(text)) == []
    assert sorted({symbol for symbol, home in SYMBOLS.items() if home == page} - symbols_in(text)) == []


@pytest.mark.parametrize("page", finished(ORDER), ids=lambda page: page.stem)
def test_every_symbol_of_a_page_stands_in_the_notation(page):
    assert sorted(symbol for symbol in symbols_in(prose_of(page)) if not row_of(symbol)) == []


def test_glossary_is_in_the_order_of_the_alphabet():
    assert list(TERMS) == sorted(TERMS, key=str.lower)


# --- the tests above can complain ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("A step of DDIM.", ["DDIM"]),
        ("{term}`Tangent spaces <tangent space>` are flat.", ["tangent space"]),
        ("The *leaves* of a tree.", ["leaf"]),
        ("With $\\lambda_t = 1$, say.", ["\\lambda_t"]),
        ("```{math}\n:label: eq-planted\nP_T\\, v = v\n```", ["P_T"]),
        ("$$\n\\hat z_0 = z\n$$", ["\\hat z_0", "z"]),
    ],
)
def test_what_comes_too_early_is_found(planted, found):
    [first] = [page for page in ORDER if page.stem == "pca"]
    assert [*too_early(first, f"# A page\n\n{planted}\n")] == found
    assert too_early(ORDER[-1], planted) == {}


def test_what_a_page_explains_itself_is_not_too_early():
    [first] = [page for page in ORDER if page.stem == "pca"]
    assert too_early(first, "Strength\n: How far a guess moves.\n\nThe strength is 1.\n") == {}
    assert list(too_early(first, "Strength\nHow far a guess moves.\n")) == ["strength"]


def test_longer_terms_hide_shorter_ones_and_code_hides_all():
    assert terms_in("The edge strength is no `strength`.\n\n```python\nrate = 1\n```\n") == {"edge strength"}
    assert marked_in("A *score*, a power.") == {"score"}


def test_symbols_are_read_from_formulas():
    assert symbols(r"\hat z_0 = \sum_{i=1}^N p(z_i \mid z_t)\, z_i") == ["\\hat z_0", "N", "p", "z_i", "z_t", "z_i"]
    assert symbols(r"\mathcal N(z_{t'};\ \mathrm{Id}) \operatorname{max}_i f'_j") == ["\\calN", "z_t'", "\\Id", "f'_j"]
    assert symbols(r"\sqrt{\bar\alpha_t}\, \hat\varepsilon_{\text{none}}") == ["\\bar \\alpha_t", "\\hat \\varepsilon"]
    assert (row_of("z_17"), row_of("f'_2"), row_of("h")) == ("z", "f'_j", None)
