// Two players take turns adding 1, 2 or 3 to a total, and whoever reaches the target wins.

import { Refused } from "ludus";

export default class Race {
  static manifest = {
    name: "{{name}}",
    version: "1.0.0",
    summary: "Race to a total: add 1, 2 or 3 in turn, and whoever reaches it wins.",
    seats: [2, 2],
    // Each move adds at least 1 to a total of at most 100.
    stepsMax: 100,
    housePlayers: ["random", "optimal"],
    abilities: ["planning", "arithmetic"],
    options: {
      target: { type: "integer", minimum: 4, maximum: 100, default: 21, description: "The total to reach." },
    },
  };

  constructor(seats, options, random) {
    this.target = options.target;
    this.total = 0;
    this.mover = random.below(2);
    // Which seats have read the rules.
    this.introduced = [false, false];
  }

  turn() {
    if (this.total < this.target) return [this.mover];
    const winner = 1 - this.mover;
    return { scores: winner === 0 ? [1, 0] : [0, 1], summary: `seat ${winner} reaches ${this.target}` };
  }

  prompt(seat) {
    if (this.introduced[seat]) return this.askAgain(seat);
    this.introduced[seat] = true;
    return `Two players take turns adding 1, 2 or 3 to a total that begins at 0. Whoever reaches ${this.target} wins.
${this.askAgain(seat)}`;
  }

  askAgain(seat) {
    return `Total: ${this.total}. Add 1, 2 or 3.`;
  }

  parse(seat, text) {
    // Not `trim`: it takes away marks that nobody sees.
    const move = text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
    if (!["1", "2", "3"].includes(move)) throw new Refused("A move is 1, 2 or 3.");
    if (this.total + Number(move) > this.target) throw new Refused(`${move} would pass ${this.target}.`);
    return Number(move);
  }

  play(moves) {
    for (const { seat, move } of moves) {
      this.total += move;
      this.mover = 1 - seat;
    }
  }

  legalMoves(seat) {
    return ["1", "2", "3"].filter((move) => this.total + Number(move) <= this.target);
  }

  houseMove(seat, player, random) {
    if (!["random", "optimal"].includes(player)) throw new Refused(`There is no house player ${player}.`);
    // Whoever leaves a multiple of 4 to go wins.
    const best = (this.target - this.total) % 4;
    return player === "optimal" && best !== 0 ? String(best) : random.pick(this.legalMoves(seat));
  }

  view(viewer) {
    return `Total: ${this.total} of ${this.target}.`;
  }
}
