// Two seats divide items whose worth differs from one to the other, and each knows only what they are worth to itself.
//
// They take turns: a seat accepts the offer on the table, or makes its own by naming what it would keep. After a bounded
// number of turns without a deal nobody gets anything. All items together are worth the same to both, so a score is the
// share of that which a seat got.
//
// Two counts: `deals` (did they agree), and of the deals those that were `efficient`: no other division would have been
// better for one and as good for the other.

import { Refused, plain } from "ludus";
import { divisions, isEfficient, worth } from "./division.js";
import { houseMove } from "./house.js";

const NAMES = [["book", "books"], ["hat", "hats"], ["ball", "balls"], ["pen", "pens"]];

/** What all items are worth together, for either seat. */
const TOTAL = 10;

export default class Negotiation {
  static manifest = {
    name: "negotiation",
    version: "1.0.0",
    summary: "Divide items with someone who values them differently, in a few turns.",
    seats: [2, 2],
    // 20 turns.
    stepsMax: 20,
    housePlayers: ["random", "fair", "stubborn"],
    abilities: ["negotiation", "hidden-information", "arithmetic"],
    options: {
      kinds: { type: "integer", minimum: 2, maximum: 4, default: 3, description: "How many kinds of items there are." },
      items_max: { type: "integer", minimum: 1, maximum: 5, default: 3, description: "The most items of one kind." },
      turns: {
        type: "integer",
        minimum: 2,
        maximum: 20,
        default: 8,
        description: "How many turns both seats have together. In the last one an offer can only be accepted or rejected.",
      },
    },
  };

  constructor(seats, options, random) {
    this.turnsLeft = options.turns;
    this.names = NAMES.slice(0, options.kinds);
    this.items = this.names.map(() => 1 + random.below(options.items_max));
    let values = valuations(this.items, TOTAL);
    if (values.length === 0) {
      // Four items of each kind cannot be worth 10; with a single one of the first kind there is always a way.
      this.items[0] = 1;
      values = valuations(this.items, TOTAL);
    }
    this.values = [random.pick(values), random.pick(values)];
    this.mover = random.below(2);
    this.introduced = [false, false];
    // What each seat would get by the offer on the table.
    this.offer = null;
    this.ended = null;
  }

  turn() {
    if (this.ended === null) return [this.mover];
    const deal = this.ended.shares;
    const efficient = deal !== null && isEfficient(deal, this.items, this.values);
    const results = [0, 1].map((seat) => (deal === null ? 0 : worth(deal[seat], this.values[seat])));
    const counts = [0, 1].flatMap((seat) => [
      { seat, name: "deals", times: deal === null ? 0 : 1, chances: 1 },
      { seat, name: "efficient", times: efficient ? 1 : 0, chances: deal === null ? 0 : 1 },
    ]);
    const summary = deal === null ? "no deal" : `a deal: ${results[0]} of ${TOTAL} for seat 0, ${results[1]} for seat 1`;
    return { scores: results.map((result) => result / TOTAL), counts, summary };
  }

  prompt(seat) {
    const lines = this.introduced[seat] ? [] : [this.rules(seat)];
    this.introduced[seat] = true;
    if (this.offer !== null) {
      const share = this.offer[seat];
      lines.push(`The other offers you ${this.words(share)}, worth ${worth(share, this.values[seat])} of ${TOTAL} to you.`);
    }
    lines.push(`${this.turnsLeft === 1 ? "Last turn" : `Turns left: ${this.turnsLeft}`}. ${this.askAgain()}`);
    return lines.join("\n");
  }

  rules(seat) {
    const values = this.names.map(([one], kind) => `${one} ${this.values[seat][kind]}`).join(", ");
    return (
      `Divide with one other player: ${this.words(this.items)}.\nOne of each is worth to you: ${values}. ` +
      "To the other each kind may be worth more or less. " +
      "You take turns making offers until one accepts. Without a deal both get nothing."
    );
  }

  askAgain() {
    if (this.turnsLeft === 1) return "Answer accept or reject.";
    const offer = `how many ${inWords(this.names.map(([, many]) => many))} you keep, like ${this.items.map((number) => number >> 1).join(" ")}`;
    return this.offer === null ? `Answer ${offer}.` : `Answer accept, or ${offer}.`;
  }

  parse(seat, text) {
    const move = plain(text);
    const isLast = this.turnsLeft === 1;
    if (move === "accept") {
      if (this.offer === null) throw new Refused("There is no offer to accept yet: make one.");
      return move;
    }
    if (isLast) {
      if (move !== "reject") throw new Refused("It is the last turn: accept or reject.");
      return move;
    }
    const numbers = move.split(/[\s,]+/);
    if (numbers.length !== this.items.length || !numbers.every((number) => /^[0-9]{1,2}$/.test(number))) {
      const names = inWords(this.names.map(([, many]) => many));
      throw new Refused(`An offer is ${this.items.length} numbers: the ${names} that you keep.`);
    }
    const kept = numbers.map(Number);
    const short = kept.findIndex((number, kind) => number > this.items[kind]);
    if (short >= 0) throw new Refused(`You cannot keep ${kept[short]} ${this.names[short][1]}: there are ${this.items[short]}.`);
    return kept;
  }

  play([{ seat, move }]) {
    this.turnsLeft -= 1;
    this.mover = 1 - seat;
    if (move === "accept") {
      this.ended = { shares: this.offer };
    } else if (move === "reject") {
      this.ended = { shares: null };
    } else {
      const rest = this.items.map((number, kind) => number - move[kind]);
      this.offer = seat === 0 ? [move, rest] : [rest, move];
    }
  }

  legalMoves() {
    if (this.turnsLeft === 1) return ["accept", "reject"];
    const offers = divisions(this.items).map((kept) => kept.join(" "));
    return this.offer === null ? offers : ["accept", ...offers];
  }

  houseMove(seat, player, random) {
    const offered = this.offer === null ? null : worth(this.offer[seat], this.values[seat]);
    const values = this.values[seat];
    const table = { items: this.items, values, total: TOTAL, offered, isLast: this.turnsLeft === 1 };
    return houseMove(player, table, this.legalMoves(), random);
  }

  view(viewer) {
    const seats = viewer === null ? [0, 1] : [viewer];
    const lines = seats.map((seat) => {
      const offered = this.offer === null ? "" : `, offered ${this.offer[seat].join(" ")}`;
      return `Seat ${seat}: worth ${this.values[seat].join(" ")}${offered}`;
    });
    return [`Items: ${this.items.join(" ")} (${this.words(this.items)})`, ...lines, `Turns left: ${this.turnsLeft}`].join("\n");
  }

  /** `2 books, 0 hats and 1 ball`. */
  words(numbers) {
    return inWords(numbers.map((number, kind) => `${number} ${this.names[kind][number === 1 ? 0 : 1]}`));
  }
}

function inWords(words) {
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Every way to give each kind a worth, so that all items together are worth `total`. */
function valuations([first, ...others], total) {
  if (others.length === 0) return total % first === 0 ? [[total / first]] : [];
  const found = [];
  for (let value = 0; value * first <= total; value += 1) {
    for (const rest of valuations(others, total - value * first)) found.push([value, ...rest]);
  }
  return found;
}
