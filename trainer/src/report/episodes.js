// Episodes: a list that can be filtered, and the chosen one as a conversation with the board beside it.

const TROUBLES = { illegal: "an illegal move", malformed: "a reply without a move", cut: "a reply that was cut off", truncated: "context ran out", fault: "the game failed" };
const LIST_STEP = 100;

const view = { shade: "probability", chosen: null, shown: LIST_STEP };

const textOf = (number) => data.texts[number];
const eventsOf = (episode) => episode.stages.flatMap((stage) => stage.events);
const repliesOf = (episode) => eventsOf(episode).filter((event) => event.is === "reply");

function troublesOf(episode) {
  const events = eventsOf(episode);
  const refused = (illegal) => events.some((event) => event.is === "refused" && event.illegal === illegal);
  return {
    illegal: refused(true), malformed: refused(false),
    cut: events.some((event) => event.is === "reply" && event.cut),
    truncated: events.some((event) => event.is === "truncated"), fault: events.some((event) => event.is === "fault"),
  };
}

// All that can be read in an episode, for the search.
function wordsOf(episode) {
  episode.words ??= [episode.hash, textOf(episode.task), ...episode.stages.flatMap((stage) => [stage.label, textOf(stage.summary)]),
    ...eventsOf(episode).flatMap((event) => (event.is === "reply" ? [event.pieces.join("")]
      : [event.text, event.reason].filter((number) => number !== undefined).map(textOf)))].join("\n").toLowerCase();
  return episode.words;
}

