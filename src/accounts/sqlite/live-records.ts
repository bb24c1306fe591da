/** Reads accounts.db beside a server that may be writing to it. Nothing is written, nor is anything locked. */

import { openFile } from "../../sqlite/file.ts";
import type { Records } from "../copying.ts";
import { RECORD_COLUMNS } from "../tables.ts";
import { ACCOUNTS_FILE } from "./schema.ts";

const CACHE_MIB = 4;
type Row = Records["accounts"][number];

/** All rows, from one state of the file, which is of today's version. */
export function readLiveRecords(path: string): Records {
  const database = openFile(path, ACCOUNTS_FILE, { readOnly: true, cacheMiB: CACHE_MIB });
  try {
    database.exec("BEGIN");
    const tables = Object.entries(RECORD_COLUMNS).map(([table, columns]) => {
      const names = columns.map(snakeCase).map((name) => `"${name}"`);
      const statement = database.prepare(`SELECT ${names.join(", ")} FROM ${snakeCase(table)}`);
      statement.setReturnArrays(true);
      return [table, statement.all() as unknown as readonly Row[]] as const;
    });
    return Object.fromEntries(tables) as unknown as Records;
  } finally {
    database.close();
  }
}

/** The id of every account. */
export function readLiveAccounts(path: string): string[] {
  const database = openFile(path, ACCOUNTS_FILE, { readOnly: true, cacheMiB: CACHE_MIB });
  try {
    return database
      .prepare("SELECT id FROM accounts")
      .all()
      .map(({ id }) => id as string);
  } finally {
    database.close();
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
