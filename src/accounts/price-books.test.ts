import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { type TestStore, testOnEachStore } from "../../test/postgres/stores.ts";
import type { Fault } from "../domain/fault.ts";
import type { NewPriceBook, PriceBookRecord } from "./price-books.ts";
import { Accounts } from "./store.ts";

const START = Date.UTC(2026, 4, 28);
const ALL = { pageSize: 200 };

/** A store of its own, with a clock that stands until it is set, and the account acme. */
async function open(t: TestContext, { place }: TestStore) {
  const clock = { now: START };
  const accounts = await Accounts.open({ place, now: () => clock.now, randomBytes });
  t.after(() => accounts.close());
  await accounts.createAccount({ id: "acme" });
  return { accounts, clock };
}

function book(document: string, account = ""): NewPriceBook {
  return { account, document, entryCount: document.length, createdBy: "key_1" };
}

/** A version as `version scope knownFrom-since-start`. */
function line({ version, account, knownFrom }: PriceBookRecord): string {
  return `${version} ${account || "list"} +${knownFrom - START}`;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "none",
    (error: Fault) => `${error.problems[0].code} ${error.problems[0].field}`,
  );
}

testOnEachStore(
  "versions are counted over the installation, and known one after the other in their scope",
  async (t, store) => {
    const { accounts, clock } = await open(t, store);
    // biome-ignore format: a ledger
    const steps: [clock: number, scope: string, document: string, version: string][] = [
    // clock  scope   document  version
    [0,       "",     "a",      "1 list +0"],
    [0,       "",     "a",      "1 list +0"],
    [0,       "",     "b",      "2 list +1"],
    [0,       "acme", "b",      "3 acme +0"],
    [500,     "",     "b",      "2 list +1"],
    [500,     "",     "a",      "4 list +500"],
    [400,     "",     "c",      "5 list +501"],
    [400,     "acme", "c",      "6 acme +400"],
    [600,     "acme", "c",      "6 acme +400"],
  ];
    for (const [now, scope, document, version] of steps) {
      clock.now = START + now;
      assert.equal(line(await accounts.putPriceBook(book(document, scope))), version, `${now} ${scope} ${document}`);
    }
    const known = (await accounts.priceBookVersions("")).map(({ version, knownFrom }) => [version, knownFrom - START]);
    assert.deepEqual(known, [[1, 0], [2, 1], [4, 500], [5, 501]]); // biome-ignore format: a list
    assert.deepEqual(await accounts.priceBookVersions("nobody"), []);
    assert.equal((await accounts.getPriceBook(4)).document, "a");
    assert.equal(await codeOf(accounts.getPriceBook(7)), "not_found priceBook");
    assert.equal(await codeOf(accounts.putPriceBook(book("a", "nobody"))), "not_found account");
  },
);

testOnEachStore(
  "lists go from the newest back, of all scopes or one, in pages; no list has the text",
  async (t, store) => {
    const { accounts } = await open(t, store);
    for (const [at, scope] of ["", "acme", "", "acme", ""].entries()) {
      await accounts.putPriceBook(book(`${at}`, scope));
    }
    const all = await accounts.listPriceBooks(undefined, ALL);
    assert.deepEqual(all.items.map(line), ["5 list +2", "4 acme +1", "3 list +1", "2 acme +0", "1 list +0"]);
    assert.equal(all.totalSize, 5);
    assert.deepEqual((await accounts.listPriceBooks("acme", ALL)).items.map(line), ["4 acme +1", "2 acme +0"]);
    assert.ok(!("document" in all.items[0]!));
    const first = await accounts.listPriceBooks("", { pageSize: 2 });
    const { nextPageToken } = first;
    const last = await accounts.listPriceBooks("", { pageSize: 2, pageToken: nextPageToken });
    assert.deepEqual([first.items.length, last.items.map(line)], [2, ["1 list +0"]]);
    const pageToken = Buffer.from("acme").toString("base64url");
    assert.equal(await codeOf(accounts.listPriceBooks("", { pageSize: 2, pageToken })), "bad_page_token pageToken");
  },
);

testOnEachStore(
  "of many that put the same text at once one makes a version; of different texts each its own",
  async (t, store) => {
    const { accounts } = await open(t, store);
    const same = await Promise.all(Array.from({ length: 20 }, () => accounts.putPriceBook(book("same"))));
    assert.deepEqual(new Set(same.map(line)), new Set(["1 list +0"]));
    const texts = Array.from({ length: 20 }, (_, at) => book(`text ${at}`));
    const different = await Promise.all(texts.map((ask) => accounts.putPriceBook(ask)));
    assert.equal(new Set(different.map(({ version }) => version)).size, 20);
    assert.equal(new Set(different.map(({ knownFrom }) => knownFrom)).size, 20);
    for (const { version, knownFrom } of different) assert.equal(knownFrom - START, version - 1);
  },
);

testOnEachStore("what was read before a put is read anew after it", async (t, store) => {
  const { accounts } = await open(t, store);
  assert.deepEqual(await accounts.priceBookVersions(""), []);
  const reads: Promise<unknown>[] = [];
  for (let at = 0; at < 10; at += 1) {
    reads.push(accounts.priceBookVersions(""));
    await accounts.putPriceBook(book(`${at}`));
    assert.equal((await accounts.priceBookVersions("")).length, at + 1);
  }
  await Promise.all(reads);
});

testOnEachStore(
  "every version is there after closing and opening again, and the store lets none be changed",
  async (t, store) => {
    const { accounts, clock } = await open(t, store);
    const document = "currency: USD # \u20ac \ud83d\ude00\r\n";
    const put = await accounts.putPriceBook(book(document));
    await accounts.close();
    await assert.rejects(store.execute("UPDATE price_books SET document = 'x'"), /is never changed/);
    await assert.rejects(store.execute("DELETE FROM price_books"), /is never deleted/);
    const again = await Accounts.open({ place: store.place, now: () => clock.now, randomBytes });
    const { document: kept, ...record } = await again.getPriceBook(1);
    assert.deepEqual([kept, record], [document, put]);
    assert.equal(line(await again.putPriceBook(book(document))), "1 list +0");
    assert.equal(line(await again.putPriceBook(book("next"))), "2 list +1");
    await again.close();
  },
);
