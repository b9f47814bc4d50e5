// Arrows, space and page keys turn; Home and End jump; N shows the notes, F fills the screen. The address keeps the slide.
const slides = [...document.querySelectorAll("section")];
let shown = 0;

function show(number) {
  shown = Math.max(0, Math.min(slides.length - 1, number));
  slides.forEach((slide, i) => slide.classList.toggle("shown", i === shown));
  history.replaceState(null, "", "#" + (shown + 1));
}

function fromAddress() {
  show((parseInt(location.hash.slice(1), 10) || 1) - 1);
}

const steps = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in steps) show(shown + (event.key === " " && event.shiftKey ? -1 : steps[event.key]));
  else if (event.key === "Home") show(0);
  else if (event.key === "End") show(slides.length - 1);
  else if (event.key.toLowerCase() === "n") document.body.classList.toggle("notes");
  else if (event.key.toLowerCase() === "f") {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen();
  } else return;
  event.preventDefault();
});

let touched = null;
addEventListener("touchstart", (event) => { touched = event.changedTouches[0].clientX; });
addEventListener("touchend", (event) => {
  const moved = event.changedTouches[0].clientX - touched;
  if (Math.abs(moved) > 50) show(shown + (moved < 0 ? 1 : -1));
});
addEventListener("hashchange", fromAddress);
document.body.classList.add("running");
fromAddress();
