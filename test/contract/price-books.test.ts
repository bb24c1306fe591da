/** Price books over HTTP: put, read back, refused; what a new one would change is what it then changes. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import {
  type Answer,
  type Daybook,
  linesOf,
  OPERATOR_KEY,
  post,
  startDaybook,
  usageOf,
  writeUsage,
} from "./serving.ts";

const NOW = "2026-10-20T12:00:00Z";
const BOOKS = "/v1/priceBooks";
const SHIPPED = readFileSync(join(import.meta.dirname, "../../prices/default.yaml"), "utf8");
const WORDS = {
  TEXT: "TEXT_COMPLETION_INFERENCE_USAGE",
  SFT: "TRAINING_TOKEN_USAGE",
  GPU: "DEDICATED_DEPLOYMENT_USAGE",
  H100: "NVIDIA_H100_80GB",
};
const OCTOBER = { startTime: "2026-10-01T00:00:00Z", endTime: "2026-10-11T00:00:00Z" };

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook(NOW);
  for (const account of ["acme", "beta"]) await daybook.account(account);
  await writeUsage(
    daybook,
    "acme",
    `
    id | time                 | usageType | model | promptTokens | cachedPromptTokens | completionTokens | acceleratorType | acceleratorSeconds | baseModel | jobType | tokens
    a1 | 2026-10-05T09:00:00Z | TEXT      | m1    | 1000         | 400                | 10               |                 |                    |           |         |
    a2 | 2026-10-05T23:59:59Z | TEXT      | m2    | 7            |                    | 3                |                 |                    |           |         |
    a3 | 2026-10-06T00:00:00Z | TEXT      | m1    | 500          |                    |                  |                 |                    |           |         |
    a4 | 2026-10-06T11:00:00Z | TEXT      | m3    | 90           |                    | 1                |                 |                    |           |         |
    a5 | 2026-10-06T12:00:00Z | GPU       |       |              |                    |                  | H100            | 3600               | m1        |         |
    a6 | 2026-10-07T12:00:00Z | SFT       |       |              |                    |                  |                 |                    | m2        | SFT     | 12345
  `,
    WORDS,
  );
  await writeUsage(
    daybook,
    "beta",
    `
    id | time                 | usageType | model | promptTokens | cachedPromptTokens | completionTokens
    b1 | 2026-10-05T10:00:00Z | TEXT      | m1    | 2000         |                    | 100
    b2 | 2026-10-06T12:00:00Z | TEXT      | m1    | 3000         |                    | 100
  `,
    WORDS,
  );
});
after(() => daybook.close());

/** A book of token prices, `model input output`, in dollars for a million tokens; a line may end with when it begins. */
function tokenBook(...lines: readonly string[]): string {
  const entries = lines.map((line) => {
    const [model, input, output, from = "2026-01-01T00:00:00Z"] = line.split(" ");
    const prices = `{ input: "${input}", cachedInput: "${input}", output: "${output}" }`;
    return `  - { match: { model: ${model} }, perMillionTokens: ${prices}, effectiveFrom: ${from}, source: test }\n`;
  });
  return `currency: USD\nprices:${lines.length === 0 ? " []\n" : `\n${entries.join("")}`}`;
}

const putBook = async (document: string, account?: string): Promise<Answer["json"]> =>
  (await post(daybook, BOOKS, { priceBook: { document, ...(account && { account }) } })).json;
const get = (path: string): Promise<Answer> => daybook.call("GET", path, { key: OPERATOR_KEY });
const diff = (body: object): Promise<Answer> =>
  daybook.call("POST", `${BOOKS}:diff`, { key: OPERATOR_KEY, body: { ...OCTOBER, ...body } });

/** The violations' sentences. */
function violations({ json }: Answer): string[] {
  return json.details[0].fieldViolations.map((one: { description: string }) => one.description);
}

