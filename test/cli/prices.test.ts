/** Price books at the prompt: read one out, change it, see what it would change, put it, and ask why. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { OPERATOR_KEY } from "../contract/serving.ts";
import { ACCOUNT, daybook, folderFor, golden, serve, shell } from "./prompt.ts";

const KIMI = "accounts/fireworks/models/kimi-k2p6";
const RANGE = "--start-time 2026-03-01 --end-time 2026-06-01";

test("get, change, check, diff, put, explain", async (t) => {
  const { server, env: known } = await serve(t);
  const cwd = folderFor(t);
  const env = { ...known, DAYBOOK_API_KEY: OPERATOR_KEY };
  const run = (line: string) => daybook(line.split(" "), { env, cwd });
  const ok = async (line: string) => {
    const said = await run(line);
    assert.equal(said.code, 0, `${line}: ${said.stderr}`);
    return said.stdout;
  };
  const json = async (line: string) => JSON.parse(await ok(`${line} -o json`));
  /** All that the account's usage cost, in nanodollars, as the reports say. */
  const spent = async () => {
    const { account_costs: costs } = await json(`billing get-usage ${RANGE}`);
    const [{ total }] = costs.cost_data_items;
    return BigInt(total.units) * 1_000_000_000n + BigInt(total.nanos);
  };

  assert.match(
    await ok("prices list"),
    /^VERSION +FOR .*\n +1 +list +2026-06-15 12:00:00 +\d+ +shipped +[0-9a-f]{12}\n$/,
  );
  assert.equal((await shell("daybook prices get 1 > book.yaml", { env, cwd })).code, 0);
  const shipped = readFileSync(join(import.meta.dirname, "../../prices/default.yaml"), "utf8");
  const path = join(cwd, "book.yaml");
  assert.equal(readFileSync(path, "utf8"), shipped, "byte for byte");
  server.setClock("2026-06-15T12:00:01Z");
  assert.match(await ok("prices put book.yaml"), /^version +1$/m, "the same text is no new version");

  // A third of it was unpriced before, and the 28th costs twice as much from 07:00 on.
  const line = shipped.split("\n").findIndex((one) => one.includes(`match: { model: [${KIMI}`)) + 1;
  const price = 'input: "0.95", cachedInput: "0.16", output: "4.00"';
  const changed =
    `${shipped.replace(`perMillionTokens: { ${price} }\n    effectiveFrom: 2026-05-01T00:00:00Z`, `perMillionTokens: { ${price} }\n    effectiveFrom: 2026-03-01T00:00:00Z\n    effectiveTo: 2026-05-28T07:00:00Z`)}`.replace(
      "prices:\n",
      `prices:\n  - match: { model: ${KIMI} }\n    perMillionTokens: { input: "1.90", cachedInput: "0.32", output: "8.00" }\n    effectiveFrom: 2026-05-28T07:00:00Z\n    source: ours\n`,
    );
  assert.notEqual(changed, shipped);
  writeFileSync(path, changed);
  assert.match(await ok("prices check book.yaml"), /^\d+ entries, no mistakes\n/);

  const before = await spent();
  golden("prices-diff.txt", await ok(`prices diff 1 book.yaml ${RANGE}`));
  const diff = await json(`prices diff book.yaml ${RANGE}`);
  assert.deepEqual(
    [diff.from, diff.to, diff.start_time, diff.end_time],
    ["priceBooks/1", "", "2026-03-01T00:00:00Z", "2026-06-01T00:00:00Z"],
  );
  const { units, nanos } = diff.total.difference;
  const told = BigInt(units) * 1_000_000_000n + BigInt(nanos);
  assert.ok(told > 0n);
  server.setClock("2026-06-15T13:00:00Z");
  assert.match(await ok("prices put book.yaml"), /^version +2\nfor +list\nknown from +2026-06-15 13:00:00$/m);
  assert.equal((await spent()) - before, told, "what was told is what the reports say now");
  assert.deepEqual((await json(`prices diff 1 2 ${RANGE}`)).rows, diff.rows);
  assert.match(await ok(`prices diff 2 2 ${RANGE}`), /Nothing would cost something else\.\n$/);

  const explained = await ok(`prices explain ${KIMI} --at 2026-05-28 --batch`);
  assert.match(explained, /^acme, 2026-05-28 00:00:00 UTC, TEXT_COMPLETION_INFERENCE_USAGE, by price book 2\n/);
  assert.ok(
    explained.includes(
      `\nuncachedPromptTokens: $0.000000475 each\n  $0.95 for 1,000,000 tokens times 0.5 (batch) (price book 2, line ${line + 4})\n`,
    ),
    explained,
  );
  const unheard = await ok("prices explain nobodys --at 2026-05-28");
  assert.match(
    unheard,
    /\n\nuncachedPromptTokens, cachedPromptTokens, completionTokens: no price\n {2}not price book 2, line \d+: /,
  );
  assert.match(unheard, /: it asks for above 16B, dense; no book states the size of nobodys\n/);
  server.setClock("2026-06-15T14:00:00Z");
  const asKnown = await json(`prices explain ${KIMI} --at 2026-05-29 --as-of 2026-06-15T12:30:00Z`);
  assert.deepEqual([asKnown.price_book, asKnown.components[0].net.stated_usd], ["priceBooks/1", "0.95"]);
  assert.equal((await json(`prices explain ${KIMI} --at 2026-05-29`)).components[0].net.stated_usd, "1.9");

  // A contract, and what it would change.
  writeFileSync(
    join(cwd, "acme.yaml"),
    'currency: USD\ndiscounts:\n  - { percent: "12.5", effectiveFrom: 2026-01-01T00:00:00Z, source: agreed }\n',
  );
  assert.match(await ok("prices check acme.yaml --account-contract"), /^1 entry, no mistakes\n$/);
  const contract = await json(`prices diff acme.yaml --account ${ACCOUNT} ${RANGE}`);
  assert.equal(contract.account, `accounts/${ACCOUNT}`);
  assert.match(await ok(`prices put acme.yaml --account ${ACCOUNT}`), /^version +3\nfor +acme\n/);
  assert.match(await ok(`prices list --account ${ACCOUNT}`), /^ +3 +acme +2026-06-15 14:00:00 +1 /m);
  const after = await json(`prices explain ${KIMI} --at 2026-05-29`);
  assert.equal(after.components[0].net.discount.percent, "12.5");
});

