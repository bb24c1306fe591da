/** A move from ledger to ledger: whatever is written, voided, lost or done twice meanwhile, the copy is the same. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, type TestContext, test } from "node:test";
import fc from "fast-check";
import { METERS } from "../../src/domain/usage.ts";
import type { EventCursor, Ledger } from "../../src/ledger/ledger.ts";
import { MemoryLedger } from "../../src/ledger/memory.ts";
import { SqliteLedger } from "../../src/ledger/sqlite/ledger.ts";
import { LiveReader } from "../../src/ledger/sqlite/live-reader.ts";
import { compareUsage } from "../../src/migration/compare.ts";
import { copyUsage } from "../../src/migration/copy-usage.ts";
import type { AccountState } from "../../src/migration/state.ts";
import { BASE, type PlainEvent, SLOT, stepArbitrary, toBatch } from "../ledger/plain-usage.ts";

const RUNS = Number(process.env.DAYBOOK_LAW_RUNS ?? 60);
const NOW = BASE + 30 * 96 * SLOT;
const never = new AbortController().signal;

/** All events of an account as lines, in the order of its pages. */
async function eventsOf(ledger: Ledger, account: string): Promise<string[]> {
  const lines: string[] = [];
  let after: EventCursor | undefined;
  do {
    const question = { range: { start: 0, end: NOW }, limit: 1_000, ...(after && { after }) };
    const page = await ledger.events(account, question);
    for (const { id, time, sent, series, quantities, receivedAt, voidedAt } of page.events) {
      lines.push(JSON.stringify([id, time, sent, series, quantities, receivedAt, voidedAt ?? null]));
    }
    after = page.next;
  } while (after);
  return lines;
}

async function sqlite(t: TestContext): Promise<{ ledger: SqliteLedger; path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "daybook-move-"));
  const path = join(folder, "ledger.db");
  const ledger = await SqliteLedger.open({ path, readerThreads: 1 });
  t.after(async () => {
    await ledger.close();
    await rm(folder, { recursive: true });
  });
  return { ledger, path };
}

const event = (id: string, change: Partial<PlainEvent> = {}): PlainEvent => {
  const labels = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "m" };
  return { id, time: BASE, labels, team: "", quantities: METERS.map(() => 1), ...change };
};

/** What happens between two steps of the history: the copying goes on, is cut off in its middle, or forgets its state. */
const copyingArbitrary = fc.record({
  copies: fc.boolean(),
  /** The call to the target that fails, after it was done or before. */
  fails: fc.option(fc.record({ call: fc.integer({ min: 1, max: 6 }), done: fc.boolean() }), { nil: undefined }),
  forgets: fc.constantFrom(false, false, false, true),
  pageEvents: fc.constantFrom(1, 2, 5, 1_000),
});

class Cut extends Error {}

/** The target, one of whose calls fails. */
function failing(target: Ledger, fails: { call: number; done: boolean } | undefined): Pick<Ledger, "append" | "void"> {
  let calls = 0;
  const through = async <T>(call: () => Promise<T>): Promise<T> => {
    calls += 1;
    const cut = calls === fails?.call;
    if (cut && !fails.done) throw new Cut();
    const answer = await call();
    if (cut) throw new Cut();
    return answer;
  };
  return {
    append: (account, batch, at) => through(() => target.append(account, batch, at)),
    void: (account, ids, at) => through(() => target.void(account, ids, at)),
  };
}

const PAIRS: readonly (readonly [
  name: string,
  open: (
    t: TestContext,
  ) => Promise<{ source: Ledger; reader: Pick<Ledger, "sum" | "changes" | "count">; target: Ledger }>,
])[] = [
  [
    "a live ledger.db to memory",
    async (t) => {
      const { ledger, path } = await sqlite(t);
      const reader = new LiveReader(path);
      t.after(() => reader.close());
      return { source: ledger, reader, target: new MemoryLedger() };
    },
  ],
  [
    "memory to ledger.db",
    async (t) => {
      const source = new MemoryLedger();
      return { source, reader: source, target: (await sqlite(t)).ledger };
    },
  ],
];

