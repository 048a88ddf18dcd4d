// All numbers of metrics.jsonl and timing.jsonl as charts, under headings. A number that this page does not know is drawn
// under "Other numbers"; what never changes is said in words.

// Each chart: title, what it says, unit, and its lines: a name, or a pattern of names, and what the line is called. $1 and $2
// stand for the parts of a pattern; a title with $1 makes a chart for each.
const CHAPTERS = [
  ["Play", [
    ["Return", "combined score less penalties, mean of the episodes", "number", [["train/return_mean", "return"]]],
    ["Combined score", "what the task makes of its stages' scores", "number", [["train/score_mean", "score"]]],
    ["Score of each stage", "the game's own, 0 to 1", "number", [[/^train\/stages\/((?:(?!\/seats\/|\/counts\/).)+)\/score_mean$/, "$1"]]],
    ["Results: $1", "of the episodes in which it was played", "share", [[/^results\/(.+)\/win$/, "win"], [/^results\/(.+)\/draw$/, "draw"], [/^results\/(.+)\/loss$/, "loss"]]],
    ["Score by seat: $1", "", "number", [[/^train\/stages\/(.+)\/seats\/(\d+)\/score_mean$/, "seat $2"]]],
    ["Wins by seat: $1", "", "share", [[/^train\/stages\/(.+)\/seats\/(\d+)\/win_share$/, "seat $2"]]],
    ["What the game counts: $1", "times out of chances", "share", [[/^train\/stages\/(.+)\/counts\/(.+)$/, "$2"]]],
    ["Spread of returns", "standard deviation", "number", [["train/return_std", "all episodes"], ["train/return_std_in_groups", "within groups"]]],
    ["Cut short", "episodes in which the context ran out", "share", [["train/truncated_share", "truncated"]]],
    ["Faults", "episodes that a misbehaving game ended", "count", [["train/faults", "faults"]]],
    ["Episodes", "", "count", [["train/episodes", "episodes"]]],
    ["Groups", "", "count", [["train/groups", "groups"]]],
    ["Episodes of each stage", "in which it was played", "count", [[/^train\/stages\/((?:(?!\/seats\/).)+)\/episodes$/, "$1"]]],
    ["Episodes by seat: $1", "", "count", [[/^train\/stages\/(.+)\/seats\/(\d+)\/episodes$/, "seat $2"]]],
  ]],
  ["Replies", [
    ["Illegal and malformed", "of all replies: not taken by the game, and without a move", "share", [["train/illegal_share", "illegal"], ["train/malformed_share", "malformed"]]],
    ["Illegal by stage", "of its replies", "share", [[/^train\/stages\/(.+)\/illegal_share$/, "$1"]]],
    ["Malformed by stage", "of its replies", "share", [[/^train\/stages\/(.+)\/malformed_share$/, "$1"]]],
    ["Forfeited by stage", "episodes that used up their attempts", "share", [[/^train\/stages\/(.+)\/forfeited_share$/, "$1"]]],
    ["Length of a reply", "tokens", "number", [["train/reply_tokens_mean", "tokens"]]],
    ["Length of a conversation", "tokens, prompts included", "number", [["train/conversation_tokens_mean", "tokens"]]],
    ["Cut replies", "met the length limit", "share", [["train/replies_cut_share", "cut"]]],
    ["Replies", "", "count", [["train/replies", "replies"]]],
  ]],
  ["Update", [
    ["Entropy", "nats a token", "number", [["train/entropy", "entropy"]]],
    ["Gradient norm", "before clipping", "number", [["train/gradient_norm", "norm"]]],
    ["Loss", "", "number", [["train/loss", "loss"]]],
    ["KL divergence", "nats a token", "number", [["train/kl_from_sampling", "from sampling"], ["train/kl_from_start", "from the start"]]],
    ["Ratio", "new probability over the one sampled with", "number", [["train/ratio_mean", "mean"], ["train/ratio_max", "largest"]]],
    ["Ratio on policy", "first minibatch: 1, if all is well", "number", [["train/ratio_max_on_policy", "largest"]]],
    ["Distance from 1 on policy", "largest of a ratio, within rounding", "number", [["train/on_policy_ratio_error", "distance"]]],
    ["Clipped", "of the trained tokens", "share", [["train/clipped_low_share", "lower bound"], ["train/clipped_high_share", "upper bound"]]],
    ["Groups kept", "of all, and those without spread", "share", [["train/kept_share", "kept"], ["train/without_spread_share", "without spread"]]],
    ["Groups in the update", "", "count", [["train/groups_kept", "groups"]]],
    ["Tokens", "of a step", "count", [["train/sampled_tokens", "sampled"], ["train/trained_tokens", "trained on"]]],
    ["Optimizer steps", "", "count", [["train/updates", "steps"]]],
    ["Learning rate", "", "number", [["train/learning_rate", "rate"]]],
    ["Entropy bonus", "", "number", [["train/entropy_bonus", "weight"]]],
  ]],
  ["Speed and memory", [
    ["Time of a step", "", "seconds", [["time/rollout_seconds", "rollout"], ["time/update_seconds", "update"]]],
    ["Tokens sampled a second", "", "count", [["time/sampled_tokens_per_second", "sampled"]]],
    ["Tokens trained a second", "each pass counted", "count", [["time/trained_tokens_per_second", "trained"]]],
    ["Memory", "the most so far", "bytes", [["time/memory_peak_bytes", "peak"]]],
  ]],
];

