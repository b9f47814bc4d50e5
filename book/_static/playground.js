// The playground: a canvas of particles, targets to drag, and sliders. The arithmetic lies in playground_arithmetic.js,
// curve, targets and noise levels in playground_data.js. No library, no network; it works from a file, too.

(() => {
  const place = document.getElementById("playground");
  const { curve, one, four, levels, steps } = playgroundData;
  const arithmetic = playgroundArithmetic;

  const N_PARTICLES = 200;
  const REACH = 2.4; // the canvas shows the plane from -REACH to REACH
  const NUDGE = 0.05; // how far an arrow key moves a target
  const SECONDS = 3; // from noise to the end
  const KINDS = {
    one: "one, for all particles",
    own: "four: each particle has its own",
    set: "four: the particles share them out",
  };
  const SLIDERS = {
    strength: { text: "Strength", min: 0, max: 1, step: 0.05, value: 0.3, say: (v) => v.toFixed(2) },
    softness: {
      text: "Softness",
      min: 0,
      max: 1,
      step: 0.1,
      value: 0,
      say: (v) => v.toFixed(1) + ({ 0: " (mode)", 1: " (manifold)" }[v] ?? ""),
    },
    above: { text: "Guide above noise share", min: 0, max: 0.95, step: 0.05, value: 0, say: (v) => v.toFixed(2) },
    neighbors: { text: "Neighbours", min: 2, max: 60, step: 1, value: 12, say: String },
    steps: {
      text: "Steps",
      min: 0,
      max: steps.length - 1,
      step: 1,
      value: steps.indexOf(50),
      say: (v) => String(steps[v]),
    },
  };
  const VALUES = {
    taken: "Steps taken",
    share: "Noise share",
    curve: "Mean distance to the curve",
    target: "Mean distance to the target",
    counts: "Particles nearest to each target",
  };

  const state = {
    kind: "one",
    targets: { one: one.map((point) => [...point]), four: four.map((point) => [...point]) },
    seed: 0,
    taken: 0, // steps, of so many
    of: 0,
    samples: [],
    playing: false,
  };

  // ---- the elements of the page -------------------------------------------------------------------------------------

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function slider(name, { text, min, max, step, value, say }) {
    const input = element("input", { type: "range", id: `playground-${name}`, min, max, step, value });
    const told = element("span", { "aria-hidden": "true" }); // a screen reader takes it from the slider
    const show = () => {
      told.textContent = say(Number(input.value));
      input.setAttribute("aria-valuetext", told.textContent);
    };
    input.addEventListener("input", () => {
      show();
      changed();
    });
    show();
    return { input, row: element("div", {}, element("label", { for: input.id }, text), told, input) };
  }

  function radio(kind, text) {
    const input = element("input", { type: "radio", name: "playground-targets", value: kind });
    input.checked = kind === state.kind;
    input.addEventListener("change", () => {
      state.kind = kind;
      placeHandles();
      changed();
    });
    return element("label", {}, input, ` ${text}`);
  }

  function button(text, act) {
    const made = element("button", { type: "button" }, text);
    made.addEventListener("click", act);
    return made;
  }

  const canvas = element("canvas", { role: "img", "aria-label": "Particles, a curve and targets" });
  const stage = element("div", { class: "playground-stage" }, canvas);
  const sliders = Object.fromEntries(Object.entries(SLIDERS).map(([name, given]) => [name, slider(name, given)]));
  const play = button("Play", () => (state.playing ? pause() : start()));
  const buttons = [play, button("One step", forward), button("Back to noise", back), button("Other noise", redraw)];
  const values = Object.fromEntries(Object.keys(VALUES).map((name) => [name, element("dd", { "data-value": name })]));
  const status = element("p", { role: "status", class: "playground-status" });

  place.append(
    stage,
    element(
      "div",
      { class: "playground-controls" },
      element("div", { class: "playground-buttons" }, ...buttons),
      element(
        "dl",
        {},
        ...Object.entries(VALUES).map(([name, text]) => element("div", {}, element("dt", {}, text), values[name])),
      ),
      ...Object.values(sliders).map(({ row }) => row),
      element(
        "fieldset",
        {},
        element("legend", {}, "Targets"),
        ...Object.entries(KINDS).map(([kind, text]) => radio(kind, text)),
      ),
      status,
    ),
  );

  // ---- targets: buttons over the canvas, to drag or to move by arrow keys -----------------------------------------------

  const targets = () => state.targets[state.kind === "one" ? "one" : "four"];
  const clipped = (number) => Math.max(-REACH, Math.min(REACH, number));

  function placeHandles() {
    stage.querySelectorAll("button").forEach((handle) => handle.remove());
    targets().forEach((target, index) => {
      const number = targets().length > 1 ? String(index + 1) : "";
      const handle = element("button", { type: "button", class: "playground-target" });
      handle.innerHTML =
        '<svg viewBox="-12 -12 24 24" aria-hidden="true"><path d="M0-11 3-4 11-3.5 5 2 7 10 0 6-7 10-5 2-11-3.5-3-4Z"/>' +
        `<text y="3.5">${number}</text></svg>`;
      const moveTo = (x, y) => {
        [target[0], target[1]] = [clipped(x), clipped(y)];
        show();
        changed();
      };
      const show = () => {
        const [x, y] = target;
        handle.style.left = `${50 + (50 * x) / REACH}%`;
        handle.style.top = `${50 - (50 * y) / REACH}%`;
        handle.setAttribute("aria-label", `Target${number && ` ${number}`} at ${x.toFixed(2)}, ${y.toFixed(2)}: arrow keys move it`);
      };
      handle.addEventListener("keydown", (event) => {
        const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
        if (x === undefined) return;
        event.preventDefault(); // or the page scrolls
        moveTo(target[0] + NUDGE * x, target[1] + NUDGE * y);
      });
      handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
      handle.addEventListener("pointermove", (event) => {
        if (!handle.hasPointerCapture(event.pointerId)) return;
        const box = stage.getBoundingClientRect();
        const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
        moveTo(REACH * (2 * x - 1), REACH * (1 - 2 * y));
      });
      stage.append(handle);
      show();
    });
  }

  // ---- what happens -------------------------------------------------------------------------------------------------

  const setting = (name) => Number(sliders[name].input.value);
  const path = () => arithmetic.levelsOf(levels, steps[setting("steps")]);
  const settings = () => ({
    strength: setting("strength"),
    softness: setting("softness"),
    above: setting("above"),
    neighbors: setting("neighbors"),
    targets: targets(),
    together: state.kind === "set",
  });

  let asked = false; // a new run, for the next frame; several changes within one frame are one
  function changed() {
    sliders.softness.input.disabled = state.kind === "set";
    sliders.neighbors.input.disabled = state.kind === "set" || setting("softness") === 0;
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      const [all, share] = [path(), state.taken / (state.of || 1)];
      state.of = all.length - 1;
      state.taken = Math.round(share * state.of); // as far on the way as before, when the steps become more or fewer
      state.samples = arithmetic.run(arithmetic.noise(state.seed, N_PARTICLES), curve, all, settings(), state.taken);
      show();
    });
  }

  function advance() {
    const all = path();
    if (state.taken === all.length - 1) return false;
    const [level, following] = [all[state.taken], all[state.taken + 1]];
    state.samples = arithmetic.step(state.samples, curve, level, following, settings());
    state.taken += 1;
    return true;
  }

  function forward() {
    pause();
    advance();
    show();
  }

  function back() {
    pause();
    state.taken = 0;
    changed();
  }

  function redraw() {
    state.seed += 1;
    changed();
  }

  function pause() {
    state.playing = false;
    play.textContent = "Play";
    show();
  }

  function start() {
    if (state.taken === state.of) {
      state.taken = 0;
      state.samples = arithmetic.noise(state.seed, N_PARTICLES);
    }
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      while (advance());
      show();
      return;
    }
    state.playing = true;
    play.textContent = "Pause";
    let last = performance.now();
    requestAnimationFrame(function frame(now) {
      if (!state.playing) return;
      if (now - last >= (1000 * SECONDS) / state.of) {
        last = now;
        advance();
        show();
      }
      if (state.taken < state.of) requestAnimationFrame(frame);
      else pause();
    });
  }

  // ---- what is seen and said ------------------------------------------------------------------------------------------

  function show() {
    const { signal, noise } = path()[state.taken];
    const found = arithmetic.measure(state.samples, curve, settings());
    values.taken.textContent = `${state.taken} of ${state.of}`;
    values.share.textContent = (noise / Math.hypot(signal, noise)).toFixed(2);
    values.curve.textContent = found.curve.toFixed(3);
    values.target.textContent = found.target.toFixed(3);
    values.counts.textContent = found.counts.join(", ");
    draw();
    if (state.playing) return; // a screen reader hears the end, not every step
    status.textContent =
      `Step ${values.taken.textContent}: mean distance to the curve ${values.curve.textContent}, ` +
      `to the target ${values.target.textContent}.`;
  }

  function draw() {
    const side = canvas.clientWidth;
    const scale = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(side * scale);
    const colors = getComputedStyle(place);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const dots = (points, color, radius, alpha) => {
      context.fillStyle = colors.getPropertyValue(color);
      context.globalAlpha = alpha;
      for (const [x, y] of points) {
        context.beginPath();
        context.arc((side / 2) * (1 + x / REACH), (side / 2) * (1 - y / REACH), radius, 0, 2 * Math.PI);
        context.fill();
      }
    };
    dots(curve, "--playground-curve", side / 160, 0.45);
    dots(state.samples, "--playground-particle", side / 130, 0.85);
  }

  document.documentElement.classList.add("has-playground"); // the still picture makes room
  new ResizeObserver(draw).observe(stage);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  placeHandles();
  changed();
})();
