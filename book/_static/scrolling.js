// What is wider than its column scrolls by itself: code, tables, formulas. Here it says so. While it does scroll, it can be
// reached and moved by keyboard, has a name, and fades out at the side where it goes on (book.css).
(() => {
  "use strict";
  const NAMES = {
    Code: "article pre",
    Table: "article .pst-scrollable-table-container, article .cell_output .output",
    Formula: "article mjx-container[display]",
  };
  const MORE = { before: "more-before", after: "more-after" };

  function fade(box) {
    const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
    box.classList.toggle(MORE.before, box.scrollLeft > 1);
    box.classList.toggle(MORE.after, rest > 1);
  }

  function describe(box, name) {
    const scrolls = box.scrollWidth > box.clientWidth + 1;
    if (scrolls) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", name);
    } else if (box.getAttribute("role") === "region") {
      for (const attribute of ["tabindex", "role", "aria-label"]) box.removeAttribute(attribute);
    }
    fade(box);
  }

  function watch() {
    for (const [kind, selector] of Object.entries(NAMES)) {
      document.querySelectorAll(selector).forEach((box, place) => {
        const name = `${kind} ${place + 1}, scrolls sideways`;
        new ResizeObserver(() => describe(box, name)).observe(box);
        box.addEventListener("scroll", () => fade(box), { passive: true });
      });
    }
  }

  // Formulas are there once MathJax has drawn them; without any there is no MathJax
  window.addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(watch));
})();
