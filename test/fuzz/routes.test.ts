/**
 * A fuzzer of every route against the real server: no 500, no hang, no write on a refusal, every refusal in its form.
 * DAYBOOK_FUZZ_SECONDS sets how long, DAYBOOK_FUZZ_SEED the first episode's seed. `npm run fuzz -- --minutes N` runs longer.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Daybook } from "../process/daybook.ts";
import { plainStatuses } from "./episode.ts";
import { fuzz } from "./fuzz.ts";
import { openapi, PLAIN_STATUS } from "./operations.ts";

const SECONDS = Number(process.env.DAYBOOK_FUZZ_SECONDS ?? 45);
const SEED = Number(process.env.DAYBOOK_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));

after(() => Daybook.killAll());

test("every operation of openapi.json has a plain call that is taken", async () => {
  const statuses = await plainStatuses();
  for (const [operation, { operationId }] of openapi.operations) {
    assert.equal(statuses.get(operation), PLAIN_STATUS[operationId] ?? 200, operation);
  }
});

test(`${SECONDS} s of damaged calls to every route`, { timeout: SECONDS * 1_000 + 600_000 }, async (context) => {
  const told = await fuzz({ seed: SEED, seconds: SECONDS });
  context.diagnostic(`figure routes: seed ${SEED}: ${JSON.stringify(told)}`);
  assert.ok(told.requests > 0);
});
