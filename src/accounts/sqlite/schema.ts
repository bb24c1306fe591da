/** The tables of accounts.db. Columns are the names of ../tables.ts in snake_case. */

import type { FileKind } from "../../sqlite/file.ts";

/**
 * - `api_keys`: only the SHA-256 of a key. A revoked key keeps its row: usage reports still need its name.
 * - `deployments`: a deleted one keeps its row, so that its id is never given again and its usage stays.
 * - `replica_changes`, `attribute_changes`: what held from when on; past usage is read from them and never changes.
 * - `quotas`, `notification_settings`: only what was set; what has no row stands at its default. Limits are decimal text,
 *   since an int64 does not fit a number.
 * - `price_books`: every version, as it was sent; the file itself refuses to change or delete one. `account` is "" for
 *   the installation's list book.
 * - `notices`: a row for each threshold that a month's spend has reached, so that it is told once; `next_try_time` is null
 *   once it was told or given up.
 */
export const ACCOUNTS_FILE: FileKind = {
  applicationId: 0x44_61_79_41,
  migrations: [
    `CREATE TABLE accounts (id TEXT PRIMARY KEY, display_name TEXT NOT NULL, email TEXT NOT NULL,
       suspend_state TEXT NOT NULL, create_time INTEGER NOT NULL, update_time INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE users (account TEXT NOT NULL REFERENCES accounts (id), id TEXT NOT NULL, display_name TEXT NOT NULL,
       email TEXT NOT NULL, role TEXT NOT NULL, create_time INTEGER NOT NULL,
       PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;
     CREATE TABLE api_keys (account TEXT NOT NULL, key_id TEXT NOT NULL, "user" TEXT NOT NULL,
       display_name TEXT NOT NULL, role TEXT NOT NULL, prefix TEXT NOT NULL, hash TEXT NOT NULL UNIQUE,
       annotations TEXT NOT NULL, create_time INTEGER NOT NULL, expire_time INTEGER, last_used INTEGER,
       revoked_time INTEGER, PRIMARY KEY (account, key_id),
       FOREIGN KEY (account, "user") REFERENCES users (account, id)) STRICT, WITHOUT ROWID;
     CREATE TABLE deployments (account TEXT NOT NULL REFERENCES accounts (id), id TEXT NOT NULL,
       display_name TEXT NOT NULL, base_model TEXT NOT NULL, accelerator_type TEXT NOT NULL,
       accelerator_count INTEGER NOT NULL, placement TEXT NOT NULL, annotations TEXT NOT NULL,
       create_time INTEGER NOT NULL, update_time INTEGER NOT NULL, delete_time INTEGER,
       PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;
     CREATE TABLE replica_changes (account TEXT NOT NULL, deployment TEXT NOT NULL, time INTEGER NOT NULL,
       replica_count INTEGER NOT NULL, PRIMARY KEY (account, deployment, time),
       FOREIGN KEY (account, deployment) REFERENCES deployments (account, id)) STRICT, WITHOUT ROWID;
     CREATE TABLE attribute_changes (account TEXT NOT NULL, deployment TEXT NOT NULL, time INTEGER NOT NULL,
       base_model TEXT NOT NULL, accelerator_type TEXT NOT NULL, accelerator_count INTEGER NOT NULL,
       placement TEXT NOT NULL, annotations TEXT NOT NULL, PRIMARY KEY (account, deployment, time),
       FOREIGN KEY (account, deployment) REFERENCES deployments (account, id)) STRICT, WITHOUT ROWID;`,
    `CREATE TABLE quotas (account TEXT NOT NULL REFERENCES accounts (id), id TEXT NOT NULL, value TEXT NOT NULL,
       max_value TEXT NOT NULL, update_time INTEGER NOT NULL, PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;
     CREATE TABLE notification_settings (account TEXT PRIMARY KEY REFERENCES accounts (id),
       monthly_spend_usd_thresholds TEXT NOT NULL, update_time INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
    `CREATE TABLE price_books (version INTEGER PRIMARY KEY, account TEXT NOT NULL, known_from INTEGER NOT NULL,
       hash TEXT NOT NULL, created_by TEXT NOT NULL, entry_count INTEGER NOT NULL, document TEXT NOT NULL) STRICT;
     CREATE UNIQUE INDEX price_books_known ON price_books (account, known_from);
     CREATE TRIGGER price_books_unchanged BEFORE UPDATE ON price_books
       BEGIN SELECT RAISE(ABORT, 'a version of a price book is never changed'); END;
     CREATE TRIGGER price_books_kept BEFORE DELETE ON price_books
       BEGIN SELECT RAISE(ABORT, 'a version of a price book is never deleted'); END;`,
    `ALTER TABLE accounts ADD COLUMN timezone TEXT NOT NULL DEFAULT 'UTC';
     ALTER TABLE notification_settings ADD COLUMN webhook_url TEXT NOT NULL DEFAULT '';
     ALTER TABLE notification_settings ADD COLUMN webhook_secret TEXT NOT NULL DEFAULT '';
     CREATE TABLE budgets (account TEXT NOT NULL REFERENCES accounts (id), id TEXT NOT NULL, scope TEXT NOT NULL,
       monthly_usd TEXT NOT NULL, create_time INTEGER NOT NULL, update_time INTEGER NOT NULL,
       PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;
     CREATE TABLE notices (account TEXT NOT NULL REFERENCES accounts (id), month_start INTEGER NOT NULL,
       threshold_usd TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, tries INTEGER NOT NULL,
       next_try_time INTEGER, PRIMARY KEY (account, month_start, threshold_usd)) STRICT, WITHOUT ROWID;
     CREATE INDEX notices_due ON notices (next_try_time) WHERE next_try_time IS NOT NULL;`,
  ],
};
