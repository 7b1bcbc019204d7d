// One frame of a viewer: a canvas with a picture and, where it has cells, the regions on it.

import { load, plainWindow, regionsOf, toned } from "./picture.js";

const SQUARES = 4; // enlarged as much as this, pixels are shown as squares
const FILL = 120 / 255; // how much of the picture a region hides, as in app/pictures/drawing.py
const DIM = 0.4; // regions that are not asked about
const OUTLINE = 2;
const DISC = 11; // radius of a number's ground; it and the outline are the same at any zoom
const GROUND = "#101214";

const clamp = (value, low, high) => Math.min(Math.max(value, Math.min(low, high)), Math.max(low, high));

export class Frame {
  constructor(place) {
    this.place = place;
    this.asked = Number(place.dataset.asked ?? 0);
    this.side = place.dataset.side ?? ""; // tells the regions of two frames apart
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", [...place.querySelectorAll("img")].map((image) => image.alt).filter(Boolean).join(". "));
    place.append(this.canvas);
    place.tabIndex = 0;
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", place.dataset.name);
  }

  async load(once) {
    const { values, cells } = this.place.dataset;
    [this.picture, this.cells] = await Promise.all([once(values, load), cells && load(cells)]);
    this.plain = plainWindow(this.picture);
    this.regions = this.cells ? regionsOf(this.cells) : new Map();
  }

  get isShown() {
    return Boolean(this.picture && this.canvas.clientWidth);
  }

  // Where the picture lies on the canvas: {left, top, width, height}, in the canvas's own pixels.
  placed(view) {
    const { width, height } = this.canvas;
    const fit = Math.min(width / this.picture.width, height / this.picture.height);
    const [wide, high] = [this.picture.width * fit * view.zoom, this.picture.height * fit * view.zoom];
    const start = (room, length, middle) => (length <= room ? (room - length) / 2 : clamp(room / 2 - middle * length, room - length, 0));
    return { left: start(width, wide, view.x), top: start(height, high, view.y), width: wide, height: high };
  }

  // The point of the picture below a point of the window, in shares of its width and height.
  pointAt(view, clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    const density = this.canvas.width / box.width;
    const { left, top, width, height } = this.placed(view);
    return [((clientX - box.left) * density - left) / width, ((clientY - box.top) * density - top) / height];
  }

  // The view in which the given point of the picture lies below that point of the window, as far as the picture reaches.
  viewWith(view, [x, y], clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    const density = this.canvas.width / box.width;
    const { width, height } = this.placed(view);
    return this.settled({
      ...view,
      x: x - ((clientX - box.left) * density - this.canvas.width / 2) / width,
      y: y - ((clientY - box.top) * density - this.canvas.height / 2) / height,
    });
  }

  settled(view) {
    const { width, height } = this.placed(view);
    const within = (middle, room, length) => (length <= room ? 0.5 : clamp(middle, room / 2 / length, 1 - room / 2 / length));
    return { ...view, x: within(view.x, this.canvas.width, width), y: within(view.y, this.canvas.height, height) };
  }

  regionAt(view, clientX, clientY) {
    if (!this.cells) return 0;
    const [x, y] = this.pointAt(view, clientX, clientY);
    if (x < 0 || y < 0 || x >= 1 || y >= 1) return 0;
    return this.cells.values[Math.floor(y * this.cells.height) * this.cells.width + Math.floor(x * this.cells.width)];
  }

  // lit: the region that is shown alone, as this.side and its number; empty for all.
  draw(view, lit, hidden) {
    if (!this.isShown) return;
    const density = window.devicePixelRatio;
    this.canvas.width = Math.round(this.canvas.clientWidth * density);
    this.canvas.height = Math.round(this.canvas.clientHeight * density);
    const pen = this.canvas.getContext("2d");
    const box = this.placed(view);
    pen.imageSmoothingEnabled = box.width / this.picture.width < SQUARES;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.tone(view), box.left, box.top, box.width, box.height);
    if (hidden || !view.opacity) return;
    const own = [...this.regions].filter(([number]) => lit === this.side + number);
    const shown = own.length ? own : [...this.regions];
    for (const [number, region] of shown) {
      const strength = !this.asked || number === this.asked || own.length ? 1 : DIM;
      this.drawRegion(pen, region, box, strength * view.opacity, density);
    }
    for (const [number, region] of shown) this.drawNumber(pen, number, region, box, density);
  }

  tone(view) {
    const range = view.window?.deep === this.picture.deep ? view.window : this.plain;
    const { width, level } = this.picture.channels === 1 ? range : this.plain;
    const wanted = `${width} ${level} ${view.inverted}`;
    if (this.picture.tone !== wanted) {
      this.picture.tone = wanted;
      this.picture.canvas = toned(this.picture, { width, level }, view.inverted);
    }
    return this.picture.canvas;
  }

  drawRegion(pen, { canvas, outline, colour }, box, opacity, density) {
    const [across, down] = [box.width / this.cells.width, box.height / this.cells.height];
    pen.save();
    pen.imageSmoothingEnabled = false;
    pen.globalAlpha = FILL * opacity;
    pen.drawImage(canvas, box.left, box.top, box.width, box.height);
    pen.globalAlpha = opacity;
    pen.setTransform(across, 0, 0, down, box.left, box.top);
    pen.lineWidth = (OUTLINE * density) / Math.min(across, down);
    pen.lineCap = "square";
    pen.strokeStyle = colour;
    pen.stroke(outline);
    pen.restore();
  }

  drawNumber(pen, number, { centre, colour }, box, density) {
    const x = box.left + (centre[0] / this.cells.width) * box.width;
    const y = box.top + (centre[1] / this.cells.height) * box.height;
    pen.beginPath();
    pen.arc(x, y, DISC * density, 0, 2 * Math.PI);
    pen.fillStyle = GROUND;
    pen.fill();
    pen.lineWidth = density;
    pen.strokeStyle = colour;
    pen.stroke();
    pen.fillStyle = "#fff";
    pen.font = `700 ${14 * density}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(number, x, y + density);
  }
}
