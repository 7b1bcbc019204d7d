// What a viewer draws from: a picture's own values, brought to what a screen can show, and the regions that lie on it.

// As the style sheet has it, for rows and lines too.
const colourOf = (number) => getComputedStyle(document.documentElement).getPropertyValue(`--cluster-${number}`).trim();
const EIGHT_BITS = 255;

// Netpbm, as app/pictures/values.py writes it: {width, height, channels, deep, values}.
export async function load(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status} ${address}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const head = /^P([56])\n(\d+) (\d+)\n(\d+)\n/.exec(String.fromCharCode(...bytes.subarray(0, 40)));
  const [width, height, top] = head.slice(2).map(Number);
  const rest = bytes.subarray(head[0].length);
  const deep = top > EIGHT_BITS;
  return { width, height, deep, channels: head[1] === "5" ? 1 : 3, values: deep ? words(rest) : rest };
}

function words(bytes) {
  const values = new Uint16Array(bytes.length / 2);
  for (let at = 0; at < values.length; at += 1) values[at] = (bytes[2 * at] << 8) | bytes[2 * at + 1];
  return values;
}

// The window that shows the picture as the server draws it: all 8 bits, or of deeper pictures from the least to the
// greatest value.
export function plainWindow({ deep, values }) {
  if (!deep) return { width: EIGHT_BITS, level: EIGHT_BITS / 2 };
  let low = Infinity;
  let high = 0;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { width: Math.max(1, high - low), level: (low + high) / 2 };
}

// A canvas with the picture's own pixels: black is what lies below the window, white what lies above it.
export function toned(picture, { width: range, level }, inverted) {
  const low = level - range / 2;
  const table = new Uint8ClampedArray(picture.deep ? 65536 : 256);
  for (let value = 0; value < table.length; value += 1) {
    const tone = ((value - low) / range) * EIGHT_BITS;
    table[value] = inverted ? EIGHT_BITS - Math.min(EIGHT_BITS, Math.max(0, tone)) : tone;
  }
  const { width, height, channels, values } = picture;
  const image = new ImageData(width, height);
  const [green, blue] = channels === 3 ? [1, 2] : [0, 0];
  for (let from = 0, to = 0; to < image.data.length; from += channels, to += 4) {
    image.data[to] = table[values[from]];
    image.data[to + 1] = table[values[from + green]];
    image.data[to + 2] = table[values[from + blue]];
    image.data[to + 3] = EIGHT_BITS;
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// By number: the region's colour, its pixels as a canvas, its outline in cells, and where its number stands.
export function regionsOf({ width, height, values }) {
  const found = new Map();
  for (const number of [...new Set(values)].filter(Boolean).sort()) {
    const colour = colourOf(number);
    const canvas = new OffscreenCanvas(width, height);
    const pen = canvas.getContext("2d");
    pen.fillStyle = colour;
    const outline = new Path2D();
    const own = [];
    const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && values[y * width + x] === number;
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        if (!inside(x, y)) continue;
        own.push([x, y]);
        pen.fillRect(x, y, 1, 1);
        if (!inside(x - 1, y)) line(outline, x, y, x, y + 1);
        if (!inside(x + 1, y)) line(outline, x + 1, y, x + 1, y + 1);
        if (!inside(x, y - 1)) line(outline, x, y, x + 1, y);
        if (!inside(x, y + 1)) line(outline, x, y + 1, x + 1, y + 1);
      }
    }
    found.set(number, { colour, canvas, outline, centre: centreOf(own) });
  }
  return found;
}

function line(path, x0, y0, x1, y1) {
  path.moveTo(x0, y0);
  path.lineTo(x1, y1);
}

// The region's own cell that lies nearest to its median, so that the number of a ring stands on the ring.
function centreOf(cells) {
  const middle = [0, 1].map((axis) => cells.map((cell) => cell[axis]).sort((a, b) => a - b)[cells.length >> 1]);
  const distance = ([x, y]) => (x - middle[0]) ** 2 + (y - middle[1]) ** 2;
  const [x, y] = cells.reduce((best, cell) => (distance(cell) < distance(best) ? cell : best));
  return [x + 0.5, y + 0.5];
}
