// A line chart with a cursor that all charts share. Lines are told apart by colour and by dashes.

const DASHES = ["", "7 4", "2 3", "10 3 2 3", "4 2", "1 4"];
const WIDTH = 360, HEIGHT = 176;
const LEFT = 46, RIGHT = 8, TOP = 10, BOTTOM = 22;

// The step that is pointed at, in all charts.
const cursor = {
  step: null,
  followers: [],
  point(step) {
    if (step === this.step) return;
    this.step = step;
    for (const follow of this.followers) follow();
  },
};

// Numbers between two others at which a scale is marked: about `count`, at round distances.
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const distance = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let index = Math.ceil(low / distance); index * distance <= high * (1 + 1e-9); index++) found.push(index * distance);
  return found;
}

// The mean of a value and those before it, of which each weighs less by `weight`.
function smoothed(points, weight) {
  let sum = 0, total = 0;
  return points.map(([step, value, ...rest]) => {
    sum = sum * weight + value;
    total = total * weight + 1;
    return [step, sum / total, ...rest];
  });
}

// lines: [{ label, color, dash, run, points: [[step, value, low, high], …] }], steps ascending; low and high need not be there.
// settings: { smoothing, hidden: runs that are not shown, steps: [first, last] }.
function lineChart({ title, says, unit, lines }, settings) {
  const drawing = svg("g", {});
  const marks = svg("g", { class: "marks" });
  const steps = [...new Set(lines.flatMap((line) => line.points.map(([step]) => step)))].sort((a, b) => a - b);
  const area = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: "0",
    pointermove: (event) => cursor.point(stepAt(event)), pointerleave: () => cursor.point(null),
    keydown: onKey, blur: () => cursor.point(null),
  }, drawing, marks);
  const legend = lines.map((line) => {
    const value = element("span", { class: "value" });
    const sample = svg("svg", { viewBox: "0 0 22 8", class: "sample", "aria-hidden": "true" },
      svg("line", { x1: 0, x2: 22, y1: 4, y2: 4, class: `line color-${line.color}`, "stroke-dasharray": DASHES[line.dash] }));
    return { line, value, item: element("li", {}, sample, element("span", { class: "label" }, line.label), value) };
  });
  const place = element("span", { class: "step" });
  const figure = element("figure", { class: "chart" },
    element("figcaption", {}, element("span", { class: "title" }, title), place, element("span", { class: "says" }, says)),
    area, element("ul", { class: "legend" }, legend.map(({ item }) => item)));
  let scale = null;

  function draw() {
    const shownLines = lines.filter((line) => !settings.hidden.has(line.run));
    legend.forEach(({ line, item }) => { item.hidden = settings.hidden.has(line.run); });
    const weight = settings.smoothing;
    const courses = shownLines.map((line) => ({ line, points: weight > 0 ? smoothed(line.points, weight) : line.points }));
    scale = scaleOf(shownLines.flatMap((line) => line.points), unit, settings.steps);
    const { x, y } = scale;
    const grid = scale.levels.map((level) => [
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(level), y2: y(level) }),
      svg("text", { class: "tick", x: LEFT - 6, y: y(level) + 3.5, "text-anchor": "end" }, shown(level, unit === "count" ? "number" : unit).replace(/\.0(?= )/, "")),
    ]);
    const below = stepTicks(settings.steps).map((step) =>
      svg("text", { class: "tick", x: x(step), y: HEIGHT - 6, "text-anchor": "middle" }, String(step)));
    const path = (points) => points.map(([step, value], index) => `${index ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    const drawn = courses.map(({ line, points }) => {
      const faint = weight > 0 ? svg("path", { class: `line faint color-${line.color}`, d: path(line.points) }) : null;
      const dots = points.length <= 12 ? points.map(([step, value]) => svg("circle", { class: `dot color-${line.color}`, cx: x(step), cy: y(value), r: 2.2 })) : [];
      const spans = points.filter((point) => point.length > 2).map(([step, , low, high]) =>
        svg("line", { class: `span color-${line.color}`, x1: x(step), x2: x(step), y1: y(low), y2: y(high) }));
      return [faint, spans, svg("path", { class: `line color-${line.color}`, "stroke-dasharray": DASHES[line.dash], d: path(points) }), dots];
    });
    drawing.replaceChildren(...grid.flat(), ...below, ...drawn.flat(3).filter((one) => one !== null));
    follow();
  }

  // The values at the cursor, or the last ones.
  function follow() {
    const step = cursor.step;
    const near = step === null ? null : steps.reduce((best, one) => (Math.abs(one - step) < Math.abs(best - step) ? one : best), steps[0]);
    place.textContent = near === null ? "" : `step ${near}`;
    marks.replaceChildren();
    if (near !== null) marks.append(svg("line", { class: "cursor", x1: scale.x(near), x2: scale.x(near), y1: TOP, y2: HEIGHT - BOTTOM }));
    const words = [];
    for (const { line, value } of legend) {
      const point = near === null ? line.points.at(-1) : line.points.find(([one]) => one === near);
      value.textContent = point ? valueOf(point) : "–";
      if (settings.hidden.has(line.run)) continue;
      words.push(`${line.label} ${value.textContent}`);
      if (near !== null && point) marks.append(svg("circle", { class: `dot color-${line.color}`, cx: scale.x(near), cy: scale.y(point[1]), r: 3.5 }));
    }
    area.setAttribute("aria-label", `${title}, ${near === null ? "last values" : `step ${near}`}: ${words.join(", ")}`);
  }

  function valueOf([, value, low, high]) {
    return low === undefined ? shown(value, unit) : `${shown(value, unit)} [${(low * 100).toFixed(1)}, ${(high * 100).toFixed(1)}]`;
  }

  function stepAt(event) {
    const box = area.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * WIDTH;
    return Math.round(scale.step(at));
  }

  function onKey(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") cursor.point(null);
    if (!(event.key in moves) || steps.length === 0) return;
    event.preventDefault();
    const now = cursor.step === null ? steps.length - (moves[event.key] < 0 ? 0 : 1) : steps.indexOf(cursor.step);
    cursor.point(steps[Math.max(0, Math.min(steps.length - 1, now + moves[event.key]))]);
    announce(area.getAttribute("aria-label"));
  }

  cursor.followers.push(follow);
  return { figure, draw };
}

function scaleOf(points, unit, [first, last]) {
  const values = points.flatMap(([, ...numbers]) => numbers);
  let low = Math.min(...values), high = Math.max(...values);
  // Shares and amounts begin at zero, so that small changes look small.
  if (unit !== "number" && low >= 0) low = 0;
  if (!(high > low)) { low = unit === "number" ? low - 0.5 : 0; high = high > low ? high : low + 1; }
  const levels = ticks(low, high, 4);
  const room = (high - low) * 0.06;
  const [bottom, top] = [low === 0 ? 0 : low - room, high + room];
  const width = WIDTH - LEFT - RIGHT, height = HEIGHT - TOP - BOTTOM;
  const wide = Math.max(last - first, 1);
  return {
    levels,
    x: (step) => LEFT + ((step - first) / wide) * width,
    y: (value) => TOP + (1 - (value - bottom) / (top - bottom)) * height,
    step: (at) => Math.max(first, Math.min(last, first + ((at - LEFT) / width) * wide)),
  };
}

function stepTicks([first, last]) {
  if (last - first < 2) return [...new Set([first, last])];
  return ticks(first, last, 5).filter((step) => Number.isInteger(step));
}
