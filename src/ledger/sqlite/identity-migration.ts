/** Moves the identities of a file of version 4 and before, one row each with the id in full, into sealed parts. */

import type { DatabaseSync } from "node:sqlite";
import { hashKey, RECENT_MAX } from "./identities.ts";
import { ENTRY_WORDS } from "./identity-entries.ts";
import { identityHashes } from "./identity-hash.ts";
import { writePart } from "./identity-parts.ts";
import { arrayStatements } from "./statements.ts";

type Row = readonly [account: number, id: string, slot: number, seq: number];

export function moveIdentities(database: DatabaseSync): void {
  const key = hashKey(database);
  const rows = arrayStatements(database)("SELECT account, id, slot, seq FROM identities");
  let entries = new Uint32Array(0);
  let words = 0;
  // Numbers count from 0: a file of that time has fewer than 2^32 events.
  const seal = (): void => {
    if (words > 0) writePart(database, entries.subarray(0, words), 0);
    words = 0;
  };
  for (const [account, id, slot, seq] of rows.iterate() as unknown as Iterable<Row>) {
    if (entries.length === 0) entries = new Uint32Array(RECENT_MAX * ENTRY_WORDS);
    entries.set(identityHashes(key, account, [id]), words);
    entries[words + 2] = slot;
    entries[words + 3] = seq;
    words += ENTRY_WORDS;
    if (words === entries.length) seal();
  }
  seal();
}
