import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, unavailable } from "./domain/fault.ts";
import { Readiness } from "./readiness.ts";

const answers = async (): Promise<void> => {};

test("nothing that may be away: ready; all that are away are named", async () => {
  await new Readiness([]).check();
  const ledger = { name: "the ledger", ready: async () => Promise.reject(unavailable("the ledger's engine is away")) };
  const accounts = { name: "the accounts", ready: async () => Promise.reject(new Error("no route")) };
  await new Readiness([{ name: "the ledger", ready: answers }]).check();
  await assert.rejects(new Readiness([ledger, { name: "the accounts", ready: answers }]).check(), (error) => {
    assert.ok(error instanceof Fault && error.http === 503 && error.retryAfterSeconds === 1);
    assert.match(error.message, /the ledger's engine is away; try again/);
    return true;
  });
  const both = /the ledger's engine is away; the accounts: no route; try again/;
  await assert.rejects(new Readiness([ledger, accounts]).check(), both);
});

test("many who ask at once are one question, and who asks later asks anew", async () => {
  let asked = 0;
  let answer = Promise.withResolvers<void>();
  const readiness = new Readiness([{ name: "the ledger", ready: () => answer.promise.finally(() => (asked += 1)) }]);
  const checks = Array.from({ length: 50 }, () => readiness.check());
  answer.resolve();
  await Promise.all(checks);
  assert.equal(asked, 1);
  answer = Promise.withResolvers();
  answer.reject(new Error("gone"));
  answer.promise.catch(() => {});
  // An answer holds for a moment; then the engine is asked again.
  let away = false;
  while (!away) {
    await readiness.check().catch(() => {
      away = true;
    });
    await new Promise((go) => setTimeout(go, 20));
  }
  assert.equal(asked, 2);
});
