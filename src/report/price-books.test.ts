import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Accounts } from "../accounts/store.ts";
import { Fault } from "../domain/fault.ts";
import { type BookText, readBookText } from "./book-text.ts";
import { bookAtStart } from "./price-books.ts";

const START = Date.UTC(2026, 4, 1);

function book(name: string, price: string): BookText {
  const entry = `match: { model: m }, perImage: "${price}", effectiveFrom: 2026-01-01T00:00:00Z, source: s`;
  return { name, document: `currency: USD\nprices:\n  - { ${entry} }\n` };
}

async function open(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "daybook-start-"));
  const accounts = await Accounts.open({ place: { path: join(folder, "accounts.db") }, now: () => START, randomBytes });
  t.after(async () => {
    await accounts.close();
    await rm(folder, { recursive: true });
  });
  return { accounts, readBook: async (text: BookText, kind: "list" | "contract") => readBookText(text, kind) };
}

/** The book of a start as `version, who put it, what is told`. */
async function start(
  store: Awaited<ReturnType<typeof open>>,
  shipped: BookText,
  given?: () => BookText,
): Promise<string> {
  const { inForce, isNew, refused, shippedIsNewer } = await bookAtStart(store, shipped, given);
  const told = [isNew && "new", refused?.problems[0].code, shippedIsNewer && "shipped is newer"];
  return [inForce.version, inForce.createdBy, ...told.filter(Boolean)].join(", ");
}

const bad = () => book("bad.yaml", "-1");
const missing = (): BookText => {
  throw new Fault({ code: "file_unusable", field: "prices", facts: {} });
};

test("start after start: what is given is taken once, what is shipped only at first", async (t) => {
  const store = await open(t);
  const [one, two] = [book("one.yaml", "1"), book("two.yaml", "2")];
  const [shipped, newer] = [book("shipped.yaml", "10"), book("shipped.yaml", "20")];
  // biome-ignore format: a ledger
  const starts: [shipped: BookText, given: (() => BookText) | undefined, told: string][] = [
    [shipped, undefined, "1, shipped, new"],
    [shipped, undefined, "1, shipped"],
    [newer,   undefined, "1, shipped, shipped is newer"],
    [newer,   () => one, "2, one.yaml, new"],
    [newer,   () => one, "2, one.yaml"],
    [newer,   bad,       "2, one.yaml, bad_price_book"],
    [newer,   missing,   "2, one.yaml, file_unusable"],
    [shipped, undefined, "2, one.yaml"],
    [newer,   undefined, "2, one.yaml, shipped is newer"],
    [newer,   () => two, "3, two.yaml, new"],
    [newer,   () => one, "4, one.yaml, new"],
    [newer,   () => newer, "5, shipped.yaml, new"],
    [newer,   undefined, "5, shipped.yaml"],
  ];
  for (const [at, [own, given, told]] of starts.entries())
    assert.equal(await start(store, own, given), told, `start ${at}`);
});

test("a first start with a bad book is refused and puts nothing; a good one then begins the history", async (t) => {
  const store = await open(t);
  const shipped = book("shipped.yaml", "10");
  for (const given of [bad, missing]) await assert.rejects(start(store, shipped, given), Fault);
  assert.deepEqual(await store.accounts.priceBookVersions(""), []);
  assert.equal(await start(store, shipped, () => book("one.yaml", "1")), "1, one.yaml, new");
  // Who never took a shipped book is not told of another.
  assert.equal(await start(store, shipped), "1, one.yaml");
});
