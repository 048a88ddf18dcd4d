// Kuhn poker (Harold Kuhn, 1950): three cards, two players, one bet. The smallest game in which bluffing pays.
//
// A hand's betting is a string: c for a check, b for a bet, k for a call, f for a fold. A player wins or loses at most 2
// chips a hand; the score of a seat is its mean result, from 0 for -2 chips to 1 for +2.
//
// One count tells whether a seat plays its hand where one of the two moves is never worse: `sound-moves`. Those are calling
// or betting last with card 3, and folding card 1.

import { Refused, plain } from "ludus";
import { houseMove } from "./house.js";

const CHIPS_MAX = 2;

/** What may be done after which betting. */
const MOVES = { "": ["check", "bet"], c: ["check", "bet"], b: ["call", "fold"], cb: ["call", "fold"] };
const LETTERS = { check: "c", bet: "b", call: "k", fold: "f" };

export default class KuhnPoker {
  static manifest = {
    name: "kuhn-poker",
    version: "1.0.0",
    summary: "Kuhn poker: three cards, two players, one bet, and a reason to bluff.",
    seats: [2, 2],
    // 100 hands of up to three moves.
    stepsMax: 300,
    housePlayers: ["random", "equilibrium", "honest"],
    abilities: ["hidden-information", "bluffing", "probability"],
    options: {
      hands: {
        type: "integer",
        minimum: 1,
        maximum: 100,
        default: 1,
        description: "How many hands are played. Who moves first changes with each.",
      },
      first: {
        enum: ["random", "seat-0", "seat-1"],
        default: "random",
        description: "Who moves first in the first hand.",
      },
    },
  };

  constructor(seats, options, random) {
    this.hands = options.hands;
    this.first = options.first === "random" ? random.below(2) : Number(options.first.at(-1));
    this.hand = 0;
    this.chips = [0, 0];
    this.introduced = [false, false];
    // What a seat has not been told yet: how hands ended.
    this.news = [[], []];
    this.sound = [{ times: 0, chances: 0 }, { times: 0, chances: 0 }];
    this.deal(random);
  }

  deal(random) {
    this.cards = random.shuffle([1, 2, 3]).slice(0, 2);
    this.betting = "";
  }

  /** The seat whose move it is: the players alternate. */
  get mover() {
    return (this.first + this.betting.length) % 2;
  }

  turn() {
    if (this.hand < this.hands) return [this.mover];
    const scores = this.chips.map((chips) => (chips / this.hands + CHIPS_MAX) / (2 * CHIPS_MAX));
    const counts = this.sound.map((sound, seat) => ({ seat, name: "sound-moves", ...sound }));
    const won = this.chips[0];
    const summary = won === 0 ? "nobody wins" : `seat ${won > 0 ? 0 : 1} wins ${chips(Math.abs(won))}`;
    return { scores, counts, summary };
  }

  prompt(seat) {
    const lines = this.introduced[seat] ? [] : [this.rules()];
    this.introduced[seat] = true;
    lines.push(...this.news[seat].splice(0));
    if (this.hands > 1 && this.betting.length < 2) lines.push(`Hand ${this.hand + 1} of ${this.hands}.`);
    lines.push(`Your card: ${this.cards[seat]}. ${this.story(seat)}`, this.askAgain());
    return lines.join("\n");
  }

  rules() {
    return (
      "Kuhn poker with the cards 1, 2 and 3. Each of two players gets one card and pays 1 chip. A player checks, or bets 1 " +
      "chip more; after a bet the other calls with 1 chip, or folds and loses. With no fold the higher card wins."
    );
  }

  /** The betting so far, as the one who moves now saw it. */
  story(seat) {
    const told = { "": "You move first.", c: "The other checked.", b: "The other bet.", cb: "You checked, the other bet." };
    return told[this.betting] ?? "";
  }

  askAgain() {
    return `Answer ${MOVES[this.betting].join(" or ")}.`;
  }

  parse(seat, text) {
    const moves = MOVES[this.betting];
    const move = plain(text);
    if (!moves.includes(move)) throw new Refused(`A move is one word: ${moves.join(" or ")}.`);
    return move;
  }

  play([{ seat, move }], random) {
    this.noteSound(seat, move);
    this.betting += LETTERS[move];
    if (this.betting in MOVES) return;
    this.settle();
    this.hand += 1;
    this.first = 1 - this.first;
    if (this.hand < this.hands) this.deal(random);
  }

  noteSound(seat, move) {
    const sound = soundMove(this.cards[seat], this.betting);
    if (sound === undefined) return;
    this.sound[seat].chances += 1;
    if (move === sound) this.sound[seat].times += 1;
  }

  /** Pays a hand out and remembers what to tell of it. */
  settle() {
    const folded = this.betting.endsWith("f");
    const higher = this.cards[0] > this.cards[1] ? 0 : 1;
    // Who did not fold is the one whose turn it would be.
    const winner = folded ? this.mover : higher;
    const stake = this.betting.includes("k") ? 2 : 1;
    for (const seat of [0, 1]) {
      const won = seat === winner;
      this.chips[seat] += won ? stake : -stake;
      const [own, other] = [this.cards[seat], this.cards[1 - seat]];
      const how = folded ? (won ? "The other folded" : "You folded") : `Your ${own} against ${other}`;
      this.news[seat].push(`${how}: you ${won ? "won" : "lost"} ${chips(stake)}.`);
    }
  }

  legalMoves() {
    return MOVES[this.betting];
  }

  houseMove(seat, player, random) {
    return houseMove(player, this.cards[seat], this.betting, random);
  }

  view(viewer) {
    const cards = this.cards.map((card, seat) => (viewer === null || viewer === seat ? card : "hidden"));
    const betting = [...this.betting].map((letter) => Object.keys(LETTERS).find((move) => LETTERS[move] === letter));
    return [
      `Hand ${Math.min(this.hand + 1, this.hands)} of ${this.hands}`,
      ...cards.map((card, seat) => `Seat ${seat}: card ${card}, ${chips(this.chips[seat])}`),
      `Betting: ${betting.join(", ") || "none"}`,
    ].join("\n");
  }
}

/** The move that is never worse than the other one, where there is such a move. */
function soundMove(card, betting) {
  if (betting.endsWith("b")) return { 1: "fold", 3: "call" }[card];
  return betting === "c" && card === 3 ? "bet" : undefined;
}

function chips(number) {
  return `${number} chip${number === 1 ? "" : "s"}`;
}
