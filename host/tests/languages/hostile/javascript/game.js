// Matching pennies, twice, and the misdeed that the option `deed` names: see `hostile.rs`.

import { Refused } from "ludus";

let playedBefore = 0;

function forever(act) {
  for (;;) act();
}

function thrown(value) {
  throw value;
}

function tried(act) {
  try {
    return act();
  } catch {
    return null;
  }
}

function doubled(text) {
  for (;;) text += text;
}

const deep = (level) => 1 + deep(level + 1);

const spiteful = { toString: () => thrown(spiteful), toJSON: () => thrown(spiteful) };

/** A list with other items each time that somebody looks. */
const shifty = () => new Proxy([0, 1], { get: (list, key) => (key === "length" ? list.push(0) : Math.random()) });

function spoil() {
  Array.prototype.map = Array.prototype.includes = JSON.stringify = () => "spoilt";
  Object.prototype.seat = 99;
}

const asked = () => `at ${new Date().toISOString()}, ${Date.now()}: ${Math.random()}`;

const reachable = () => [typeof std, typeof os, typeof process, typeof require, typeof fetch];

/** What a deed does in place of a function of the good game, which is handed in. */
const deeds = {
  "loops": { play: () => forever(() => {}) },
  "loops-at-once": { start: () => forever(() => {}) },
  "backtracks": { play: () => /^(a+)+$/.test(`${"a".repeat(60)}b`) },
  "recurses": { play: () => deep(0) },
  "catches-its-recursion": { play: () => tried(() => deep(0)) },
  "doubles-a-text": { play: () => doubled("all work and no play ") },
  "fills-memory": { play: (_, list = []) => forever(() => list.push(new Uint8Array(2 ** 20))) },
  "catches-its-lack-of-memory": { play: () => tried(() => new ArrayBuffer(2 ** 30)) },
  "throws-null": { play: () => thrown(null) },
  "throws-a-number": { start: () => thrown(7) },
  "throws-a-text": { houseMove: () => thrown("heads") },
  "throws-what-throws": { start: () => thrown(spiteful) },
  "refuses-with-an-object": { houseMove: () => thrown(Object.assign(new Refused(), { message: spiteful })) },
  "scores-nan": { scores: () => [NaN, 0] },
  "scores-less-than-nothing": { scores: () => [-0.1, 0] },
  "scores-texts": { scores: () => ["1", "0"] },
  "scores-what-shifts": { scores: () => shifty() },
  "turns-to-nothing": { turn: () => null },
  "turns-to-a-promise": { turn: async () => [0, 1] },
  "asks-seat-99": { turn: () => [0, 99] },
  "asks-a-seat-twice": { turn: () => [0, 0] },
  "never-ends": { turn: () => [0, 1] },
  "asks-with-an-object": { prompt: () => ({}) },
  "talks-too-long": { prompt: () => "x".repeat(70_000) },
  "talks-3-mb": { prompt: () => "x".repeat(3_000_000) },
  "lists-half-a-letter": { legalMoves: () => ["\ud83d", "tails"] },
  "lists-holes": { legalMoves: () => Array(2 ** 32 - 1) },
  "draws-in-a-view": { view: () => `${Math.random()}` },
  "spoils-every-list": { play: () => spoil() },
  "counts-episodes": { prompt: (good) => `${good.prompt()} ${playedBefore++} played before` },
  "asks-the-library": { prompt: (good) => `${good.prompt()} ${asked()}` },
  "looks-around": { prompt: (good) => `${good.prompt()} ${reachable()}` },
  "evaluates": { prompt: (good) => new Function("good", "return `${good.prompt()} ${eval('6 * 7')}`")(good) },
};

const MOVES = ["heads", "tails"];

export default class Pennies {
  static manifest = {
    name: "hostile",
    version: "1.0.0",
    summary: "Matching pennies, or worse.",
    seats: [2, 2],
    stepsMax: 20,
    housePlayers: ["random"],
    abilities: ["mind-reading"],
    options: { deed: { enum: ["none", ...Object.keys(deeds)], default: "none", description: "What it does." } },
  };

  constructor(seats, { deed }) {
    this.rounds = 0;
    this.matches = 0;
    const good = {
      start: () => {},
      turn: () => (this.rounds < 2 ? [0, 1] : { scores: this.does.scores(good), summary: `${this.matches} matches` }),
      scores: () => [this.matches / 2, 1 - this.matches / 2],
      prompt: () => `Round ${this.rounds}: heads or tails?`,
      play: () => {},
      legalMoves: () => MOVES,
      houseMove: () => MOVES[Math.floor(2 * Math.random())],
      view: () => `${this.matches} of ${this.rounds}`,
    };
    this.good = good;
    this.does = { ...good, ...deeds[deed] };
    this.does.start(good);
  }

  turn() {
    return this.does.turn(this.good);
  }

  prompt() {
    return this.does.prompt(this.good);
  }

  parse(seat, text) {
    if (!MOVES.includes(text)) throw new Refused("Heads or tails?");
    return text;
  }

  play([one, other]) {
    this.rounds += 1;
    this.matches += Number(one.move === other.move);
    this.does.play(this.good);
  }

  legalMoves() {
    return this.does.legalMoves(this.good);
  }

  houseMove() {
    return this.does.houseMove(this.good);
  }

  view() {
    return this.does.view(this.good);
  }
}