function drawEpisodes() {
  const section = document.getElementById("episodes");
  const { episodes } = data;
  const counted = episodes.length === data.episodes_sampled ? `All ${episodes.length} episodes`
    : `${episodes.length} of ${data.episodes_sampled.toLocaleString("en")} episodes, chosen evenly over the steps`;
  section.append(element("p", { class: "small" }, `${counted}. Each was executed again to show it.`));
  if (data.left_out.length > 0) {
    section.append(element("details", { class: "note" }, element("summary", {}, `Not everything could be shown (${data.left_out.length})`),
      element("ul", {}, data.left_out.map((reason) => element("li", {}, reason)))));
  }
  if (episodes.length === 0) return;
  const list = element("ol", { class: "list", "aria-label": "Episodes", keydown: onListKey });
  const count = element("p", { class: "small", role: "status" });
  const more = element("button", { type: "button", class: "quiet", click: () => { view.shown += LIST_STEP; refresh(); } }, "Show more");
  const detail = element("article", { class: "detail", id: "episode", tabindex: "-1", "aria-label": "The chosen episode" });
  const filters = filterForm(() => { view.shown = LIST_STEP; refresh(); });
  section.append(filters.form, element("div", { class: "browser" }, element("div", { class: "side" }, count, list, more), detail));

  function refresh() {
    const found = episodes.filter(filters.match);
    count.textContent = `${found.length} ${found.length === 1 ? "episode" : "episodes"}`;
    list.replaceChildren(...found.slice(0, view.shown).map((episode) => entry(episode, choose)));
    more.hidden = found.length <= view.shown;
    if (!found.includes(view.chosen)) show(found[0] ?? null);
    mark();
  }
  function choose(episode) {
    show(episode);
    mark();
    if (matchMedia("(max-width: 800px)").matches) detail.scrollIntoView();
  }
  function show(episode) {
    view.chosen = episode;
    detail.replaceChildren(...(episode ? episodeView(episode) : [element("p", { class: "note" }, "No episode is like that.")]));
    history.replaceState(null, "", episode ? `#episode=${episode.hash}` : "#episodes");
  }
  function mark() {
    for (const item of list.querySelectorAll("button")) {
      if (item.dataset.hash === view.chosen?.hash) item.setAttribute("aria-current", "true");
      else item.removeAttribute("aria-current");
    }
  }
  const wanted = location.hash.match(/^#episode=([0-9a-f]+)/)?.[1];
  const linked = wanted && episodes.find((episode) => episode.hash.startsWith(wanted));
  const anchor = location.hash;
  if (linked) view.chosen = linked;
  refresh();
  if (linked) show(linked);
  else history.replaceState(null, "", anchor || " ");
  if (linked) section.scrollIntoView();
}

// Up and down go through the list.
function onListKey(event) {
  const next = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const button = next && event.target.closest("li")?.[next]?.querySelector("button");
  if (!button) return;
  event.preventDefault();
  button.focus();
  button.click();
}

function entry(episode, choose) {
  const results = episode.stages.map((stage) => element("span", { class: `badge ${stage.result}` }, `${stage.label} ${outcome(stage)}`));
  const run = data.runs.length > 1 ? element("span", { class: `swatch back-${episode.run % 6}` }) : null;
  return element("li", {}, element("button", { type: "button", "data-hash": episode.hash, click: () => choose(episode) },
    element("span", { class: "line" }, run, `Step ${episode.step}`,
      element("span", { class: "small" }, `group ${episode.group + 1}, member ${episode.member + 1}`),
      element("span", { class: "return" }, shown(episode.task_return, "number"))),
    element("span", { class: "badges" }, results)));
}

const outcome = (stage) => (stage.result === "scored" ? shown(stage.score, "number") : stage.result);

function filterForm(changed) {
  const some = (of) => [...new Set(data.episodes.flatMap(of))];
  const results = some((episode) => episode.stages.map((stage) => stage.result)).sort();
  const steps = some((episode) => [episode.step]).sort((a, b) => a - b);
  const pick = (label, options) => {
    const input = element("select", { change: changed }, element("option", { value: "" }, "any"),
      options.map(([value, words]) => element("option", { value }, words)));
    return { input, field: element("label", {}, label, input) };
  };
  const same = (values) => values.map((value) => [value, String(value)]);
  const run = pick("Run", data.runs.map((run, index) => [index, run.name]));
  const step = pick("Step", same(steps));
  const stage = pick("Game", same(some((episode) => episode.stages.map((one) => one.label)).sort()));
  const result = pick("Result", same(results));
  const trouble = pick("What went wrong", Object.entries(TROUBLES).filter(([name]) => data.episodes.some((episode) => troublesOf(episode)[name])));
  const search = element("input", { type: "search", placeholder: "words, moves, a hash", input: changed });
  const form = element("form", { class: "controls filters", role: "search", submit: (event) => event.preventDefault() },
    data.runs.length > 1 ? run.field : null, step.field, stage.field, result.field, trouble.field,
    element("label", { class: "wide" }, "Text", search));
  const is = ({ input }, value) => input.value === "" || input.value === String(value);
  const match = (episode) => is(run, episode.run) && is(step, episode.step)
    && episode.stages.some((one) => is(stage, one.label) && is(result, one.result))
    && (trouble.input.value === "" || troublesOf(episode)[trouble.input.value])
    && wordsOf(episode).includes(search.value.trim().toLowerCase());
  return { form, match };
}

function episodeView(episode) {
  const run = data.runs[episode.run];
  const readout = element("p", { class: "readout", role: "status" }, "Point at a token, or choose a reply and use ← →.");
  const learned = { true: "its group entered the update", false: "its group did not enter the update" }[episode.kept];
  return [
    element("header", {},
      element("h3", {}, `Step ${episode.step}, group ${episode.group + 1}, member ${episode.member + 1}`, data.runs.length > 1 ? ` of ${run.name}` : ""),
      element("p", {}, textOf(episode.task), ` · return ${shown(episode.task_return, "number")} · combined score ${shown(episode.combined, "number")}`, learned ? ` · ${learned}` : ""),
      episode.differs ? element("p", { class: "warning" }, `This is not what was recorded: ${episode.differs}`) : null,
      element("p", { class: "small hash" }, `seed ${episode.seed} · `, element("span", {}, episode.hash)),
      element("details", {}, element("summary", {}, "Execute it again"),
        element("p", { class: "small" }, "This episode"), command(`${run.commands.replay_episode} ${episode.hash}`),
        element("p", { class: "small" }, "All of its step, with the model as it was before it"), command(`${run.commands.replay_step} ${episode.step}`))),
    element("div", { class: "toolbar" }, shadeSwitch(), readout),
    episode.system === null ? null : element("details", { class: "system" }, element("summary", {}, "System text"), element("p", { class: "said" }, textOf(episode.system))),
    ...episode.stages.map((stage, index) => stageView(stage, index, readout)),
  ].filter((part) => part !== null);
}

function stageView(stage, index, readout) {
  const others = stage.players.map((player, seat) => (seat === stage.seat ? "the model" : player)).map((player, seat) => `seat ${seat}: ${player}`);
  const counts = stage.counts.map(([name, times, chances]) => `${name} ${times} of ${chances}`);
  return element("section", { class: "stage", "aria-label": `Stage ${index + 1}: ${stage.label}` },
    element("h4", {}, `Stage ${index + 1}: ${stage.label}`, element("span", { class: `badge ${stage.result}` }, outcome(stage))),
    element("p", { class: "small" }, others.join(" · "), stage.options === "{}" ? "" : ` · options ${stage.options}`),
    turnsOf(stage).map(({ board, events }) => element("div", { class: "turn" },
      element("div", { class: "talk" }, events.length > 0 ? events.map((event) => eventView(event, stage, readout)) : element("p", { class: "small" }, "at the end")),
      board === null ? null : element("pre", { class: "board", tabindex: 0, "aria-label": "Board" }, textOf(board)))),
    element("p", { class: "end" }, textOf(stage.summary) || stage.result, element("span", { class: "small" }, [` score ${shown(stage.score, "number")}`, ...counts].join(" · "))));
}

// What was said at each board. A board that did not change begins no new turn.
function turnsOf(stage) {
  const turns = [];
  for (const event of stage.events) {
    const last = turns.at(-1);
    if (event.is !== "board") {
      if (last) last.events.push(event);
      else turns.push({ board: null, events: [event] });
    } else if (!last || (last.board !== null && last.board !== event.text)) turns.push({ board: event.text, events: [] });
    else last.board = event.text;
  }
  return turns;
}

function eventView(event, stage, readout) {
  switch (event.is) {
    case "prompt": return element("div", { class: "prompt" }, element("span", { class: "who" }, "game"), element("p", { class: "said" }, textOf(event.text)));
    case "reply": return replyView(event, readout);
    case "move": return element("p", { class: "move" }, `seat ${event.seat} (${event.by === "substitute" ? "a random move in its place" : stage.players[event.seat] ?? event.by}): `, element("strong", {}, textOf(event.text)));
    case "refused": return element("p", { class: "refused" }, element("strong", {}, event.illegal ? "Illegal" : "Malformed"), event.seat === stage.seat ? ": " : ` (seat ${event.seat}): `, textOf(event.reason));
    case "fault": return element("p", { class: "refused" }, element("strong", {}, "The game failed: "), event.what);
    case "truncated": return element("p", { class: "refused" }, "The model ran out of context or tokens.");
  }
  return null;
}

// A reply, token by token. The arrow keys go through its tokens.
function replyView(reply, readout) {
  const tokens = reply.pieces.map((piece, index) => {
    const token = element("span", {
      class: `token${/^\s*\n/.test(piece) ? " newline" : ""}${reply.trained === false ? " untrained" : ""}${reply.advantage < 0 ? " worse" : ""}`,
      pointerenter: () => point(index), click: () => point(index),
    }, piece);
    const unlikely = Math.min(1, -reply.log_probabilities[index] / 4);
    token.style.setProperty("--unlikely", unlikely.toFixed(3));
    token.style.setProperty("--good", Math.max(0, (reply.advantage ?? 0) / advantageMax()).toFixed(3));
    token.style.setProperty("--bad", Math.max(0, -(reply.advantage ?? 0) / advantageMax()).toFixed(3));
    return token;
  });
  let at = -1;
  function point(index) {
    tokens[at]?.classList.remove("pointed");
    at = index;
    tokens[at].classList.add("pointed");
    readout.textContent = tokenWords(reply, at);
  }
  const onKey = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    point(Math.max(0, Math.min(tokens.length - 1, at + move)));
  };
  const said = element("p", { class: "said tokens" }, reply.prefix ? element("span", { class: "prefix" }, reply.prefix) : null, tokens);
  return element("div", { class: "reply", tabindex: 0, keydown: onKey, role: "group", "aria-label": `The model: ${reply.pieces.join("")}` },
    element("span", { class: "who" }, "model"), said, reply.cut ? element("p", { class: "small" }, "cut off at the length limit") : null);
}