test("the shipped book is the first version; a put is the next, known from then on, and may be repeated", async () => {
  const [first] = (await get(BOOKS)).json.priceBooks;
  assert.deepEqual(
    [first.name, first.version, first.account, first.knownFrom, first.createdBy],
    ["priceBooks/1", "1", "", NOW, "shipped"],
  );
  assert.equal((await get(`${BOOKS}/1`)).json.document, SHIPPED);

  const document = `# \u20ac \ud83d\ude00 stays\r\n${tokenBook("m1 1 2")}`;
  daybook.setClock("2026-10-20T13:00:00Z");
  const put = await putBook(document);
  assert.deepEqual(
    [put.name, put.account, put.knownFrom, put.entryCount],
    ["priceBooks/2", "", "2026-10-20T13:00:00Z", 1],
  );
  assert.match(put.createdBy, /^key_/);
  assert.match(put.hash, /^[0-9a-f]{64}$/);
  daybook.setClock("2026-10-20T14:00:00Z");
  assert.deepEqual(await putBook(document), put, "the same text again");
  assert.deepEqual((await get(`${BOOKS}/2`)).json, { ...put, document });

  const headers = { "content-type": "application/yaml" };
  const asYaml = await daybook.call("POST", BOOKS, { key: OPERATOR_KEY, body: document, headers });
  assert.deepEqual(asYaml.json, put, "as YAML");
  const contract = "currency: USD\nprices: []\n";
  const path = `${BOOKS}?account=accounts/acme`;
  const agreed = await daybook.call("POST", path, { key: OPERATOR_KEY, body: contract, headers });
  assert.deepEqual([agreed.json.name, agreed.json.account], ["priceBooks/3", "accounts/acme"]);
  assert.deepEqual(await putBook(contract, "acme"), agreed.json);

  const line = (json: { priceBooks: object[] }) => linesOf(json.priceBooks, "version|account|entryCount");
  const { json } = await get(`${BOOKS}?pageSize=2`);
  assert.deepEqual(line(json), ["3 | accounts/acme | 0", "2 |  | 1"]);
  assert.equal(json.totalSize, 3);
  assert.deepEqual(line((await get(`${BOOKS}?pageSize=2&pageToken=${json.nextPageToken}`)).json).length, 1);
  assert.deepEqual(line((await get(`${BOOKS}?account=acme`)).json), ["3 | accounts/acme | 0"]);
  daybook.setClock(NOW);
});

test("a book with mistakes is refused whole, each with its line, and what holds stays", async () => {
  const before = (await get(BOOKS)).text;
  const bad = `currency: EUR
prices:
  - match: { model: m1 }
    perMillionTokens: { input: 1e-7 }
    effectiveFrom: 2026-05-01T00:00:00Z
    source: s
  - match: { model: m1 }
    perMillionTokens: { input: "-1" }
    effectiveFrom: 2026-05-01T00:01:00Z
    source: s
`;
  const answer = await daybook.call("POST", BOOKS, { key: OPERATOR_KEY, body: { priceBook: { document: bad } } });
  assert.deepEqual([answer.status, answer.json.code], [400, 3]);
  const lines = violations(answer).map((text) => /^price book "document", line (\d+): \S+/.exec(text)?.[1]);
  assert.deepEqual(lines, ["1", "4", "8", "9"]);
  assert.equal(answer.json.details[0].fieldViolations[1].field, "prices[0].perMillionTokens.input");

  // biome-ignore format: a ledger
  const cases: [name: string, path: string, body: string | object, status: number, message: RegExp][] = [
    ["no document",    "",              { priceBook: {} },                       400, /^priceBook\.document: is required/],
    ["no book",        "",              {},                                      400, /^priceBook: is required/],
    ["a number",       "",              { priceBook: { document: 5 } },          400, /^priceBook\.document: 5 was sent; it must be of type string/],
    ["a field more",   "",              { priceBook: { document: "", x: 1 } },   400, /^priceBook\.x: unknown field; allowed are account, document/],
    ["an empty one",   "",              { priceBook: { document: "" } },         400, /line 1: it is empty/],
    ["two accounts",   "?account=acme", { priceBook: { document: "" } },         400, /^account: unknown query parameter/],
    ["no account id",  "",              { priceBook: { account: "A b", document: "" } }, 400, /^priceBook\.account: "A b" was sent/],
    ["no account",     "",              { priceBook: { account: "nobody", document: tokenBook() } }, 404, /^account: "nobody" was not found/],
    ["half a letter",  "",              { priceBook: { document: "currency: USD # \ud800" } }, 400, /line 1: there is a character that is no text/],
    ["a discount",     "",              "currency: USD\nprices: []\ndiscounts: []\n", 400, /line 3: discounts: a list has no discounts/],
    ["too long",       "",              `# ${"x".repeat(5 * 1024 * 1024)}`,      400, /it has 5242882 bytes; at most 5242880 are allowed/],
    ["far too long",   "",              `# ${"x".repeat(13 * 1024 * 1024)}`,     413, /^body: is larger than 12582912 bytes/],
  ];
  for (const [name, path, body, status, message] of cases) {
    const headers = typeof body === "string" ? { "content-type": "application/yaml" } : {};
    const refused = await daybook.call("POST", BOOKS + path, { key: OPERATOR_KEY, body, headers });
    assert.equal(refused.status, status, `${name}: ${refused.text.slice(0, 300)}`);
    assert.match(refused.json.message, message, name);
  }
  const bytes = new Uint8Array([0x23, 0xff, 0xfe]);
  const headers = { "content-type": "application/yaml" };
  const latin = await daybook.call("POST", BOOKS, { key: OPERATOR_KEY, body: bytes, headers });
  assert.deepEqual([latin.status, latin.json.message], [400, "body: is not valid UTF-8; send the text as UTF-8"]);
  for (const version of ["0", "99", "x", "1.0", "-1"]) {
    assert.equal((await get(`${BOOKS}/${version}`)).json.message, `priceBook: "${version}" was not found`);
  }
  assert.equal((await get(`${BOOKS}?account=nobody`)).status, 404);
  assert.equal((await get(BOOKS)).text, before);
});

