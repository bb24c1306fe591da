/**
 * Raw events that were dropped. Of each there is left where it stood, for its entry among the identities leads there, and
 * a hash of its identity: other 64 bits than the entry's own, so that together they tell it from any other id. The id
 * itself is gone with the event.
 */

import type { DatabaseSync } from "node:sqlite";
import { type Instant, SLOT_MS } from "../../domain/time.ts";
import { hashKey } from "./identities.ts";
import { bytesOf, type Place, wordsOf } from "./identity-entries.ts";
import { filterSum } from "./identity-filter.ts";
import { type HashKey, identityHashes } from "./identity-hash.ts";
import { arrayStatements } from "./statements.ts";

/** The event's number less that of the row's first one, then the two words of its hash. */
const ENTRY_WORDS = 3;
/** Four rows of so many fill a page of the file. */
const ENTRIES_PER_ROW_MAX = 80;

type EventRow = readonly [slot: number, seq: number, id: string];

/** Entries of a row whose bytes are as they were written; undefined where they are not. */
export interface DroppedRow {
  readonly account: number;
  readonly slot: number;
  readonly seqs: readonly number[] | undefined;
}

export class DroppedEvents {
  readonly #key: HashKey;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: DatabaseSync) {
    this.#key = hashKey(database);
    this.#statements = prepare(database);
  }

  /** The instant up to which the account's raw events were dropped. */
  keptFrom(account: number): Instant | undefined {
    const row = this.#statements.keptFrom.get(account) as unknown as readonly [number] | undefined;
    return row && row[0] * SLOT_MS;
  }

  /** True when the event that stood there is of this id. */
  has(account: number, id: string, { slot, seq }: Place): boolean {
    const row = this.#statements.find.get(account, slot, seq) as unknown as readonly [number, Uint8Array] | undefined;
    if (!row) return false;
    const words = wordsOf(row[1]);
    const [low, high] = this.#hashes(account, [id]);
    for (let at = 0; at + ENTRY_WORDS < words.length; at += ENTRY_WORDS) {
      if (row[0] + words[at]! === seq) return words[at + 1] === low && words[at + 2] === high;
    }
    return false;
  }

  /** Drops events of the slots before one, within the caller's transaction; tells how many. */
  drop(account: number, beforeSlot: number, limit: number): number {
    const { oldest, keepFrom, deleteThrough } = this.#statements;
    const events = oldest.all(account, beforeSlot, limit) as unknown as readonly EventRow[];
    if (events.length === 0) return 0;
    keepFrom.run(account, beforeSlot);
    this.#write(account, events);
    const [slot, seq] = events.at(-1)!;
    deleteThrough.run(account, slot, seq);
    return events.length;
  }

  #write(account: number, events: readonly EventRow[]): void {
    const hashes = this.#hashes(
      account,
      events.map(([, , id]) => id),
    );
    for (let from = 0; from < events.length; ) {
      const [slot, first] = events[from]!;
      let to = from + 1;
      const isNext = ([own, seq]: EventRow): boolean => own === slot && seq - first < 2 ** 32;
      while (to < events.length && to - from < ENTRIES_PER_ROW_MAX && isNext(events[to]!)) to += 1;
      const words = new Uint32Array((to - from) * ENTRY_WORDS + 1);
      for (let at = from; at < to; at += 1) {
        words.set([events[at]![1] - first, hashes[2 * at]!, hashes[2 * at + 1]!], (at - from) * ENTRY_WORDS);
      }
      words[words.length - 1] = filterSum(words.subarray(0, -1));
      this.#statements.insert.run(account, slot, first, bytesOf(words));
      from = to;
    }
  }

  /** No account has a number below zero: these hashes have nothing to do with those of the identities. */
  #hashes(account: number, ids: readonly string[]): Uint32Array {
    return identityHashes(this.#key, ~account, ids);
  }
}

/** All that is left of dropped events, row by row. */
export function* droppedRows(database: DatabaseSync): Generator<DroppedRow> {
  const rows = arrayStatements(database)("SELECT account, slot, seq, entries FROM dropped_events");
  for (const row of rows.iterate() as unknown as Iterable<readonly [number, number, number, Uint8Array]>) {
    const [account, slot, first, bytes] = row;
    const words = wordsOf(bytes);
    const entries = words.subarray(0, -1);
    const isWhole = bytes.length % 4 === 0 && words.at(-1) === filterSum(entries) && entries.length % ENTRY_WORDS === 0;
    const seqs = Array.from({ length: entries.length / ENTRY_WORDS }, (_, at) => first + entries[at * ENTRY_WORDS]!);
    yield { account, slot, seqs: isWhole ? seqs : undefined };
  }
}

function prepare(database: DatabaseSync) {
  const arrays = arrayStatements(database);
  return {
    keptFrom: arrays("SELECT kept_from FROM horizons WHERE account = ?"),
    keepFrom: database.prepare(
      `INSERT INTO horizons (account, kept_from) VALUES (?, ?)
       ON CONFLICT DO UPDATE SET kept_from = max(kept_from, excluded.kept_from)`,
    ),
    find: arrays(
      `SELECT seq, entries FROM dropped_events WHERE account = ? AND slot = ? AND seq <= ?
       ORDER BY seq DESC LIMIT 1`,
    ),
    insert: database.prepare("INSERT INTO dropped_events (account, slot, seq, entries) VALUES (?, ?, ?, ?)"),
    oldest: arrays("SELECT slot, seq, id FROM events WHERE account = ? AND slot < ? ORDER BY slot, seq LIMIT ?"),
    deleteThrough: database.prepare("DELETE FROM events WHERE account = ? AND (slot, seq) <= (?, ?)"),
  };
}