test("a book with mistakes is told line by line and not sent; the book in force stays", async (t) => {
  const { server, env: known } = await serve(t);
  const cwd = folderFor(t);
  const env = { ...known, DAYBOOK_API_KEY: OPERATOR_KEY };
  writeFileSync(join(cwd, "bad.yaml"), "currency: EUR\nprices:\n  - match: { model: m }\n    perImage: 1e-7\n");
  writeFileSync(join(cwd, "latin.yaml"), Buffer.from("# caf\xe9\n", "latin1"));
  const mistakes = [
    'bad.yaml:1: currency: "EUR" is unknown; allowed are USD',
    "bad.yaml:3: prices[0]: effectiveFrom is missing; it is required",
    "bad.yaml:3: prices[0]: source is missing; it is required",
    'bad.yaml:4: prices[0].perImage: the bare number 1e-7 stands here; write a plain decimal in quotes, such as "0.95"',
  ].join("\n");
  const list = "/v1/priceBooks";
  const before = (await server.call("GET", list, { key: OPERATOR_KEY })).text;
  // biome-ignore format: a ledger
  const cases: [line: string, code: number, stdout: RegExp, stderr: string][] = [
    ["prices put bad.yaml",             1, /^$/, `${mistakes}\ndaybook: "bad.yaml" has 4 mistakes; nothing was sent\n`],
    ["prices put bad.yaml --dry-run",   1, /^$/, `${mistakes}\ndaybook: "bad.yaml" has 4 mistakes; nothing was sent\n`],
    ["prices diff bad.yaml",            1, /^$/, `${mistakes}\ndaybook: "bad.yaml" has 4 mistakes; nothing was sent\n`],
    ["prices check bad.yaml",           1, /^$/, `${mistakes}\ndaybook: "bad.yaml" has 4 mistakes\n`],
    ["prices check bad.yaml -o json",   1, /^\{\n {2}"mistakes": \[\n {4}\{\n {6}"line": 1,/, ""],
    ["prices check none.yaml",          1, /^$/, 'daybook: file "none.yaml" cannot be used: there is no such file\n'],
    ["prices put none.yaml",            1, /^$/, 'daybook: file "none.yaml" cannot be used: there is no such file\n'],
    ["prices diff none.yaml",           1, /^$/, 'daybook: file "none.yaml" cannot be used: there is no such file\n'],
    ["prices put .",                    1, /^$/, 'daybook: file "." cannot be used: it is a folder; name a file\n'],
    ["prices put latin.yaml",           1, /^$/, 'daybook: file "latin.yaml" cannot be used: it is not valid UTF-8; save it as UTF-8\n'],
    ["prices check bad.yaml --dry-run", 2, /^$/, "daybook: --dry-run: check asks no server and does not know it; leave it out\n"],
    ["prices get 99",                   1, /^$/, 'daybook: priceBook: "99" was not found; check the id, --account-id and --base-url\n'],
    ["prices explain",                  2, /^$/, "daybook: name a model, or --accelerator-type; see daybook prices explain --help\n"],
    ["prices explain m --at soon",      2, /^$/, "daybook: --at: \"soon\" is not a time; use YYYY-MM-DD or 'YYYY-MM-DD hh:mm:ss'\n"],
    ["prices diff",                     2, /^$/, "daybook: missing required argument 'a'; see daybook prices diff --help\n"],
    ["prices get 1 --dry-run",          0, /^GET http:\S+\/v1\/priceBooks\/1\n$/, ""],
    ["prices diff 1 2 --start-time 2026-05-01 --end-time 2026-05-02 --only acme --dry-run", 0, /^POST http:\S+\/v1\/priceBooks:diff\n\{\n {2}"from": \{\n {4}"version": "1"/, ""],
  ];
  for (const [line, code, stdout, stderr] of cases) {
    const said = await daybook(line.split(" "), { env, cwd });
    assert.equal(said.stderr, stderr, line);
    assert.equal(said.code, code, line);
    assert.match(said.stdout, stdout, line);
  }
  const reader = await daybook(["prices", "list"], { env: known, cwd });
  assert.deepEqual([reader.code, reader.stdout], [1, ""]);
  assert.match(reader.stderr, /^daybook: role: "ADMIN" may not do this; it takes OPERATOR;/);
  assert.equal((await server.call("GET", list, { key: OPERATOR_KEY })).text, before);
});
