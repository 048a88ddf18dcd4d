// Ways to divide the items, as one seat's share: how many of each kind.

/** What a share is worth by these values. */
export function worth(share, values) {
  return share.reduce((sum, number, kind) => sum + number * values[kind], 0);
}

/** Every share that there is. */
export function divisions(items) {
  return items.reduce(
    (shares, most) => shares.flatMap((share) => Array.from({ length: most + 1 }, (_, number) => [...share, number])),
    [[]],
  );
}

/** Whether no other division is better for one seat and at least as good for the other. */
export function isEfficient(deal, items, values) {
  const [first, second] = [0, 1].map((seat) => worth(deal[seat], values[seat]));
  return !divisions(items).some((share) => {
    const rest = items.map((number, kind) => number - share[kind]);
    const [one, other] = [worth(share, values[0]), worth(rest, values[1])];
    return one >= first && other >= second && one + other > first + second;
  });
}
