// What a game in JavaScript is written against: `import { Refused, plain } from "ludus";`, and `game.js` has one class with
// the rules as its default export. `ludus build` does the rest.
//
//     export default class MyGame {
//       static manifest = {
//         name: "my-game",              // kebab-case, as people type it
//         version: "1.0.0",             // semantic version of the rules
//         summary: "One line for people.",
//         seats: [2, 2],                // fewest and most
//         stepsMax: 100,                // calls of step at the most, those that refuse a move not counted
//         housePlayers: ["random"],     // a player with an argument is listed without it: fallible, for fallible:0.3
//         abilities: ["planning"],
//         options: {                    // each option in JSON Schema, with its default
//           target: { type: "integer", minimum: 1, maximum: 9, default: 5, description: "What it is for." },
//         },
//       };
//       constructor(seats, options, random) {}   // deals one episode; every option is there
//       turn() {}                       // [0, 1]: these seats move, all at the same time, in rising order;
//                                       // { scores, summary, counts }: it is over. Changes nothing
//       prompt(seat) {}                 // once a decision: the rules at first, what happened, the position, what is asked
//       askAgain(seat) {}               // after a refused move; may be left out
//       parse(seat, text) {}            // the move, in any form that play understands, or throw new Refused(why)
//       play(moves, random) {}          // moves: [{ seat, move }], one of each seat that was asked, in seat order
//       legalMoves(seat) {}             // every legal move as text, or null where any text may be one
//       houseMove(seat, player, random) {}       // the text of a house player's move; changes nothing
//       view(viewer) {}                 // for people: the position as a seat sees it, or all of it where viewer is null
//     }
//
// `scores` has a number from 0 to 1 for each seat; `counts`, which may be left out, has entries such as
// { seat: 0, name: "wins-taken", times: 2, chances: 3 }.
//
// A game has no randomness but the host's. `random` draws it, and so does Math.random(). console.log is shown to people
// when a game breaks, and Date stands still. All of these functions answer at once: nobody waits for a promise, so what
// stands after an `await` never runs.

import { below } from "ludus:game/random@0.1.0";
import { getStderr } from "wasi:cli/stderr@0.2.0";
import { getStdout } from "wasi:cli/stdout@0.2.0";

/** Why a move, an option or a house player is not taken: one sentence for whoever chose it. Any other error is a bug. */
export class Refused extends Error {}

/** A move's text without what does not matter: white space around it, a final full stop, upper case. */
export function plain(text) {
  return text.trim().replace(/\.$/, "").trimEnd().toLowerCase();
}

/** Every draw comes from the episode's seed. */
export const random = Object.freeze({
  /** A whole number from 0 to bound - 1, each with the same probability. */
  below(bound) {
    if (!Number.isInteger(bound) || bound < 1 || bound >= 2 ** 32) {
      throw new RangeError(`a draw needs a whole number from 1 to 2^32 - 1, not ${bound}`);
    }
    return below(bound);
  },
  /** One of the items, each with the same probability. */
  pick(items) {
    return items[random.below(items.length)];
  },
  /** Brings the items in a uniformly random order (Fisher and Yates). */
  shuffle(items) {
    for (let last = items.length - 1; last > 0; last -= 1) {
      const other = random.below(last + 1);
      [items[last], items[other]] = [items[other], items[last]];
    }
    return items;
  },
  /** True with probability numerator / denominator. */
  chance(numerator, denominator) {
    return random.below(denominator) < numerator;
  },
  /** True with this probability, exact to one in 2^31. Always draws. */
  probability(probability) {
    return random.below(2 ** 31) < probability * 2 ** 31;
  },
});

// The engine's own generator would be seeded when the game is built: the same numbers in every episode. 53 bits, as usual.
Math.random = () => (below(2 ** 26) * 2 ** 27 + below(2 ** 27)) / 2 ** 53;

globalThis.console = printer(getStdout, getStderr);

function printer(standardOutput, standardError) {
  const to = (open) => {
    // Opened once: a host gives a game only so many handles. While the game is built there is nothing to open.
    let stream;
    return (...values) => {
      stream ??= open();
      write(stream, `${values.map(shown).join(" ")}\n`);
    };
  };
  const [out, error] = [to(standardOutput), to(standardError)];
  return { log: out, info: out, debug: out, warn: error, error };
}

