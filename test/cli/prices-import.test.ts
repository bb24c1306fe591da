/** `daybook prices import` as a process: the book, the report, the file, and what is said to bad input. */

import assert from "node:assert/strict";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadPriceBook } from "../../src/rating/book.ts";
import { LIST_BYTES_MAX } from "../../src/rating/import/import.ts";
import { daybook, folderFor } from "./prompt.ts";

const SAMPLE = join(import.meta.dirname, "../rating/litellm-sample.json");
const IMPORT = ["prices", "import", "--from", "litellm"];

test("the book goes to standard output and the report to standard error, and check takes the book", async (t) => {
  const folder = folderFor(t);
  const said = await daybook([...IMPORT, SAMPLE, "--provider", "openai", "--effective-from", "2026-01-01"]);
  assert.equal(said.code, 0, said.stderr);
  const book = loadPriceBook("said", said.stdout);
  assert.equal(book.entries[0]?.effectiveFrom, Date.UTC(2026, 0, 1));
  assert.equal(book.entries[0]?.source, "LiteLLM, litellm-sample.json");
  const lines = said.stderr.trimEnd().split("\n");
  assert.equal(lines.at(-1), `daybook: 10 models of 13, ${book.entries.length} entries`);
  assert.ok(
    lines.includes(
      "daybook: not expressible: input_cost_per_token_flex: Daybook has no FLEX service tier (1, such as gpt-5.6-sol)",
    ),
  );
  assert.ok(lines.some((line) => /^daybook: without a price: .*: 1 model: tts-1$/.test(line)));
  assert.ok(
    lines.some((line) => /^daybook: priced in part, .*: 6 models: gpt-4o-mini, gpt-5.6-sol, gpt-realtime, /.test(line)),
  );

  const file = join(folder, "book.yaml");
  const written = await daybook([...IMPORT, SAMPLE, "--filename", file, "--model-prefix", "gateway/"]);
  assert.equal(written.code, 0, written.stderr);
  assert.equal(written.stdout, "");
  assert.match(written.stderr, /not understood: a_key_of_tomorrow: an unknown key \(1, such as odd\/values\)\n/);
  assert.match(written.stderr, /at a price of 0: 1 model: ollama\/llama3\n/);
  assert.match(written.stderr, /32 models of 41, \d+ entries in "[^"]*book\.yaml"\n$/);
  assert.match(readFileSync(file, "utf8"), /model: "gateway\/gpt-4o"/);
  const checked = await daybook(["prices", "check", file]);
  assert.equal(checked.code, 0, checked.stderr);

  const again = await daybook([...IMPORT, SAMPLE, "--filename", file]);
  assert.deepEqual([again.code, again.stderr.includes("use --force")], [1, true]);
  assert.equal((await daybook([...IMPORT, SAMPLE, "--filename", file, "--force"])).code, 0);
  assert.match(readFileSync(file, "utf8"), /model: "gpt-4o"/);
});

test("a list may come from standard input", async () => {
  const stdin = '[{"id": "p", "models": [{"id": "m", "match": {"starts_with": "m-"}, "prices": {"input_mtok": 1.5}}]}]';
  const said = await daybook(["prices", "import", "-", "--from", "genai-prices"], { stdin });
  assert.equal(said.code, 0, said.stderr);
  assert.match(said.stdout, /- match: { model: \["m", "m-\*"\] }\n {4}perMillionTokens: { input: "1.5" }\n/);
  assert.match(said.stdout, /source: "genai-prices, stdin, p"\n/);
});

test("bad input is refused in one line with the mend, and nothing is written", async (t) => {
  const folder = folderFor(t);
  const path = (name: string, text: string | Uint8Array): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const large = path("large.json", "");
  truncateSync(large, LIST_BYTES_MAX + 1);
  const broken = path("broken.json", '{\n  "m": {"mode": "chat",}\n}');
  const foreign = path("foreign.json", '[{"id": "p", "models": []}]');
  const latin = path("latin.json", Buffer.from('{"caf\xe9": {"mode": "chat"}}', "latin1"));
  const dear = path("none.json", '{"m": {"input_cost_per_query": 1}}');
  const out = join(folder, "out.yaml");
  // the words, the exit code, what is said
  const cases: [readonly string[], number, RegExp][] = [
    [
      [...IMPORT, large],
      1,
      /"[^"]*large\.json" cannot be used: it is larger than 33554432 bytes; give the list itself/,
    ],
    [
      [...IMPORT, broken],
      1,
      /"broken\.json": it is no valid JSON: "}\\n}" may not stand at line 2, column 24; mend it/,
    ],
    [[...IMPORT, foreign], 1, /it is a list of providers, as genai-prices publishes it; use --from genai-prices$/],
    [[...IMPORT, latin], 1, /it is not valid UTF-8; save it as UTF-8$/],
    [[...IMPORT, folder], 1, /it is a folder; name a file$/],
    [[...IMPORT, join(folder, "absent")], 1, /there is no such file$/],
    [[...IMPORT, SAMPLE, "--provider", "acme"], 1, /it has no provider "acme"; it has anthropic, azure, /],
    [[...IMPORT, dear], 1, /no price of the list can be said in a book; no book was written$/],
    [
      [...IMPORT, SAMPLE, "--effective-from", "2026-01-01T00:07:00Z"],
      2,
      /off the 15-minute edges of UTC; the one before/,
    ],
    [["prices", "import", SAMPLE], 2, /required option '--from <kind>' not specified/],
    [[...IMPORT, SAMPLE, "-o", "json"], 2, /--output: "json" is not for this command/],
    [[...IMPORT, SAMPLE, "--dry-run"], 2, /--dry-run: import asks no server/],
  ];
  for (const [words, code, said] of cases) {
    const result = await daybook([...words, "--filename", out]);
    assert.equal(result.code, code, `${words.join(" ")}: ${result.stderr}`);
    assert.equal(result.stdout, "");
    const lines = result.stderr.trimEnd().split("\n");
    assert.match(lines.at(-1)!, said);
    if (!words.includes(dear)) assert.equal(lines.length, 1, result.stderr);
    assert.throws(() => readFileSync(out), /ENOENT/);
  }
});
