// The viewer of a figure.viewer: zoom, place, window and opacity are the same in all its frames, and stay from case to
// case for as long as the browser's tab is open. What it draws is in frame.js, from what in picture.js.

import { Frame } from "./frame.js";

const STORE = `rightreasons-view ${location.pathname.split("/", 3).join("/")}`; // one for each project
const FITTED = { zoom: 1, x: 0.5, y: 0.5 };
const ZOOM_STEP = 1.25;
const LARGEST = 16;
const PAN_STEP = 0.1; // of what is seen
const TONE_STEP = 0.05; // of all grey values
const DRAG = 400; // pixels of a drag that go through all grey values
const STILL = 4; // pixels that a click may move
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const limited = (value, low, high) => Math.min(Math.max(value, low), high);

let view = { ...FITTED, opacity: 1, inverted: false, window: null, ...JSON.parse(sessionStorage.getItem(STORE) ?? "{}") };
let figure = null;
let frames = [];
let lit = "";
let hidden = false;
let awaited = 0;

const change = (part) => {
  view = { ...view, ...part };
  sessionStorage.setItem(STORE, JSON.stringify(view));
  redraw();
};

const redraw = () => {
  cancelAnimationFrame(awaited);
  awaited = requestAnimationFrame(() => {
    for (const frame of frames) frame.draw(view, lit, hidden);
    showState();
  });
};

const seen = () => frames.find((frame) => frame.isShown);
const isGrey = () => frames.length > 0 && frames.every(({ picture }) => picture?.channels === 1);
const greys = () => (seen()?.picture.deep ? Math.max(2, seen().plain.level + seen().plain.width / 2) : 255);
const windowNow = () => (view.window?.deep === seen().picture.deep ? view.window : seen().plain);

const setWindow = (width, level) => {
  const { deep } = seen().picture;
  change({ window: { width: limited(width, 1, greys()), level: limited(level, 0, greys()), deep } });
};

const moveWindow = (wider, higher) => {
  if (!isGrey() || !seen()) return;
  const { width, level } = windowNow();
  setWindow(width + wider * greys(), level + higher * greys());
};

const zoomAt = (frame, factor, clientX, clientY) => {
  const zoom = limited(view.zoom * factor, 1, LARGEST);
  const point = frame.pointAt(view, clientX, clientY);
  change(frame.viewWith({ ...view, zoom }, point, clientX, clientY));
};

const zoomMiddle = (factor) => {
  const frame = seen();
  if (!frame) return;
  const box = frame.canvas.getBoundingClientRect();
  zoomAt(frame, factor, box.left + box.width / 2, box.top + box.height / 2);
};

const pan = (across, down) => {
  const frame = seen();
  const { width, height } = frame.placed(view);
  const step = { x: (PAN_STEP * frame.canvas.width) / width, y: (PAN_STEP * frame.canvas.height) / height };
  change(frame.settled({ ...view, x: view.x + across * step.x, y: view.y + down * step.y }));
};

const hide = (on) => {
  hidden = on;
  redraw();
};

const light = (region) => {
  lit = lit === region ? "" : region;
  redraw();
};

const TOOLS = {
  larger: () => zoomMiddle(ZOOM_STEP),
  smaller: () => zoomMiddle(1 / ZOOM_STEP),
  fit: () => change(FITTED),
  more_contrast: () => moveWindow(-TONE_STEP, 0),
  less_contrast: () => moveWindow(TONE_STEP, 0),
  brighter: () => moveWindow(0, -TONE_STEP),
  darker: () => moveWindow(0, TONE_STEP),
  plain: () => change({ window: null, inverted: false }),
  invert: () => change({ inverted: !view.inverted }),
};

// Buttons, sliders, rows and lines show what the frames do.
const showState = () => {
  figure.classList.toggle("enlarged", view.zoom > 1);
  for (const each of document.querySelectorAll("[data-region]")) {
    each.classList.toggle("lit", each.dataset.region === lit);
    if (each.hasAttribute("aria-pressed")) each.setAttribute("aria-pressed", each.dataset.region === lit);
  }
  figure.querySelector("[data-does=invert]")?.setAttribute("aria-pressed", view.inverted);
  figure.querySelector("[data-does=hide]")?.setAttribute("aria-pressed", hidden);
  figure.querySelector(".window").hidden = !isGrey();
  if (seen()) showFigures();
};

const showFigures = () => {
  const { width, level } = windowNow();
  const slide = (name, value, low, high) => {
    const input = figure.querySelector(`input[name=${name}]`);
    if (input) Object.assign(input, { min: low, max: Math.ceil(high), value });
  };
  slide("opacity", 100 * view.opacity, 0, 100);
  slide("width", width, 1, greys());
  slide("level", level, 0, greys());
  figure.querySelector(".figures-of-window").textContent = `W ${Math.round(width)} L ${Math.round(level)}`;
};

