import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "./fault.ts";
import { CONTAINERS_MAX, refuseBloated } from "./json-text.ts";

const MIB = 1024 * 1024;

function isRefused(text: string): boolean {
  try {
    refuseBloated(text);
    return false;
  } catch (error) {
    assert.ok(error instanceof Fault);
    assert.match(error.message, /^body: more than 320000 objects and lists were sent; at most 320000 are allowed$/);
    return true;
  }
}

test("texts of more objects and lists than events could have are refused, brackets within texts are not counted", () => {
  const half = CONTAINERS_MAX / 2;
  const pad = " ".repeat(MIB);
  // biome-ignore format: a ledger
  const cases: [text: string, refused: boolean][] = [
    ["",                                                       false],
    ["[".repeat(MIB),                                          false],
    ["[".repeat(2 * MIB),                                      true],
    [pad + "{}".repeat(CONTAINERS_MAX),                        false],
    [pad + "{}".repeat(CONTAINERS_MAX + 1),                    true],
    [pad + "[{}]".repeat(half),                                false],
    [`${pad}${"[{}]".repeat(half)}[]`,                         true],
    [`${pad}"${"[{".repeat(CONTAINERS_MAX)}"`,                 false],
    [`${pad}"\\"${"[{".repeat(CONTAINERS_MAX)}\\\\"`,          false],
    [`${pad}"\\\\"${"[{".repeat(CONTAINERS_MAX)}`,             true],
    [`{"events":[${'{"id":"a","annotations":{}},'.repeat(40_000)}]}`, false],
  ];
  for (const [text, refused] of cases) assert.equal(isRefused(text), refused, text.trim().slice(0, 40));
});
