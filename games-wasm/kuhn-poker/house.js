// The players that the game brings along.
//
// `equilibrium` plays one of Kuhn's equilibria. Those of the first player are a family with one parameter, alpha from 0 to
// 1/3: card 1 bets with probability alpha, card 3 with 3 alpha, card 2 checks and calls with alpha + 1/3. The second player
// has one: card 1 bets after a check with 1/3, card 2 checks and calls with 1/3. The first player loses 1/18 chip a hand.
//
// `honest` never bluffs: it bets card 3 alone, and calls with 2 and 3. Whoever knows it wins.

import { Refused } from "ludus";

const ALPHA_MAX = 1 / 3;
const ALPHA_DEFAULT = 1 / 6;

/** The probability of the bolder move, a bet or a call, by betting and card (1, 2, 3). */
function equilibrium(alpha) {
  return { "": [alpha, 0, 3 * alpha], c: [1 / 3, 0, 1], b: [0, 1 / 3, 1], cb: [0, alpha + 1 / 3, 1] };
}

const HONEST = { "": [0, 0, 1], c: [0, 0, 1], b: [0, 1, 1], cb: [0, 1, 1] };
const RANDOM = { "": [0.5, 0.5, 0.5], c: [0.5, 0.5, 0.5], b: [0.5, 0.5, 0.5], cb: [0.5, 0.5, 0.5] };

export function houseMove(player, card, betting, random) {
  const bold = random.probability(strategy(player)[betting][card - 1]);
  if (betting.endsWith("b")) return bold ? "call" : "fold";
  return bold ? "bet" : "check";
}

function strategy(player) {
  const [name, argument] = player.split(/:(.*)/s);
  if (name === "equilibrium") return equilibrium(argument === undefined ? ALPHA_DEFAULT : parseAlpha(argument));
  if (argument === undefined && name === "random") return RANDOM;
  if (argument === undefined && name === "honest") return HONEST;
  throw new Refused(`There is no house player ${player}; take random, equilibrium, equilibrium:0.2 or honest.`);
}

function parseAlpha(text) {
  const alpha = /^[0-9]*\.?[0-9]+$/.test(text) ? Number(text) : NaN;
  if (!(alpha <= ALPHA_MAX)) throw new Refused(`The alpha of equilibrium goes from 0 to 1/3, as in equilibrium:0.2, not ${text}.`);
  return alpha;
}
