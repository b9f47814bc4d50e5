// The player of the book's animations. It knows nothing but `window.FILMS` (animations/films.js): for each film how its
// frames lie on one picture, and a line of text for each. The still of a film is a figure called `film-NAME`; the player
// takes its place on the screen, and leaves it to print. Nothing moves before somebody presses the button.
(() => {
  "use strict";
  const here = document.currentScript.src;

  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function play(figure, name, film) {
    const still = figure.querySelector("img");
    const last = film.lines.length - 1;
    const rows = Math.ceil(film.lines.length / film.columns);
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

    const screen = make("div", { className: "film-screen" });
    screen.setAttribute("role", "img");
    screen.setAttribute("aria-label", still.alt);
    screen.style.aspectRatio = `${film.width} / ${film.height}`;
    screen.style.backgroundSize = `${100 * film.columns}% ${100 * rows}%`;
    const button = make("button", { type: "button", className: "film-button" });
    const slider = make("input", { type: "range", className: "film-slider", min: 0, max: last, value: last });
    slider.setAttribute("aria-label", "Frame");
    const line = make("p", { className: "film-line" });
    const controls = make("div", { className: "film-controls" }, button, slider, line);

    let timer = null;
    let asked = false;

    // The picture of all frames is large: it comes when somebody asks for a frame, and the still stays until it is there
    function load() {
      if (asked) return;
      asked = true;
      const picture = new Image();
      picture.onload = () => {
        screen.style.backgroundImage = `url("${picture.src}")`;
        figure.classList.add("film-on");
      };
      picture.src = new URL(`animations/${name}.webp`, here).href;
    }

    function show(frame) {
      slider.value = frame;
      const x = frame % film.columns;
      const y = Math.floor(frame / film.columns);
      screen.style.backgroundPosition = `${(100 * x) / (film.columns - 1)}% ${rows > 1 ? (100 * y) / (rows - 1) : 0}%`;
      line.textContent = film.lines[frame];
      slider.setAttribute("aria-valuetext", `${frame + 1} of ${last + 1}: ${film.lines[frame]}`);
    }

    function label() {
      button.textContent = calm.matches ? "Next frame" : timer ? "❚❚ Pause" : "▶ Play";
    }

    function stop() {
      clearInterval(timer);
      timer = null;
      label();
    }

    function next() {
      show(slider.valueAsNumber === last ? 0 : slider.valueAsNumber + 1);
    }

    button.addEventListener("click", () => {
      load();
      if (calm.matches) return next();
      if (timer) return stop();
      if (slider.valueAsNumber === last) show(0);
      timer = setInterval(() => {
        next();
        if (slider.valueAsNumber === last) stop();
      }, film.milliseconds);
      label();
    });
    slider.addEventListener("input", () => {
      load();
      stop();
      show(slider.valueAsNumber);
    });
    calm.addEventListener("change", stop);

    (still.closest("a") ?? still).after(screen, controls);
    show(last);
    label();
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const [name, film] of Object.entries(window.FILMS ?? {})) {
      const figure = document.getElementById(`film-${name}`);
      if (figure) play(figure, name, film);
    }
  });
})();
