/** Requests a minute as several processes count them, against a plain list: never more than the limit in any 60 s. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RequestCount } from "../../src/accounts/request-counts.ts";
import { Accounts } from "../../src/accounts/store.ts";
import { emptyDatabase, run, WHY_NO_POSTGRES } from "../postgres/server.ts";

const CELLS = 61;
const RUNS = Number(process.env.DAYBOOK_LAW_RUNS ?? 40);

/** Makes all that was counted so many seconds older: time goes on without a wait. */
function age(key: string, seconds: number): string {
  return `update request_counts set newest = newest - ${seconds},
    cells = array(select cells[(cell + ${seconds}) % ${CELLS} + 1] from generate_series(0, ${CELLS - 1}) as cell order by cell)
    where key_id = '${key}'`;
}

test("a key's requests are let through up to its limit, and forgotten after 61 s", {
  skip: WHY_NO_POSTGRES ?? false,
}, async (t) => {
  const url = await emptyDatabase();
  const options = { place: { url }, now: Date.now, randomBytes: (count: number) => Buffer.alloc(count) };
  const [one, two] = [await Accounts.open(options), await Accounts.open(options)];
  t.after(() => Promise.all([one.close(), two.close()]));
  let keys = 0;
  const step = fc.record({ seconds: fc.oneof(fc.nat(70), fc.constantFrom(1, 59, 60, 61)), requests: fc.nat(6) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), fc.bigInt(0n, 8n), async (steps, limit) => {
      keys += 1;
      const key = `key${keys}`;
      let aged = 0;
      const counted: number[] = [];
      for (const { seconds, requests } of steps) {
        aged += seconds;
        await run(url, age(key, seconds));
        const asks = Array.from({ length: requests }, (_, at) =>
          (at % 2 === 0 ? one : two).shared!.counts.take("a", key, limit),
        );
        const answers: RequestCount[] = await Promise.all(asks);
        // In the order in which they were counted: refusals come when the others have been.
        answers.sort((a, b) => a.newest - b.newest || Number(b.isAllowed) - Number(a.isAllowed));
        for (const { isAllowed, newest, cells } of answers) {
          const second = newest + aged;
          const standing = counted.filter((other) => other > second - CELLS).length;
          assert.equal(isAllowed, standing < Number(limit), `${standing} of ${limit} at ${second}`);
          if (isAllowed) counted.push(second);
          assert.ok(cells.reduce((sum, count) => sum + count, 0) <= Number(limit));
        }
        const busiest = Math.max(0, ...(await one.shared!.counts.counts("a")));
        assert.ok(busiest <= 8);
      }
    }),
    { numRuns: RUNS },
  );
});