const useSlider = ({ name, value }) => {
  if (name === "opacity") change({ opacity: value / 100 });
  else if (!seen()) return;
  else if (name === "width") setWindow(Number(value), windowNow().level);
  else setWindow(windowNow().width, Number(value));
};

// One pointer moves an enlarged picture or, with the right button, its window; two enlarge; a click lights a region.
const followPointers = (frame) => {
  const { canvas } = frame;
  const down = new Map();
  let moved = 0;
  const middle = () => {
    const [a, b = a] = [...down.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
  };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (!down.size) moved = 0;
    down.set(event.pointerId, { x: event.clientX, y: event.clientY, button: event.button });
  });
  canvas.addEventListener("pointermove", (event) => {
    const pointer = down.get(event.pointerId);
    if (!pointer || !frame.isShown) return;
    const before = middle();
    const [across, along] = [event.clientX - pointer.x, event.clientY - pointer.y];
    Object.assign(pointer, { x: event.clientX, y: event.clientY });
    moved += Math.hypot(across, along);
    const after = middle();
    if (pointer.button === 2) {
      moveWindow(across / DRAG, along / DRAG);
    } else {
      const point = frame.pointAt(view, before.x, before.y);
      const zoom = limited(view.zoom * (before.apart ? after.apart / before.apart : 1), 1, LARGEST);
      change(frame.viewWith({ ...view, zoom }, point, after.x, after.y));
    }
  });
  canvas.addEventListener("pointerup", (event) => {
    const pointer = down.get(event.pointerId);
    down.delete(event.pointerId);
    if (!pointer || pointer.button !== 0 || moved > STILL || !frame.isShown) return;
    const number = frame.regionAt(view, event.clientX, event.clientY);
    light(number ? frame.side + number : lit);
  });
  canvas.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener(
    "wheel",
    (event) => {
      const factor = Math.exp(-event.deltaY * (event.deltaMode ? 0.03 : 0.002));
      if (!frame.isShown || limited(view.zoom * factor, 1, LARGEST) === view.zoom) return; // the page scrolls on
      event.preventDefault();
      zoomAt(frame, factor, event.clientX, event.clientY);
    },
    { passive: false },
  );
};

// The button hides for as long as it is pressed or its key is held; a click of no pointer (a screen reader's) switches.
const followHiding = (button) => {
  let pressed = false;
  const press = () => {
    pressed = true;
    hide(true);
  };
  const end = () => {
    if (pressed) hide(false);
    pressed = false;
  };
  button.addEventListener("held", (event) => hide(event.detail));
  button.addEventListener("pointerdown", press);
  button.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    press();
  });
  for (const kind of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) button.addEventListener(kind, end);
  button.addEventListener("click", (event) => {
    if (event.detail === 0) hide(!hidden);
  });
};

const open = async (opened) => {
  [figure, lit, hidden] = [opened, "", false];
  frames = [...figure.querySelectorAll(".frame")].map((place) => new Frame(place));
  figure.classList.add("live");
  const tools = figure.querySelector(".tools");
  tools.hidden = false;
  tools.querySelector("details").open = matchMedia("(min-width: 701px)").matches;
  tools.addEventListener("input", (event) => useSlider(event.target));
  const hiding = tools.querySelector("[data-does=hide]");
  if (hiding) followHiding(hiding);
  frames.forEach(followPointers);
  const sizes = new ResizeObserver(redraw);
  for (const { canvas } of frames) sizes.observe(canvas);
  const loads = new Map();
  const once = (address, load) => loads.get(address) ?? loads.set(address, load(address)).get(address);
  try {
    await Promise.all(frames.map((frame) => frame.load(once)));
    if (figure === opened) redraw();
  } catch {
    opened.classList.remove("live"); // the plain pictures are there, and the browser tells what failed
    tools.hidden = true;
  }
};

document.addEventListener("click", (event) => {
  const tool = figure?.contains(event.target) && TOOLS[event.target.closest("[data-does]")?.dataset.does];
  if (tool && seen()) tool();
  const region = event.target.closest("[data-region]");
  const other = event.target.closest("a, button, input, summary");
  if (region && (!other || other === region)) light(region.dataset.region);
});

document.addEventListener("keydown", (event) => {
  const free = event.target === document.body || (figure?.contains(event.target) && event.target.type !== "range");
  if (!(event.key in ARROWS) || !free || !seen() || view.zoom === 1 || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  pan(...ARROWS[event.key]);
});

const openNew = () => {
  const found = document.querySelector("figure.viewer");
  if (found && found !== figure) open(found);
};
document.addEventListener("htmx:after:swap", openNew);
openNew();
