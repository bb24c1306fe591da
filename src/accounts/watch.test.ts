import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { FRESH_MS, Watch } from "./watch.ts";

/** A count of changes that is read as slowly as the test wants. */
function counted() {
  const state = { changes: 0, questions: 0, forgotten: 0, answers: [] as ((error?: Error) => void)[] };
  const read = async (): Promise<number> => {
    state.questions += 1;
    const { changes } = state;
    await new Promise<void>((resolve, reject) => state.answers.push((error) => (error ? reject(error) : resolve())));
    return changes;
  };
  const watch = new Watch(read, () => {
    state.forgotten += 1;
  });
  return { state, watch };
}

test("many who ask for what is fresh put one question, until its answer is too old", async () => {
  const { state, watch } = counted();
  const asking = Array.from({ length: 100 }, () => watch.fresh());
  assert.equal(state.questions, 1);
  state.answers[0]!();
  await Promise.all(asking);
  await watch.fresh();
  assert.deepEqual([state.questions, state.forgotten], [1, 1]);
  await wait(FRESH_MS + 5);
  const late = watch.fresh();
  assert.equal(state.questions, 2);
  state.answers[1]!();
  await late;
  assert.equal(state.forgotten, 1, "nothing was written");
});

test("who asks for what is exact gets a question that was put after it asked", async () => {
  const { state, watch } = counted();
  const first = watch.exact();
  state.changes = 1;
  const after = Array.from({ length: 100 }, () => watch.exact());
  state.answers[0]!();
  await first;
  await new Promise(setImmediate);
  assert.deepEqual([state.questions, state.forgotten], [2, 1]);
  state.answers[1]!();
  await Promise.all(after);
  assert.deepEqual([state.questions, state.forgotten], [2, 2]);
});

test("a question that failed fails its callers, and the next is put anew", async () => {
  const { state, watch } = counted();
  const failing = [watch.fresh(), watch.exact()];
  const refused = Promise.all(failing.map((one) => assert.rejects(one, /away/)));
  state.answers[0]!(new Error("away"));
  await new Promise(setImmediate);
  state.answers[1]!(new Error("away"));
  await refused;
  const again = watch.fresh();
  assert.equal(state.questions, 3);
  state.answers[2]!();
  await again;
});
