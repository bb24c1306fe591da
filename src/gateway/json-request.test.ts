import assert from "node:assert/strict";
import { test } from "node:test";
import { readJsonRequest } from "./json-request.ts";

const sizeOf = (json: object) => readJsonRequest(Buffer.from(JSON.stringify({ model: "m", ...json }))).asked.size;

test("as many answers as are asked for, to each prompt of a list, however the numbers are written", () => {
  // biome-ignore format: a ledger
  const cases: [json: object, answers: number, outputTokensMax: number | undefined][] = [
    [{},                                                        1, undefined],
    [{ n: 3, max_tokens: 10 },                                  3, 10],
    [{ n: "3", max_tokens: "10" },                              3, 10],
    [{ n: 2, best_of: 5, max_tokens: 10, max_output_tokens: 20 }, 5, 20],
    [{ n: "three", max_tokens: -1 },                            1, undefined],
    [{ prompt: "one" },                                         1, undefined],
    [{ prompt: [] },                                            1, undefined],
    [{ prompt: ["a", "b", "c"], n: 2 },                         6, undefined],
    [{ prompt: [[1, 2], [3]] },                                 2, undefined],
    [{ prompt: [1, 2, 3, 4] },                                  1, undefined],
    [{ prompt: Array(5_000).fill("a long prompt"), max_tokens: 1 }, 5_000, 1],
  ];
  for (const [json, answers, outputTokensMax] of cases) {
    const size = sizeOf(json);
    assert.deepEqual(
      [size.answers, size.outputTokensMax],
      [answers, outputTokensMax],
      JSON.stringify(json).slice(0, 80),
    );
  }
  const spaced = readJsonRequest(Buffer.from('{"model":"m","prompt": [ \n "a" , "b" ] }'));
  assert.equal(spaced.asked.size.answers, 2);
});

test("the names that a body gives its call are told", () => {
  const ids = (json: object) => readJsonRequest(Buffer.from(JSON.stringify({ model: "m", ...json }))).asked.requestIds;
  assert.deepEqual(ids({}), []);
  assert.deepEqual(ids({ request_id: "a", rid: "b" }), ["a", "b"]);
  assert.deepEqual(ids({ request_id: 7, rid: null }), []);
});
