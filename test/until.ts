/** Waiting in a test for what must come, however slow the machine is. */

import { setTimeout as wait } from "node:timers/promises";

/** What works takes a part of it on the slowest machine; what does not come by then never comes. */
const MS_MAX = 60_000;
const LOOK_MS = 10;

type Seen<T> = Exclude<T, false | 0 | "" | null | undefined>;

/** Looks again and again until what it sees is true, or something. @throws Error that says what never came. */
export async function until<T>(what: string, look: () => T | Promise<T>): Promise<Seen<T>> {
  for (const end = performance.now() + MS_MAX; ; await wait(LOOK_MS)) {
    const seen = await look();
    if (seen) return seen as Seen<T>;
    if (performance.now() > end) throw new Error(`${what}: not in ${MS_MAX / 1_000} s`);
  }
}
