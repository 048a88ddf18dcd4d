// The players that the game brings along. Each knows only the values of its own seat.
//
// `fair` accepts half of all worth and offers one of the divisions that leave it half or more and the other as many items as
// can be; in the last turn it takes anything over nothing. `stubborn` keeps whatever is worth anything to it, and accepts
// four fifths of all worth, to the end.

import { Refused } from "ludus";
import { divisions, worth } from "./division.js";

/** `offered`: the worth of the offer on the table, or null. */
export function houseMove(player, { items, values, total, offered, isLast }, legalMoves, random) {
  if (player === "random") return random.pick(legalMoves);
  if (player === "fair") {
    if (offered !== null && (offered >= total / 2 || (isLast && offered > 0))) return "accept";
    return isLast ? "reject" : random.pick(modest(items, values, total / 2)).join(" ");
  }
  if (player === "stubborn") {
    if (offered !== null && offered >= total * 0.8) return "accept";
    return isLast ? "reject" : items.map((number, kind) => (values[kind] > 0 ? number : 0)).join(" ");
  }
  throw new Refused(`There is no house player ${player}; take random, fair or stubborn.`);
}

/** The shares worth `least` or more that lose this with any one item less, so that the other gets all that can be spared. */
function modest(items, values, least) {
  return divisions(items).filter((share) => {
    const own = worth(share, values);
    return own >= least && share.every((number, kind) => number === 0 || own - values[kind] < least);
  });
}
