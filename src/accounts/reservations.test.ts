/** The rows of a shared book, where two of its writers come at once. */

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { sql } from "kysely";
import { testOnPostgres } from "../../test/postgres/stores.ts";
import { openPostgres } from "./postgres/open.ts";
import { Accounts } from "./store.ts";

const ACCOUNT = "acme";

testOnPostgres(
  "usage that is told to have arrived while a reading misses it is not held for lost",
  async (t, { place }) => {
    const accounts = await Accounts.open({ place, now: Date.now, randomBytes });
    const database = await openPostgres((place as { url: string }).url, "test");
    t.after(() => Promise.all([accounts.close(), database.destroy()]));
    await accounts.bootstrap({ accountId: ACCOUNT });
    const { reservations } = accounts.shared!;
    const run = { id: randomUUID(), spool: randomUUID() };
    await reservations.beat(run);
    const usage = { id: "late", time: Date.now(), apiKeyId: "k", annotations: {}, atto: 7n };
    await reservations.change(ACCOUNT, { used: [usage] }, run);
    const cutOff = reservations.carry(
      ACCOUNT,
      [usage.id],
      () => Promise.reject(new Error("nobody answered")),
      () => {},
    );
    await assert.rejects(cutOff, /nobody answered/);
    await sql`update budget_usage set state_time = 0`.execute(database);
    await reservations.read(ACCOUNT, Date.now(), async ({ leaving }) => {
      assert.deepEqual(leaving, [usage.id]);
      // It came to the ledger after all, just after the ledger was asked.
      await reservations.change(ACCOUNT, { arrived: leaving });
      return { spents: [], arrived: [], readMs: 1 };
    });
    const { rows } = await sql`select state from budget_usage`.execute(database);
    assert.deepEqual(rows, [{ state: "arrived" }]);
  },
);
