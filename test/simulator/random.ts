/** All chance of the simulator: one seed, and for each step a stream of its own, so that a step can be left out. */

import { between, randomOf, type Random as Stream } from "../crash/load.ts";

/** A mixed seed for part `part` of `seed`; both are whole numbers. */
export function partSeed(seed: number, part: number): number {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(part + 1, 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

export class Random {
  readonly #next: Stream;

  constructor(seed: number) {
    this.#next = randomOf(seed);
  }

  /** A whole number from `from` to `to`, both included. */
  int(from: number, to: number): number {
    return between(this.#next, from, to);
  }

  /** True in that share of all calls; `share` is 0 to 1. */
  chance(share: number): boolean {
    return this.#next() < share;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError("nothing to pick from");
    return list[this.int(0, list.length - 1)]!;
  }

  /** Each item with that chance, in the list's order. */
  some<T>(list: readonly T[], share: number): T[] {
    return list.filter(() => this.chance(share));
  }

  /** `count` makings, at least `from` and at most `to` of them. */
  times<T>(from: number, to: number, make: (at: number) => T): T[] {
    return Array.from({ length: this.int(from, to) }, (_, at) => make(at));
  }

  /** An item by its weight. */
  weighted<T>(list: readonly (readonly [weight: number, item: T])[]): T {
    let left = this.#next() * list.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, item] of list) {
      left -= weight;
      if (left < 0) return item;
    }
    return list.at(-1)![1];
  }
}
