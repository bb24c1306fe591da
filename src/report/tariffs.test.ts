import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Accounts } from "../accounts/store.ts";
import type { Fault } from "../domain/fault.ts";
import { type KnownTariff, Tariffs } from "./tariffs.ts";

const START = Date.UTC(2026, 4, 1);

/** A book with one price. */
function text(price: string): string {
  return `currency: USD
prices:
  - { match: { model: m }, perMillionTokens: { input: "${price}" }, effectiveFrom: 2026-01-01T00:00:00Z, source: s }
`;
}

/** A store with the accounts acme and rival; the clock begins at START. */
async function open(t: TestContext, keptCharactersMax?: number) {
  const folder = await mkdtemp(join(tmpdir(), "daybook-tariffs-"));
  const clock = { now: START };
  const now = () => clock.now;
  const store = await Accounts.open({ place: { path: join(folder, "accounts.db") }, now, randomBytes });
  for (const id of ["acme", "rival"]) await store.createAccount({ id });
  t.after(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });
  const reads: number[] = [];
  const accounts = {
    priceBookVersions: (scope: string) => store.priceBookVersions(scope),
    getPriceBook: (version: number) => {
      reads.push(version);
      return store.getPriceBook(version);
    },
  };
  const put = async (at: number, account: string, price: string) => {
    clock.now = START + at;
    await store.putPriceBook({ account, document: text(price), entryCount: 1, createdBy: "test" });
  };
  return {
    tariffs: new Tariffs({ accounts, now, ...(keptCharactersMax && { keptCharactersMax }) }),
    clock,
    put,
    reads,
  };
}

/** The versions of the books, and that they are those books. */
function versionsOf({ book, contractBook, list, contract }: KnownTariff): string {
  assert.deepEqual([list.kind, contract?.kind], ["list", contractBook && "contract"]);
  assert.equal(list.name, `priceBooks/${book.version}`);
  return `${book.version} ${contractBook?.version ?? "-"}`;
}

async function sentenceOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "none",
    (error: Fault) => error.message,
  );
}

test("the newest versions, those known at an instant that is over, and those of an issued invoice", async (t) => {
  const { tariffs, clock, put } = await open(t);
  await put(100, "", "1"); //     version 1
  await put(200, "", "2"); //     version 2
  await put(200, "acme", "3"); // version 3
  await put(300, "acme", "4"); // version 4
  await put(400, "", "5"); //     version 5
  clock.now = START + 500;
  assert.equal(versionsOf(await tariffs.at("acme")), "5 4");
  assert.equal(versionsOf(await tariffs.at("rival")), "5 -");
  // biome-ignore format: a ledger
  const cases: [instant: number, acme: string, rival: string, acmeInvoice: string, rivalInvoice: string][] = [
    // instant  as of: acme, rival   invoice: acme, rival
    [0,         "",      "",         "1 -",  "1 -"],
    [99,        "",      "",         "1 -",  "1 -"],
    [100,       "1 -",   "1 -",      "1 -",  "1 -"],
    [101,       "1 -",   "1 -",      "1 -",  "1 -"],
    [199,       "1 -",   "1 -",      "1 -",  "1 -"],
    [200,       "2 3",   "2 -",      "1 -",  "1 -"],
    [201,       "2 3",   "2 -",      "2 3",  "2 -"],
    [300,       "2 4",   "2 -",      "2 3",  "2 -"],
    [400,       "5 4",   "5 -",      "2 4",  "2 -"],
    [499,       "5 4",   "5 -",      "5 4",  "5 -"],
  ];
  for (const [at, acme, rival, acmeInvoice, rivalInvoice] of cases) {
    for (const [account, known, invoice] of [
      ["acme", acme, acmeInvoice],
      ["rival", rival, rivalInvoice],
    ] as const) {
      if (known) assert.equal(versionsOf(await tariffs.at(account, START + at)), known, `${account} as of ${at}`);
      assert.equal(versionsOf(await tariffs.issued(account, START + at)), invoice, `${account} month to ${at}`);
    }
  }
  assert.equal(
    await sentenceOf(tariffs.at("acme", START + 99)),
    'asOf: "2026-05-01T00:00:00.099Z" is before the first price book was known; the earliest allowed is 2026-05-01T00:00:00.100Z',
  );
  const ahead = await sentenceOf(tariffs.at("acme", START + 500));
  assert.match(ahead, /^asOf: "2026-05-01T00:00:00\.500Z" is not over yet \(2026-05-01T00:00:00\.500Z now\); send/);
});

test("what was known at an instant stays so, whatever is put at or after the clock's next tick", async (t) => {
  const { tariffs, clock, put } = await open(t);
  await put(0, "", "1");
  clock.now = START + 11;
  const asOf = START + 10;
  const before = [await tariffs.at("acme", asOf), await tariffs.issued("acme", START + 11)].map(versionsOf);
  for (const price of ["2", "3", "4"]) {
    await put(11, "", price);
    await put(11, "acme", price);
    const after = [await tariffs.at("acme", asOf), await tariffs.issued("acme", START + 11)].map(versionsOf);
    assert.deepEqual(after, before);
  }
});

test("a book is read once, also when many ask at once; beyond the limit the least used is read again", async (t) => {
  const { tariffs, put, reads } = await open(t, text("1").length * 2);
  for (const [at, price] of ["1", "2", "3"].entries()) await put(at, "", price);
  const same = await Promise.all(Array.from({ length: 10 }, () => tariffs.book(1)));
  assert.equal(new Set(same).size, 1);
  for (const version of [1, 2, 1, 2, 1]) await tariffs.book(version);
  assert.deepEqual(reads, [1, 2]);
  for (const version of [3, 1, 3, 1, 2]) await tariffs.book(version);
  assert.deepEqual(reads, [1, 2, 3, 2]);
  assert.equal(await sentenceOf(tariffs.book(4)), 'priceBook: "4" was not found');
});

test("a kept version that cannot be read is the server's trouble, told with its number and its mistake", async (t) => {
  const { tariffs, clock, put } = await open(t);
  await put(100, "", "1");
  await put(200, "", "-2");
  await put(300, "", "3");
  await put(300, "acme", "-4");
  clock.now = START + 500;
  const told = (version: number, price: string): string =>
    `price book version ${version}, line 3: it was kept by an earlier daybook, and this one cannot read it: ` +
    `prices[0].perMillionTokens.input: "${price}" is negative; it must be "0" or more; ` +
    "start the earlier one again, or put a mended book (serve --prices)";
  assert.equal(versionsOf(await tariffs.at("rival")), "3 -");
  assert.equal(await sentenceOf(tariffs.at("rival", START + 250)), told(2, "-2"));
  assert.equal(await sentenceOf(tariffs.at("acme")), told(4, "-4"));
  assert.equal(await sentenceOf(tariffs.book(2)), told(2, "-2"));
  await assert.rejects(tariffs.book(2), (fault: Fault) => fault.http === 500 && fault.rpc === "INTERNAL");
  await put(600, "acme", "5");
  assert.equal(versionsOf(await tariffs.at("acme")), "3 5");
});
