"""What a reader needs of a page, asked of one that is open: each question answers with what is wrong."""

from axe_playwright_python.sync_playwright import Axe

# Styles need not be fetched once more, which files refuse; and labels must say what stands on the control. Colours take
# axe most of its time: they are asked for apart
PLAIN = {"preload": False, "resultTypes": ["violations"]}
RULES = PLAIN | {"rules": {"label-content-name-mismatch": {"enabled": True}, "color-contrast": {"enabled": False}}}
COLOURS = PLAIN | {"runOnly": ["color-contrast"]}

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


def settle(page):
    """Wait until formulas are drawn, and until the page has found out what scrolls at this width."""
    page.evaluate("() => window.MathJax?.startup?.promise.then(() => null)")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 150)))")


def accessibility(page, *, apart=()):
    """What axe-core finds, a line for each element; parts of the page whose colours are known are `apart`."""
    axe = Axe()
    found = axe.run(page, options=RULES).response["violations"]
    context = {"exclude": [[part] for part in apart]} if apart else None
    found += axe.run(page, context=context, options=COLOURS).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


def wrongs(page, width):
    """All that is wrong with a page at this width.

    Colours of code are those of its style sheet, which has a test of its own; and those of the article are the same
    at every width.
    """
    page.set_viewport_size({"width": width, "height": 800})
    settle(page)
    asked = [FORMULAS, SIDEWAYS, SCROLLERS, FIGURES] + [CODE] * (width >= 1280)
    return [line for question in asked for line in page.evaluate(question)] + accessibility(
        page, apart=["article .highlight"] if width >= 1280 else ["article"]
    )
