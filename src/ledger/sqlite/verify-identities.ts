/** Holds the identities against the events, both ways. */

import type { DatabaseSync } from "node:sqlite";
import { SLOT_MS } from "../../domain/time.ts";
import { DroppedEvents } from "./dropped-events.ts";
import { Identities, logEntries } from "./identities.ts";
import { ENTRY_WORDS } from "./identity-entries.ts";
import { mayHold } from "./identity-filter.ts";
import { partEntries } from "./identity-parts.ts";
import type { Difference } from "./verify.ts";
import type { DroppedCheck } from "./verify-dropped.ts";

interface Account {
  readonly number: number;
  readonly name: string;
}

/** An event by its id and where it stands. */
interface Standing {
  readonly id: string;
  readonly slot: number;
  readonly seq: number;
}

export class IdentityCheck {
  readonly #identities: Identities;
  readonly #database: DatabaseSync;
  readonly #dropped: DroppedEvents;
  readonly #found: (difference: Difference) => void;

  constructor(database: DatabaseSync, found: (difference: Difference) => void) {
    this.#database = database;
    this.#found = found;
    this.#identities = new Identities(database);
    this.#dropped = new DroppedEvents(database);
  }

  /** How many identities are kept. */
  get count(): number {
    return this.#identities.count;
  }

  /** Looks each event up as the writer does: one entry must lead to it, and to no other event of its id. */
  events({ number, name }: Account, events: readonly Standing[]): void {
    const ids = events.map(({ id }) => id);
    const hashes = this.#identities.hashes(number, ids);
    for (const [at, { id, slot, seq }] of events.entries()) {
      const places = this.#identities.find(hashes[2 * at]!, hashes[2 * at + 1]!);
      const own = places.filter((place) => place.slot === slot && place.seq === seq);
      if (own.length !== 1) this.#found({ kind: "identity", account: name, id });
      const others = places.filter((place) => place.seq !== seq);
      if (others.some((place) => this.#stands(number, id, place))) this.#found({ kind: "twice", account: name, id });
    }
  }

  #stands(account: number, id: string, { slot, seq }: { slot: number; seq: number }): boolean {
    const event = this.#database.prepare("SELECT 1 FROM events WHERE account = ? AND slot = ? AND seq = ? AND id = ?");
    return event.get(account, slot, seq, id) !== undefined || this.#dropped.has(account, id, { slot, seq });
  }

  /** Looks through all entries, part by part; `step` hears how many more it has seen. */
  async entries(dropped: DroppedCheck, step: (entries: number) => Promise<void>): Promise<void> {
    const { damaged, parts } = this.#identities;
    for (const { part } of damaged) this.#found({ kind: "filter", part });
    let kept = 0;
    for (const part of parts) {
      const entries = partEntries(this.#database, part);
      if (!damaged.includes(part) && !holdsAll(part.filter, entries)) this.#found({ kind: "filter", part: part.part });
      kept += entries.length / ENTRY_WORDS;
      meetAll(dropped, part.base, entries);
      await step(entries.length / ENTRY_WORDS);
    }
    const recent = this.#identities.count - parts.reduce((sum, { identities }) => sum + identities, 0);
    kept += recent;
    for (const { base, entries } of logEntries(this.#database)) meetAll(dropped, base, entries);
    dropped.end();
    await step(recent);
    const events = this.#database.prepare("SELECT count(*) AS n FROM events").get()!.n as number;
    // Each event was led to by an entry of its own; so as many entries as events leave none that leads nowhere.
    if (kept !== events + dropped.met) this.#findLost(dropped);
  }

  #findLost(dropped: DroppedCheck): void {
    const event = this.#database.prepare(
      "SELECT 1 FROM accounts a CROSS JOIN events e ON e.account = a.account WHERE e.slot = ? AND e.seq = ? LIMIT 1",
    );
    const search = (base: number, entries: Uint32Array): void => {
      for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
        const [slot, seq] = [entries[at + 2]!, base + entries[at + 3]!];
        if (dropped.has(slot, seq)) continue;
        if (event.get(slot, seq) === undefined) this.#found({ kind: "entry", slot: slot * SLOT_MS, arrival: seq });
      }
    };
    for (const part of this.#identities.parts) search(part.base, partEntries(this.#database, part));
    for (const { base, entries } of logEntries(this.#database)) search(base, entries);
  }
}

function meetAll(dropped: DroppedCheck, base: number, entries: Uint32Array): void {
  if (dropped.count === 0) return;
  for (let at = 0; at < entries.length; at += ENTRY_WORDS) dropped.meet(entries[at + 2]!, base + entries[at + 3]!);
}

function holdsAll(filter: Uint32Array, entries: Uint32Array): boolean {
  for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
    if (!mayHold(filter, entries[at]!, entries[at + 1]!)) return false;
  }
  return true;
}
