/** How the ledger's statements give their rows. */

import type { DatabaseSync, StatementSync } from "node:sqlite";

/**
 * Prepares statements whose rows are arrays, the values in the order of the columns; with `readBigInts` their whole
 * numbers are bigints.
 */
export function arrayStatements(database: DatabaseSync): (sql: string, readBigInts?: boolean) => StatementSync {
  return (sql, readBigInts = false) => database.prepare(sql, { returnArrays: true, readBigInts });
}