suite("a move of usage", () => {
  for (const [name, open] of PAIRS) {
    test(`laws 1, 2, 8: ${name}, with cuts anywhere, is the same history`, async (t) => {
      const { source, reader, target } = await open(t);
      let fresh = 0;
      const property = fc.asyncProperty(
        fc.array(fc.tuple(stepArbitrary, copyingArbitrary), { maxLength: 10 }),
        async (steps) => {
          fresh += 1;
          const account = `a-${fresh}`;
          let state: AccountState = {};
          const copy = async ({
            fails,
            pageEvents,
          }: {
            fails?: { call: number; done: boolean } | undefined;
            pageEvents: number;
          }) => {
            try {
              await copyUsage({
                account,
                source: { changes: (name, question) => reader.changes(name, { ...question, limit: pageEvents }) },
                target: failing(target, fails),
                state,
                note: (now) => {
                  state = now;
                },
                signal: never,
              });
            } catch (error) {
              if (!(error instanceof Cut)) throw error;
            }
          };
          for (const [step, copying] of steps) {
            if (step.kind === "append") await source.append(account, toBatch(step.events), step.at);
            if (step.kind === "void") await source.void(account, step.ids, BASE + step.ids.length);
            if (copying.forgets) state = {};
            if (copying.copies) await copy(copying);
          }
          await copy({ pageEvents: 3 });
          assert.deepEqual(await eventsOf(target, account), await eventsOf(source, account));
          const { differences, ...compared } = await compareUsage(reader, target, account, NOW);
          assert.deepEqual(differences, []);
          assert.deepEqual({ events: compared.events, voided: compared.voided }, await source.count(account));
        },
      );
      await fc.assert(property, { numRuns: RUNS });
    });
  }

  test("a comparison names what differs, whatever it is", async () => {
    const cases: readonly (readonly [name: string, change: (target: Ledger) => Promise<unknown>, said: RegExp])[] = [
      ["nothing", async () => {}, /^$/],
      [
        "one more",
        (to) => to.append("a", toBatch([event("more")]), BASE),
        /^a: 3 events, and 4 in --to\na: .*: 1 events.* and 2 events/,
      ],
      [
        "a void",
        (to) => to.void("a", ["e1"], BASE),
        /^a: 1 events that were voided, and 2 in --to\na: 2026-03-07T00:15:00Z .*nothing in --to$/,
      ],
      [
        "one more on a day of its own",
        (to) => to.append("a", toBatch([event("far", { time: BASE + 9 * 96 * SLOT })]), BASE),
        /^a: 3 events, and 4 in --to\na: 2026-03-16T00:00:00Z .*: nothing, and 1 events/,
      ],
      [
        "a void of one, and another for it",
        async (to) => {
          await to.void("a", ["e1"], BASE);
          await to.append("a", toBatch([event("e4", { time: BASE + SLOT, team: "other" })]), BASE);
        },
        /^a: 3 events, and 4 in --to\na: 1 events that were voided, and 2 in --to\n/,
      ],
    ];
    for (const [name, change, said] of cases) {
      const [one, other] = [new MemoryLedger(), new MemoryLedger()];
      for (const ledger of [one, other]) {
        await ledger.append("a", toBatch([event("e0"), event("e1", { time: BASE + SLOT }), event("v")]), BASE);
        await ledger.void("a", ["v"], BASE);
      }
      await change(other);
      const { differences } = await compareUsage(one, other, "a", NOW);
      assert.match(differences.join("\n"), said, name);
    }
  });

  test("an event that the target has otherwise stops the move", async () => {
    const [source, target] = [new MemoryLedger(), new MemoryLedger()];
    await source.append("a", toBatch([event("one"), event("two")]), BASE);
    await target.append("a", toBatch([event("two", { time: BASE + 1 })]), BASE);
    const copying = copyUsage({ source, target, account: "a", state: {}, note: () => {}, signal: never });
    await assert.rejects(
      copying,
      /--to: the usage of account a in it is not that of --from \(event "two"\); name an empty database/,
    );
  });
});
