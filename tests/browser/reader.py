"""What a reader needs of a page, asked of one that is open: each question answers with what is wrong."""

from axe_playwright_python.base import AXE_SCRIPT

PLAIN = {"preload": False, "resultTypes": ["violations"]}  # styles are not fetched once more, which files refuse
RULES = PLAIN | {"rules": {name: {"enabled": False} for name in ("color-contrast", "css-orientation-lock")}}
RULES["rules"]["label-content-name-mismatch"] = {"enabled": True}  # what is said of a control stands on it
COLOURS = PLAIN | {"runOnly": ["color-contrast"]}  # they take axe most of its time, so they are asked for apart
RUN = """async ([apart, options]) => {
  const found = await axe.run({ include: [["html"]], exclude: apart.map((part) => [part]) }, options);
  const line = (rule, node) => `${rule.id}: ${node.html.slice(0, 120)}`;
  return found.violations.flatMap((rule) => rule.nodes.map((node) => line(rule, node)));
}"""

FORMULAS = """() => {
  const written = document.querySelectorAll("span.math, div.math").length;
  const drawn = document.querySelectorAll(":is(span, div).math > mjx-container:has(svg)").length;
  const faults = document.querySelectorAll("[data-mml-node='merror']").length;
  return written === drawn && !faults ? [] : [`of ${written} formulas ${drawn} are drawn, ${faults} with a fault`];
}"""

SIDEWAYS = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth ? [`the page is ${scrollWidth} wide on a screen of ${clientWidth}`] : [];
}"""

# A line of a lab has 88 columns; a longer one breaks there
CODE = """() => [...document.querySelectorAll("article .highlight pre")].flatMap((box) => {
  if (!box.checkVisibility()) return [];
  const lines = box.textContent.split("\\n");
  if (Math.max(...lines.map((line) => line.length)) > 88) return [];
  const before = box.style.whiteSpace;
  box.style.whiteSpace = "pre";
  const wide = box.scrollWidth > box.clientWidth;
  box.style.whiteSpace = before;
  return wide ? [`code is wider than its column: ${lines[0]}`] : [];
})"""

SCROLLERS = """() => [...document.querySelectorAll("article *")].filter((box) => {
  if (box.scrollWidth <= box.clientWidth + 1 || !box.checkVisibility()) return false;
  return ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
}).filter((box) => box.tabIndex !== 0 || box.getAttribute("role") !== "region" || !box.ariaLabel
  || getComputedStyle(box).maskImage === "none"
).map((box) => `scrolls sideways and does not say so: ${box.outerHTML.slice(0, 120)}`)"""

FIGURES = """() => [...document.querySelectorAll("article img[src*='_images/']")]
  .filter((image) => image.closest("a")?.href !== image.src || image.alt.length < 40)
  .map((image) => `does not open in full size, or has no text: ${image.src}`)"""


def show(page, width, theme="light"):
    """Give the page this width and theme, and wait until formulas are drawn and it has found out what scrolls."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    if page.evaluate("document.documentElement.dataset.theme") not in (None, theme):
        page.reload()  # the page for lost addresses looks at the theme once
        assert page.evaluate("document.documentElement.dataset.theme") == theme
    page.evaluate("() => window.MathJax?.startup?.promise.then(() => null)")
    # One frame later it knows; and colours that change gently have changed
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 350)))")


def accessibility(page, *, apart=(), rules=True):
    """What axe-core finds, a line for each element: the `rules`, and colours except in the parts that are `apart`."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return (page.evaluate(RUN, [[], RULES]) if rules else []) + page.evaluate(RUN, [list(apart), COLOURS])


def wrongs(page, width, theme="light"):
    """All that is wrong with a page at this width and in this theme.

    Rules that do not ask for colours are the same in both themes, so they are asked in one. Colours of code are those
    of its style sheet, which has a test of its own; and those of the article are the same at every width.
    """
    show(page, width, theme)
    asked = [FORMULAS, SIDEWAYS, SCROLLERS, FIGURES] + [CODE] * (width >= 1280)
    apart = ["article .highlight"] if width >= 1280 else ["article"]
    found = [line for question in asked for line in page.evaluate(question)]
    return found + accessibility(page, apart=apart, rules=theme == "light")
