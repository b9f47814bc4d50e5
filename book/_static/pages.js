// What every page of the book does for its readers.
(() => {
  "use strict";

  // --- What is wider than its column scrolls by itself: code, tables, formulas. While it does, it can be reached and moved by
  // keyboard, has a name, and fades out at the side where it goes on (book.css).

  const SCROLLERS = {
    Code: "article pre",
    Table: "article .pst-scrollable-table-container, article .cell_output .output",
    Formula: "article mjx-container[display]",
  };

  function fade(box) {
    box.classList.toggle("more-before", box.scrollLeft > 1);
    box.classList.toggle("more-after", box.scrollWidth - box.clientWidth - box.scrollLeft > 1);
  }

  function describe(box, name) {
    if (box.scrollWidth > box.clientWidth + 1) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", name);
    } else if (box.getAttribute("role") === "region") {
      for (const attribute of ["tabindex", "role", "aria-label"]) box.removeAttribute(attribute);
    }
    fade(box);
  }

  function watchScrollers() {
    for (const [kind, selector] of Object.entries(SCROLLERS)) {
      document.querySelectorAll(selector).forEach((box, place) => {
        new ResizeObserver(() => describe(box, `${kind} ${place + 1}, scrolls sideways`)).observe(box);
        box.addEventListener("scroll", () => fade(box), { passive: true });
      });
    }
  }

  // Formulas are there once MathJax has drawn them; a page without any has no MathJax
  addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(watchScrollers));

  // --- Opened as a file, a page may not read others: the search then lists what it found without a piece of its text

  if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

  // --- Paper is white, whatever the theme on the screen

  const page = document.documentElement;
  let theme = null;
  addEventListener("beforeprint", () => {
    theme = page.dataset.theme;
    page.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    page.dataset.theme = theme ?? page.dataset.theme;
    theme = null;
  });
})();
