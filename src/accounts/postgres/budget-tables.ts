/** The tables of the budgets that several processes share. Columns are the names of ../reservations.ts in snake_case. */

/**
 * - `budget_runs`: a process from its start to its end; `beat` rises while it lives. `spool` is its data folder's, the
 *   same after a restart.
 * - `budget_books`: a row for each account that a budget held. Whoever changes the account's money locks it.
 * - `budget_purses`: the money of a budget in a month, in attodollars. `spent` is null until the ledger was read;
 *   `pending` is the sum of the account's `budget_usage` and `open` that of its `budget_reservations`, of what its scope
 *   and its month hold.
 * - `budget_usage`: usage of calls that have ended, until the ledger was read after it was there. `state`: `waiting` in
 *   a spool, `leaving` it for the ledger, `arrived` there.
 * - `request_counts`: cell `second % 61` of `cells` counts the key's requests of a second, `newest` at the latest.
 *   Unlogged: no call waits for the disk, and a PostgreSQL that crashed counts anew.
 */
export const BUDGET_TABLES = `
  CREATE TABLE budget_runs (id text PRIMARY KEY, spool text NOT NULL, beat bigint NOT NULL);
  CREATE TABLE budget_books (account text COLLATE "C" PRIMARY KEY REFERENCES accounts (id),
    read_time bigint NOT NULL, read_ms bigint NOT NULL);
  CREATE TABLE budget_purses (account text COLLATE "C" NOT NULL REFERENCES budget_books (account),
    month_start bigint NOT NULL, month_end bigint NOT NULL, scope text NOT NULL, spent numeric,
    pending numeric NOT NULL, open numeric NOT NULL, asked_time bigint NOT NULL,
    PRIMARY KEY (account, month_start, month_end, scope));
  CREATE TABLE budget_reservations (id text PRIMARY KEY,
    account text COLLATE "C" NOT NULL REFERENCES budget_books (account),
    run text NOT NULL REFERENCES budget_runs (id), time bigint NOT NULL, api_key_id text NOT NULL,
    annotations text NOT NULL, atto numeric NOT NULL, until bigint NOT NULL);
  CREATE INDEX budget_reservations_account ON budget_reservations (account);
  CREATE INDEX budget_reservations_run ON budget_reservations (run);
  CREATE TABLE budget_usage (account text COLLATE "C" NOT NULL REFERENCES budget_books (account),
    event_id text COLLATE "C" NOT NULL, run text NOT NULL, spool text NOT NULL, time bigint NOT NULL,
    api_key_id text NOT NULL, annotations text NOT NULL, atto numeric NOT NULL, state text NOT NULL,
    state_time bigint NOT NULL, PRIMARY KEY (account, event_id));
  CREATE INDEX budget_usage_spool ON budget_usage (spool);
  CREATE UNLOGGED TABLE request_counts (account text COLLATE "C" NOT NULL, key_id text COLLATE "C" NOT NULL,
    newest bigint NOT NULL, cells integer[] NOT NULL, is_allowed boolean NOT NULL, PRIMARY KEY (account, key_id))
    WITH (fillfactor = 50);
`;
