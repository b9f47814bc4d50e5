"""What a page of the book is made of: sentences, formulas, boxes, pictures, one short function for each."""

import re

from tools.clocks import words

MOST_WORDS = 22  # in a sentence
MOST_ON_PAGE = 1200  # words on a page of theory
SHORT_FORMS = r"\b(?:Eq|vs|etc|cf)\."
FENCE = re.compile(r"[ ]*(`{3,}|:{3,})(?:\{([\w-]+)\}(.*)|\w*)$")


def blocks(page):
    """(directive, argument, text) of a page from above: runs of text carry the directive around them, or ""."""
    page = re.sub(r"\A---\n.*?^---\n", "", page, flags=re.MULTILINE | re.DOTALL)
    found, inside, lines = [], [("", "")], []

    def close():
        found.append((*inside[-1], "\n".join(lines)))
        lines.clear()

    for line in page.splitlines():
        fence = FENCE.match(line)
        if not fence:
            lines.append(line)
        elif fence[2] or (inside[-1][0] in ("", "admonition") and line.strip("`: ")):
            close()
            inside.append((fence[2] or "code", (fence[3] or "").strip()))
        elif len(inside) > 1:
            close()
            inside.pop()
        else:
            close()
            inside.append(("code", ""))
    close()
    assert len(inside) == 1, "a fence is left open"
    return found


def formulas(page):
    """Every formula of a page, in its order, as TeX."""
    found = []
    for directive, _, text in blocks(page):
        if directive == "math":
            found.append(re.sub(r":label:.*", "", text))
        elif directive not in ("code", "code-cell"):
            found += re.findall(r"\$\$(.*?)\$\$|\$([^$]+)\$", re.sub(r"`[^`\n]*`", "", text), re.DOTALL)
    return ["".join(formula) for formula in found]


def readable(page):
    """What one reads on a page besides formulas on lines of their own: no front matter, code or options."""
    parts = [text for directive, _, text in blocks(page) if directive not in ("math", "code", "code-cell")]
    text = re.sub(r"\n*\$\$.*?\$\$\n*", "\n\n", "\n\n".join(parts), flags=re.DOTALL)
    return re.sub(r"^(?:[ ]*:\w+:|\([\w-]+\)=).*$", "\n", text, flags=re.MULTILINE)


def prose(page):
    """What one reads on a page in sentences: no tables and no headings either."""
    return re.sub(r"^(?:[ ]*\||#).*$", "\n", readable(page), flags=re.MULTILINE)


def plain(text):
    """Text without its marks: a link or role is what one reads, a formula or piece of code one sign."""
    text = re.sub(r"\{(?:cite\w*(?::\w+)?|eq|numref)\}`[^`]*`", "", text)
    text = re.sub(r"\{\w+\}`([^`<]*?)\s*(?:<[^`]*>)?`", r"\1", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", lambda link: link[1] or "Page", text)
    text = re.sub(r"`[^`]*`", "Code", text)
    text = re.sub(r"\$[^$]*\$", "§", text)
    return re.sub(r"[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}", "", text)


def sentences(page):
    """The sentences of a page. A paragraph, an item of a list or a display formula ends one in any case."""
    found = []
    for block in re.split(r"\n\s*\n|\n(?=[ ]*(?:[-*]|\d+\.)[ ])", prose(page)):
        text = " ".join(plain(re.sub(r"^\s*(?:[-*]|\d+\.)[ ]", "", block)).split())
        text = re.sub(SHORT_FORMS, lambda short: short[0].rstrip("."), text)
        found += re.split(r"(?<=[.?!])[\"”)]?\s+(?=[\"“(]?[A-Z0-9§])", text)
    return [sentence for sentence in found if re.search(r"\w", sentence)]


def length(sentence):
    """How many words a sentence has; formulas are none."""
    return len(re.findall(r"\w[\w’'.,%-]*", sentence))


def long_sentences(page, most=MOST_WORDS):
    """(length, sentence) of those with more words than a sentence may have."""
    return [(length(one), one) for one in sentences(page) if length(one) > most]


# --- a page of theory ------------------------------------------------------------------------------------------------


def has_few_words(page):
    return words(page) <= MOST_ON_PAGE


def has_three_pictures(page):
    """Drawn ones, or those of code that carries a caption."""
    drawn = [directive for directive, _, _ in blocks(page) if directive == "figure"]
    computed = [text for directive, _, text in blocks(page) if directive == "code-cell" and "\n  figure:" in text]
    return len(drawn) + len(computed) >= 3


def has_objectives(page):
    boxes = [text for directive, title, text in blocks(page) if title == "After this page you can"]
    return len(boxes) == 1 and len(re.findall("^- ", boxes[0], re.MULTILINE)) >= 3


def has_a_question_to_predict(page):
    """In the open; only its answer may be folded."""
    boxes = [text for directive, title, text in blocks(page) if title == "Predict first"]
    return bool(boxes) and not any("dropdown" in text.split("\n\n")[0] for text in boxes)


def has_a_summary_of_five(page):
    """Numbered, and sentences each."""
    lines = re.findall(r"^## Summary\n\n((?:\d\. .*\n(?: {3}.*\n)*)+)", page + "\n", re.MULTILINE)
    return len(lines) == 1 and re.findall(r"^(\d)\.", lines[0], re.MULTILINE) == list("12345")


def has_short_sentences(page):
    return not long_sentences(page)


RULES = (
    has_few_words,
    has_three_pictures,
    has_objectives,
    has_a_question_to_predict,
    has_a_summary_of_five,
    has_short_sentences,
)


def broken_rules(page):
    """The names of the rules that a page of theory breaks."""
    return [rule.__name__ for rule in RULES if not rule(page)]


# --- symbols ---------------------------------------------------------------------------------------------------------

GREEK = "alpha|beta|gamma|delta|varepsilon|eta|theta|kappa|lambda|mu|nu|pi|rho|sigma|tau|varphi|omega|Delta|Lambda|ell"
UPRIGHT = "signal|noise|norm|coef|sd|rms|Var|Id|bbE|calN"  # the last two: mean and normal density
KNOWN = re.compile(rf"\\(?:{GREEK}|{UPRIGHT})|[A-Za-z]")
SYMBOL = re.compile(
    r"(?:\\(?P<accent>hat|bar|tilde)\s*\{?\s*)?(?P<name>\\[A-Za-z]+|[A-Za-z])\}?(?P<primes>'*)"
    r"(?:\s*_\s*(?P<below>\{[^{}]*\}|\\[A-Za-z]+|\w))?"
)


def symbols(formula):
    """The symbols of a formula in its order, as `z_t`, `\\hat z_0`, `\\signal`, `\\bbE`.

    What stands below a letter belongs to it; what stands below a sum is left aside with the sum.
    """
    formula = formula.replace("\\widehat", "\\hat")
    formula = re.sub(r"\\(?:text|operatorname|begin|end)\s*\{[^}]*\}", r"\\word ", formula)
    formula = re.sub(r"\\math(bb|cal)\s*\{?(\w)\}?", r"\\\1\2 ", formula)
    formula = re.sub(r"\\mathrm\s*\{?(\w+)\}?", r"\\\1 ", formula)
    found = []
    for match in SYMBOL.finditer(formula):
        if KNOWN.fullmatch(match["name"]):
            accent = f"\\{match['accent']} " if match["accent"] else ""
            below = re.sub(r"[{}\\\s]|word", "", match["below"] or "")
            found.append(accent + match["name"] + match["primes"] + (f"_{below}" if below else ""))
    return found
