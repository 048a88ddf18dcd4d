// The runs themselves, and their evaluations as tables: random play, before, after.

function drawRuns() {
  const names = data.runs.map((run) => run.name).join(", ");
  document.title = `${names} – Ludus report`;
  document.getElementById("title").textContent = names;
  document.getElementById("runs").append(element("div", { class: "cards" }, data.runs.map(runCard)));
}

function runCard(run, index) {
  const of = run.steps === null ? "" : ` of ${run.steps}`;
  const facts = run.facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  const { resume, repeat } = run.commands;
  return element("article", { class: "card" },
    element("h2", {}, element("span", { class: `swatch back-${index % 6}` }), run.name),
    element("p", { class: "state" }, element("strong", {}, run.state), ` · step ${run.steps_done}${of}`, headline(run)),
    run.steps ? element("progress", { max: run.steps, value: run.steps_done, "aria-label": `Steps of ${run.name}` }) : null,
    run.differences.length > 0
      ? element("div", {}, element("p", { class: "small" }, `Its recipe differs from that of ${data.runs[0].name}:`),
        element("ul", { class: "small" }, run.differences.map((one) => element("li", {}, one))))
      : null,
    resume ? element("div", {}, element("p", { class: "small" }, "Go on with it"), command(resume)) : null,
    element("p", { class: "small" }, "Repeat it"), command(repeat),
    element("details", {}, element("summary", {}, "What it is"), element("dl", {}, facts)),
    element("details", {}, element("summary", {}, "Its recipe"), element("pre", { class: "recipe", tabindex: 0 }, run.recipe)));
}

// The way of the return in a few words.
function headline(run) {
  const returns = run.curves[0].columns["train/return_mean"]?.filter((value) => value !== null) ?? [];
  if (returns.length === 0) return "";
  return ` · return ${shown(returns[0], "number")} → ${shown(returns.at(-1), "number")}`;
}

function drawEvaluations() {
  const section = document.getElementById("evaluations");
  const names = [...new Set(data.runs.flatMap((run) => run.evaluations.flatMap(({ evaluated }) => evaluated.map(({ name }) => name))))];
  if (names.length === 0) {
    section.append(element("p", { class: "note" }, "Nothing was evaluated yet."));
    return;
  }
  section.append(element("p", { class: "small" }, "Shares with their 95 % intervals (Wilson). What a game counts is times out of chances."));
  section.append(element("div", { class: "tables" }, names.map(evaluationTable)));
  const courses = names.map(courseOf).filter(({ lines }) => lines.some(({ points }) => points.length > 2));
  if (courses.length === 0) return;
  const steps = courses.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(([step]) => step)));
  const settings = { smoothing: 0, hidden: new Set(), steps: [Math.min(...steps), Math.max(...steps)] };
  const charts = courses.map((course) => lineChart(course, settings));
  section.append(element("h3", {}, "Evaluations during the run"), element("div", { class: "charts" }, charts.map(({ figure }) => figure)));
  charts.forEach((chart) => chart.draw());
}

// Of the evaluations of a run those that the terminal shows: random play, before, and the last one.
function columnsShown(run) {
  const last = run.evaluations.filter(({ step }) => step !== null).at(-1);
  return run.evaluations.filter((one) => one.title === "random play" || one.title === "before" || one === last);
}

function evaluationTable(name) {
  const columns = data.runs.flatMap((run, index) => columnsShown(run)
    .map(({ title, evaluated }) => ({ run, index, title, found: evaluated.find((one) => one.name === name) }))
    .filter(({ found }) => found));
  // A game of payoffs may happen to score 0 and 1 alone in one column; then it still has no wins.
  const withResults = columns.every(({ found }) => found.results !== null);
  const rows = columns.map(({ found }) => rowsOf(found, withResults));
  const labels = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  const several = data.runs.length > 1;
  const head = several ? element("tr", {}, element("td", {}), data.runs.map((run, index) => {
    const width = columns.filter((column) => column.index === index).length;
    return width > 0 ? element("th", { colspan: width, scope: "colgroup" }, element("span", { class: `swatch back-${index % 6}` }), run.name) : null;
  })) : null;
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": name },
    element("table", {},
      element("caption", {}, name, element("span", { class: "small" }, ` ${columns[0].found.episodes} episodes`)),
      element("thead", {}, head, element("tr", {}, element("td", {}), columns.map(({ title }) => element("th", { scope: "col" }, title)))),
      element("tbody", {}, labels.map((label) => element("tr", {}, element("th", { scope: "row" }, label),
        rows.map((row, column) => shareCell(row.get(label), columns[column])))))));
}

function rowsOf(evaluated, withResults) {
  const rows = new Map([["score", evaluated.score]]);
  if (withResults) for (const result of ["win", "draw", "loss"]) rows.set(result, evaluated.results[result]);
  rows.set("legal replies", evaluated.legal);
  rows.set("malformed replies", evaluated.malformed);
  for (const [name, share] of Object.entries(evaluated.counts)) rows.set(name, share);
  return rows;
}

// A share: its number, its interval in words, and both as a mark on a line from 0 to 1.
function shareCell(share, { index }) {
  if (!share) return element("td", { class: "number" }, "–");
  const { low, high } = share;
  const mark = svg("svg", { viewBox: "0 0 100 8", class: "interval", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { class: "grid", x1: 0, x2: 100, y1: 4, y2: 4 }),
    svg("line", { class: `span color-${index % 6}`, x1: low * 100, x2: Math.max(high * 100, low * 100 + 1), y1: 4, y2: 4 }),
    svg("line", { class: `point color-${index % 6}`, x1: share.share * 100, x2: share.share * 100, y1: 0, y2: 8 }));
  return element("td", { class: "number" },
    element("span", {}, shown(share.share, "share")), " ",
    element("span", { class: "small" }, `[${(low * 100).toFixed(1)}, ${(high * 100).toFixed(1)}]`), mark);
}

function courseOf(name) {
  const lines = data.runs.map((run, index) => {
    const points = run.evaluations.filter(({ step }) => step !== null).map(({ step, evaluated }) => {
      const found = evaluated.find((one) => one.name === name);
      return found ? [step, found.score.share, found.score.low, found.score.high] : null;
    });
    return { label: data.runs.length > 1 ? run.name : "score", run: index, color: index % 6, dash: 0, points: points.filter((point) => point) };
  });
  return { title: name, says: "score with its 95 % interval", unit: "share", lines: lines.filter(({ points }) => points.length > 0) };
}
