/** Finds the word that was meant. Pure. */

/** Letters that may differ: more, and the guess would be none. */
const DISTANCE_MAX = 2;

/** The allowed word that differs in capitals only, or else in the fewest letters and in at most two. */
export function nearest(word: string, allowed: readonly string[]): string | undefined {
  const same = allowed.find((one) => one.toLowerCase() === word.toLowerCase());
  if (same !== undefined || word.length > 64) return same;
  let best: string | undefined;
  let least = DISTANCE_MAX + 1;
  for (const one of allowed) {
    const distance = distanceOf(word, one);
    // A word of which too little is left is no guess.
    if (distance < least && distance * 2 < one.length) {
      best = one;
      least = distance;
    }
  }
  return best;
}

/** Letters to add, leave out, change or swap with the next. */
function distanceOf(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? before[j - 2]! + 1 : Infinity;
      row.push(Math.min(last[j]! + 1, row[j - 1]! + 1, change, swap));
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