test("a difference, account by account and day by day, with what has a price on one side only", async () => {
  const [from, to] = [tokenBook("m1 1 2", "m2 1 1"), tokenBook("m1 1 2", "m1 2 2 2026-10-06T00:00:00Z", "m3 10 0")].map(
    (text, at) =>
      at === 0
        ? text
        : text.replace("effectiveFrom: 2026-01-01", "effectiveTo: 2026-10-06T00:00:00Z, effectiveFrom: 2026-01-01"),
  ) as [string, string];
  const { json, status, text } = await diff({ from: { document: from }, to: { document: to } });
  assert.equal(status, 200, text);
  assert.deepEqual(
    linesOf(json.rows, "account|startTime|model|beforeUsd|afterUsd|differenceUsd|unpricedBefore|unpricedAfter"),
    [
      'accounts/acme | 2026-10-05T00:00:00Z | m2 | 0.00001 | 0 | -0.00001 | [] | [{"quantity":"uncachedPromptTokens","amount":"7"},{"quantity":"completionTokens","amount":"3"}]',
      "accounts/acme | 2026-10-06T00:00:00Z | m1 | 0.0005 | 0.001 | 0.0005 | [] | []",
      'accounts/acme | 2026-10-06T00:00:00Z | m3 | 0 | 0.0009 | 0.0009 | [{"quantity":"uncachedPromptTokens","amount":"90"},{"quantity":"completionTokens","amount":"1"}] | []',
      "accounts/beta | 2026-10-06T00:00:00Z | m1 | 0.0032 | 0.0062 | 0.003 | [] | []",
    ],
  );
  assert.deepEqual(linesOf(json.accounts, "account|beforeUsd|afterUsd|differenceUsd"), [
    "accounts/acme | 0.00153 | 0.00292 | 0.00139",
    "accounts/beta | 0.0054 | 0.0084 | 0.003",
  ]);
  assert.deepEqual(linesOf([json.total], "beforeUsd|afterUsd|difference"), [
    '0.00693 | 0.01132 | {"currencyCode":"USD","units":"0","nanos":4390000}',
  ]);
  // A total without what has no price would be read as all that is paid.
  const others = [
    { quantity: "acceleratorSeconds", amount: "3600" },
    { quantity: "tokens", amount: "12345" },
  ];
  const acmeBefore = [
    { quantity: "uncachedPromptTokens", amount: "90" },
    { quantity: "completionTokens", amount: "1" },
    ...others,
  ];
  const acmeAfter = [
    { quantity: "uncachedPromptTokens", amount: "7" },
    { quantity: "completionTokens", amount: "3" },
    ...others,
  ];
  const totals = [...json.accounts, json.total] as { unpricedBefore: unknown; unpricedAfter: unknown }[];
  assert.deepEqual(
    totals.map(({ unpricedBefore, unpricedAfter }) => [unpricedBefore, unpricedAfter]),
    [
      [acmeBefore, acmeAfter],
      [[], []],
      [acmeBefore, acmeAfter],
    ],
  );
  const one = await diff({ from: { document: from }, to: { document: to }, accounts: ["accounts/beta"] });
  assert.deepEqual(one.json.rows, json.rows.slice(3));
});