function shown(value) {
  if (value instanceof Error) return `${value}\n${value.stack}`.trimEnd();
  if (typeof value !== "object") return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return String(value);
  }
}

/** Writes text as UTF-8, in pieces that WASI takes. */
function write(stream, text) {
  const escaped = encodeURIComponent(text.toWellFormed()).match(/%..|[^%]/g) ?? [];
  const bytes = escaped.map((one) => (one.length === 3 ? parseInt(one.slice(1), 16) : one.charCodeAt(0)));
  for (let begin = 0; begin < bytes.length; begin += 4096) {
    stream.blockingWriteAndFlush(new Uint8Array(bytes.slice(begin, begin + 4096)));
  }
}

/** The functions of the contract for a class of game. Only for what `ludus build` makes. */
export function component(Game) {
  // One instance of a component plays one episode, so one table is enough.
  let table = null;
  return {
    describe: () => describe(Game.manifest),
    start: (setup) =>
      refusing(() => {
        table = new Table(Game, setup);
        return table.nextTurn();
      }),
    step: (moves) => showing(() => table.step(moves)),
    legalMoves: (seat) => showing(() => table.game.legalMoves(seat) ?? null),
    houseMove: (seat, player) => refusing(() => table.game.houseMove(seat, player, random)),
    view: (viewer) => showing(() => table.game.view(viewer ?? null)),
  };
}

function describe({ name, version, summary, seats, stepsMax, housePlayers = [], abilities = [], options = {} }) {
  const schema = { type: "object", additionalProperties: false, properties: options };
  const [seatsMin, seatsMax] = seats;
  const optionsSchema = JSON.stringify(schema);
  return { name, version, summary, seatsMin, seatsMax, stepsMax, optionsSchema, housePlayers, abilities };
}

/** The contract's errors are thrown strings. It would take any other error for one: what is no answer ends the episode. */
function refusing(act) {
  try {
    return act();
  } catch (error) {
    if (error instanceof Refused) throw error.message;
    console.error(error);
    return undefined;
  }
}

/** An error ends the episode; people read it as it would be in any program. */
function showing(act) {
  try {
    return act();
  } catch (error) {
    console.error(error);
    throw error;
  }
}

/**
 * The protocol between host and game. Of the seats that are asked, those wait whose move is not there yet. Moves that the
 * game takes are kept, refused ones are reported and only their seats asked again; when nobody waits any more, the game
 * plays all moves at once. So a refused move changes nothing, and no seat moves twice because another one erred.
 */
class Table {
  #waiting = [];
  #taken = [];

  constructor(Game, { seats, options }) {
    const { name, seats: [fewest, most], options: known = {} } = Game.manifest;
    if (seats < fewest || seats > most) {
      throw new Refused(`${name} is played by ${fewest} to ${most} seats, not by ${seats}.`);
    }
    const chosen = {};
    for (const [option, schema] of Object.entries(known)) chosen[option] = structuredCopy(schema.default);
    this.game = new Game(seats, Object.assign(chosen, JSON.parse(options)), random);
  }

  nextTurn() {
    const turn = this.game.turn();
    if (!Array.isArray(turn)) {
      const { scores, summary = "", counts = [] } = turn;
      return { tag: "over", val: { scores, counts, summary } };
    }
    this.#waiting = turn;
    return { tag: "decide", val: turn.map((seat) => ({ seat, prompt: this.game.prompt(seat) })) };
  }

  step(moves) {
    const rejections = [];
    for (const { seat, text } of moves) {
      if (!this.#waiting.includes(seat)) throw new Error(`seat ${seat} is not asked to move`);
      try {
        this.#taken.push({ seat, move: this.game.parse(seat, text) });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        rejections.push({ seat, reason: error.message });
      }
    }
    this.#waiting = rejections.map(({ seat }) => seat);
    if (rejections.length > 0) {
      return { rejections, turn: { tag: "decide", val: this.#waiting.map((seat) => this.#again(seat)) } };
    }
    const taken = this.#taken.sort((one, other) => one.seat - other.seat);
    this.#taken = [];
    this.game.play(taken, random);
    return { rejections, turn: this.nextTurn() };
  }

  #again(seat) {
    return { seat, prompt: this.game.askAgain?.(seat) ?? "Move again." };
  }
}

/** A default may be a list or an object, which a game may change. */
function structuredCopy(value) {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