function tokenWords(reply, index) {
  const log = reply.log_probabilities[index];
  const several = (reply.tokens[index] ?? 1) > 1 ? ` (${reply.tokens[index]} tokens)` : "";
  const trained = { true: " · trained on", false: " · not trained on" }[reply.trained] ?? "";
  const advantage = reply.advantage === null ? "" : ` · advantage ${reply.advantage > 0 ? "+" : ""}${shown(reply.advantage, "number")}`;
  return `${JSON.stringify(reply.pieces[index])}${several} · probability ${shown(Math.exp(log), "share")} (log ${log})${advantage}${trained}`;
}

let largest = null;
function advantageMax() {
  largest ??= data.episodes.flatMap(repliesOf).reduce((most, reply) => Math.max(most, Math.abs(reply.advantage ?? 0)), 0) || 1;
  return largest;
}

const SHADES = {
  probability: ["Probability", "plain: likely · shaded: unlikely"],
  advantage: ["Advantage", "blue: better than the group · orange, underlined: worse"],
  mask: ["Mask", "shaded: sampled and trained on · dashed: sampled only"],
};

function shadeSwitch() {
  const known = { probability: true, advantage: data.episodes.some((episode) => repliesOf(episode).some((reply) => reply.advantage !== null)), mask: true };
  const legend = element("span", { class: "small" }, SHADES[view.shade][1]);
  const choices = Object.entries(SHADES).map(([name, [label]]) => element("label", {},
    element("input", {
      type: "radio", name: "shade", value: name, checked: view.shade === name, disabled: !known[name],
      change: () => { view.shade = name; document.body.dataset.shade = name; legend.textContent = SHADES[name][1]; },
    }), label));
  document.body.dataset.shade = view.shade;
  return element("fieldset", { class: "shade" }, element("legend", {}, "Shade tokens by"), choices, legend);
}
