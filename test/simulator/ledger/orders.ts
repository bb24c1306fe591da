/** Calls that were under way at once: the orders in which they may have been done, those without an answer or not at all. */

/**
 * Every order of all that were answered and of any that were not, the calls' own order first. Places in the list.
 * @param answered For each call. Few of them: five have hundreds of orders.
 */
export function* orders(answered: readonly boolean[]): Generator<readonly number[]> {
  const places = answered.map((_, at) => at);
  const open = places.filter((at) => !answered[at]);
  for (let mask = 2 ** open.length - 1; mask >= 0; mask -= 1) {
    const left = new Set(open.filter((_, at) => (mask & (1 << at)) === 0));
    yield* permutations(places.filter((at) => !left.has(at)));
  }
}

function* permutations(places: readonly number[]): Generator<readonly number[]> {
  if (places.length === 0) yield [];
  for (const [at, first] of places.entries()) {
    for (const rest of permutations(places.toSpliced(at, 1))) yield [first, ...rest];
  }
}
