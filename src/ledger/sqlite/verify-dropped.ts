/** The raw events that were dropped, and which of them the identities lead to. */

import type { DatabaseSync } from "node:sqlite";
import { SLOT_MS } from "../../domain/time.ts";
import { droppedRows } from "./dropped-events.ts";
import type { Difference } from "./verify.ts";

/** Of the 64 bits of a place the lower 40 are the event's number. */
const SEQ_SPAN = 2 ** 40;
const WORD = 2 ** 32;

export class DroppedCheck {
  readonly #found: (difference: Difference) => void;
  /** The places in ascending order, each as its low, then its high word. */
  readonly #places: Uint32Array;
  readonly #met: Uint8Array;
  /** How many dropped events were led to. */
  met = 0;
  /** The highest number of an event that was dropped. */
  readonly seqMax: number;

  constructor(database: DatabaseSync, found: (difference: Difference) => void) {
    this.#found = found;
    const places: bigint[] = [];
    let seqMax = 0;
    for (const { account, slot, seqs } of droppedRows(database)) {
      if (!seqs) found({ kind: "dropped_row", account: nameOf(database, account), slot: slot * SLOT_MS });
      for (const seq of seqs ?? []) {
        places.push(BigInt(slot) * BigInt(SEQ_SPAN) + BigInt(seq));
        seqMax = Math.max(seqMax, seq);
      }
    }
    this.seqMax = seqMax;
    this.#places = new Uint32Array(BigUint64Array.from(places).sort().buffer);
    this.#met = new Uint8Array(places.length);
  }

  /** How many events were dropped. */
  get count(): number {
    return this.#met.length;
  }

  /** Takes note of an identity's entry; one that leads to an event that was not dropped is none of ours. */
  meet(slot: number, seq: number): void {
    const at = this.#find(slot, seq);
    if (at < 0) return;
    if (this.#met[at] === 1) this.#found({ kind: "dropped", slot: slot * SLOT_MS, arrival: seq });
    else this.met += 1;
    this.#met[at] = 1;
  }

  has(slot: number, seq: number): boolean {
    return this.#find(slot, seq) >= 0;
  }

  /** Tells of each event that no identity led to. */
  end(): void {
    for (let at = this.#met.indexOf(0); at >= 0; at = this.#met.indexOf(0, at + 1)) {
      const high = this.#places[2 * at + 1]!;
      const slot = Math.floor(high / (SEQ_SPAN / WORD));
      const arrival = (high % (SEQ_SPAN / WORD)) * WORD + this.#places[2 * at]!;
      this.#found({ kind: "dropped", slot: slot * SLOT_MS, arrival });
    }
  }

  #find(slot: number, seq: number): number {
    const high = slot * (SEQ_SPAN / WORD) + Math.floor(seq / WORD);
    const low = seq % WORD;
    let [from, to] = [0, this.count];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const own = this.#places[2 * middle + 1]!;
      if (own < high || (own === high && this.#places[2 * middle]! < low)) from = middle + 1;
      else to = middle;
    }
    return from < this.count && this.#places[2 * from + 1] === high && this.#places[2 * from] === low ? from : -1;
  }
}

function nameOf(database: DatabaseSync, account: number): string {
  const row = database.prepare("SELECT name FROM accounts WHERE account = ?").get(account);
  return row ? String(row.name) : `account ${account}`;
}