// The numbers of a run: name -> [[step, value], …].
function columnsOf(run) {
  const columns = new Map();
  for (const table of run.curves) {
    for (const [name, values] of Object.entries(table.columns)) {
      const points = values.map((value, row) => [table.steps[row], value]).filter(([, value]) => value !== null);
      if (points.length > 0) columns.set(name, points);
    }
  }
  return columns;
}

function filledIn(template, parts) {
  return template.replace(/\$([12])/g, (_, number) => parts[Number(number)] ?? "");
}

// The charts of a chapter's entry, by title: { title, says, unit, series: Map(label -> name) }.
function chartsOf([title, says, unit, wanted], names, used) {
  const charts = new Map();
  for (const [pattern, label] of wanted) {
    for (const name of names) {
      const parts = typeof pattern === "string" ? (name === pattern ? [name] : null) : name.match(pattern);
      if (!parts || used.has(name)) continue;
      used.add(name);
      const own = filledIn(title, parts);
      if (!charts.has(own)) charts.set(own, { title: own, says, unit, series: new Map() });
      charts.get(own).series.set(filledIn(label, parts), name);
    }
  }
  return [...charts.values()];
}

// A line for each run and series. Of one run the series differ in colour, of several the runs do.
function linesOf(series, runs) {
  const lines = [];
  [...series].forEach(([label, name], which) => {
    runs.forEach(({ columns }, run) => {
      const points = columns.get(name);
      if (!points) return;
      const alone = runs.length === 1;
      const words = alone ? label : series.size === 1 ? data.runs[run].name : `${data.runs[run].name} ${label}`;
      lines.push({ label: words, run, color: (alone ? which : run) % 6, dash: which % DASHES.length, points });
    });
  });
  return lines;
}

const isStill = (lines) => lines.every(({ points }) => points.length > 1 && points.every(([, value]) => value === points[0][1]));

function drawCurves() {
  const section = document.getElementById("curves");
  const runs = data.runs.map((run) => ({ columns: columnsOf(run) }));
  const names = [...new Set(runs.flatMap(({ columns }) => [...columns.keys()]))].sort();
  if (names.length === 0) {
    section.append(element("p", { class: "note" }, "No step is done yet."));
    return;
  }
  const steps = data.runs.flatMap((run) => run.curves.flatMap((table) => table.steps));
  const settings = { smoothing: 0, hidden: new Set(), steps: [steps.reduce((a, b) => Math.min(a, b)), steps.reduce((a, b) => Math.max(a, b))] };
  const charts = [];
  section.append(controls(settings, () => charts.forEach((chart) => chart.draw())));
  const used = new Set();
  // Seats before stages: their names hold each other's.
  const chapters = CHAPTERS.map(([heading, entries]) => [heading, entries.flatMap((entry) => chartsOf(entry, names, used))]);
  const others = names.filter((name) => !used.has(name));
  chapters.push(["Other numbers", others.map((name) => ({ title: name, says: "", unit: "number", series: new Map([[name, name]]) }))]);
  for (const [heading, found] of chapters) {
    const withLines = found.map((chart) => ({ ...chart, lines: linesOf(chart.series, runs) }));
    const moving = withLines.filter(({ lines }) => !isStill(lines));
    const still = withLines.filter(({ lines }) => isStill(lines));
    if (withLines.length === 0) continue;
    const made = moving.map((chart) => lineChart(chart, settings));
    charts.push(...made);
    section.append(element("h3", {}, heading), element("div", { class: "charts" }, made.map(({ figure }) => figure)));
    if (still.length > 0) section.append(element("p", { class: "still" }, "The same in every step: ", still.map(inWords).join("; "), "."));
  }
  charts.forEach((chart) => chart.draw());
}

function inWords({ title, unit, lines }) {
  const values = lines.map(({ points }) => shown(points[0][1], unit));
  const same = values.every((value) => value === values[0]);
  const words = same ? values.slice(0, 1) : values.map((value, index) => `${lines[index].label} ${value}`);
  return `${title.toLowerCase()} ${words.join(", ")}`;
}

function controls(settings, redraw) {
  const output = element("output", {}, "0");
  const smoothing = element("input", {
    type: "range", min: 0, max: 0.95, step: 0.05, value: 0, id: "smoothing",
    input: (event) => { settings.smoothing = Number(event.target.value); output.textContent = event.target.value; redraw(); },
  });
  const switches = data.runs.length < 2 ? [] : data.runs.map((run, index) => element("label", { class: "switch" },
    element("input", {
      type: "checkbox", checked: true,
      change: (event) => { if (event.target.checked) settings.hidden.delete(index); else settings.hidden.add(index); redraw(); },
    }),
    element("span", { class: `swatch back-${index % 6}` }), run.name));
  return element("div", { class: "controls" }, switches, element("label", {}, "Smoothing ", smoothing, output));
}