test("contracts are compared over their account; what is left out is what holds now", async () => {
  const list = await putBook(tokenBook("m1 1 2"));
  const contract = (percent: string) =>
    `currency: USD\ndiscounts:\n  - { percent: "${percent}", effectiveFrom: 2026-01-01T00:00:00Z, source: s }\n`;
  const first = await diff({ account: "beta", to: { document: contract("10") } });
  assert.deepEqual(linesOf([first.json], "account|from|to"), ["accounts/beta |  | "]);
  assert.deepEqual(linesOf([first.json.total], "beforeUsd|afterUsd"), ["0.0054 | 0.00486"]);
  const ten = await putBook(contract("10"), "beta");
  const second = await diff({ account: "accounts/beta", to: { document: contract("50") } });
  assert.deepEqual(linesOf([second.json.total], "beforeUsd|afterUsd"), ["0.00486 | 0.0027"]);
  assert.equal(second.json.from, ten.name);
  const fifty = await putBook(contract("50"), "beta");
  const versions = await diff({ from: { version: ten.version }, to: { version: fifty.version } });
  assert.deepEqual(versions.json.rows, second.json.rows);
  // A list is compared over everybody's contract as it is now.
  const doubled = await diff({ to: { document: tokenBook("m1 2 4") } });
  assert.deepEqual(linesOf(doubled.json.accounts, "account|beforeUsd|afterUsd"), [
    "accounts/acme | 0.00152 | 0.00304",
    "accounts/beta | 0.0027 | 0.0054",
  ]);
  // biome-ignore format: a ledger
  const wrong: [body: object, status: number, ...sentences: string[]][] = [
    [{ from: { version: list.version }, to: { version: ten.version } }, 400, `to.version: "${ten.version}" was sent; allowed are versions of the list book`],
    [{ account: "acme", to: { version: ten.version } },   400, `to.version: "${ten.version}" was sent; allowed are versions of the contract of acme`],
    [{ account: "beta", to: { version: ten.version }, accounts: ["acme"] }, 400, 'accounts: "acme" was sent; allowed are beta, as the books are its contract'],
    [{ account: "nobody", to: { version: "1" } },         404, 'account: "nobody" was not found'],
    [{ to: { version: "1" }, accounts: ["nobody"] },      404, 'account: "nobody" was not found'],
    [{ to: { version: "99" } },                           404, 'priceBook: "99" was not found'],
    [{ to: { document: "prices: []" } },                  400, 'price book "to", line 1: currency is missing; it is required'],
    [{ to: { version: 1, document: "" }, from: {}, x: 1 }, 400, "x: unknown field; allowed are from, to, account, accounts, startTime, endTime", 'from: an object was sent; it must be an object with "version" or "document", one of them', 'to: an object was sent; it must be an object with "version" or "document", one of them'],
    [{ to: { version: "v1" } },                           400, 'to.version: "v1" was sent; it must be the number of a version'],
    [{},                                                  400, 'to: is required; send {"version"} or {"document"}'],
    [{ to: { version: "1" }, endTime: "2026-11-02T00:00:00Z" }, 400, 'endTime: "2026-11-02T00:00:00Z" is more than 31 days after startTime 2026-10-01T00:00:00Z; the latest allowed is 2026-11-01T00:00:00Z'],
  ];
  for (const [body, status, ...sentences] of wrong) {
    const answer = await diff(body);
    assert.equal(answer.status, status, answer.text);
    const said = answer.json.details.length > 0 ? violations(answer) : [answer.json.message];
    assert.deepEqual(said, sentences);
  }
});

/** What billingUsage says each account costs, in nanodollars, by day and model. */
async function costsNow(): Promise<Map<string, bigint>> {
  const costs = new Map<string, bigint>();
  for (const account of ["acme", "beta"]) {
    const { json } = await usageOf(daybook, account, { ...OCTOBER, groupBy: "model_name" });
    for (const row of json.serverlessCosts) {
      const { units, nanos } = row.cost;
      costs.set(`${account} ${row.startTime} ${row.modelName}`, BigInt(units) * 1_000_000_000n + BigInt(nanos));
    }
  }
  return costs;
}

test("what a difference says is what the reports say once the book is put, exactly", async () => {
  // Thousandths of a dollar for a million tokens are whole nanos a token, so that reports round nothing.
  const price = fc.nat(9_999).map((thousandths) => (thousandths / 1000).toFixed(3));
  // Some begin within a day, between its events.
  const from = fc.constantFrom("2026-01-01T00:00:00Z", "2026-10-05T09:15:00Z", "2026-10-06T11:30:00Z");
  const model = fc.constantFrom("m1", "m2", "m3");
  const line = fc.tuple(model, price, price, from).map((words) => words.join(" "));
  const book = fc.uniqueArray(line, { selector: (text) => text.slice(0, 2), maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(book, book, async (a, b) => {
      await putBook(tokenBook(...a));
      const before = await costsNow();
      const told = (await diff({ to: { document: tokenBook(...b) } })).json;
      await putBook(tokenBook(...b));
      const changes = new Map<string, bigint>();
      for (const [key, cost] of await costsNow()) {
        if (cost !== before.get(key)) changes.set(key, cost - before.get(key)!);
      }
      const rows = new Map<string, bigint>();
      let sum = 0n;
      for (const { account, startTime, model, difference } of told.rows) {
        const nanos = BigInt(difference.units) * 1_000_000_000n + BigInt(difference.nanos);
        if (nanos !== 0n) rows.set(`${account.slice("accounts/".length)} ${startTime} ${model}`, nanos);
        sum += nanos;
      }
      assert.deepEqual(new Map([...rows].sort()), new Map([...changes].sort()));
      const { units, nanos } = told.total.difference;
      assert.equal(BigInt(units) * 1_000_000_000n + BigInt(nanos), sum);
    }),
    { numRuns: 25 },
  );
});
