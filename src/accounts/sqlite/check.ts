/** Checks an accounts.db against itself, as far as it can be told: SQLite's structure, and the texts that have a hash. */

import { openFile } from "../../sqlite/file.ts";
import { hashOfDocument } from "../price-books.ts";
import { ACCOUNTS_FILE } from "./schema.ts";

const CACHE_MIB = 16;

/**
 * What is wrong in the file, which nobody else may be writing; empty when nothing is.
 * @throws Fault `folder_newer`, `folder_foreign`, `folder_damaged` or `folder_unusable`.
 */
export function checkAccountsFile(path: string): string[] {
  const database = openFile(path, ACCOUNTS_FILE, { readOnly: false, cacheMiB: CACHE_MIB });
  try {
    database.exec("PRAGMA query_only = ON");
    const found = database.prepare("PRAGMA integrity_check").all();
    const broken = found.map((row) => String(row.integrity_check)).filter((message) => message !== "ok");
    for (const row of database.prepare("PRAGMA foreign_key_check").all()) {
      broken.push(`a row of ${row.table} names none of ${row.parent}`);
    }
    for (const { version, hash, document } of database.prepare("SELECT * FROM price_books").iterate()) {
      if (hashOfDocument(String(document)) !== hash) broken.push(`price book version ${version} is not what was put`);
    }
    return broken;
  } catch (error) {
    // A broken file can refuse to be read at any place: that is a finding like the others.
    return [(error as Error).message];
  } finally {
    database.close();
  }
}
