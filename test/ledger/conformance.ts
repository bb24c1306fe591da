/**
 * One suite for every ledger engine (laws 1, 2, 3, 6 and 8). Random histories of writes and voids, random questions; the
 * expected answer comes from a plain fold over plain objects that shares no code with any engine.
 */

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import fc from "fast-check";
import { Fault, type FaultCode } from "../../src/domain/fault.ts";
import { type KeptEvent, METERS, USAGE_TYPE_NAMES } from "../../src/domain/usage.ts";
import type { EventCursor, Ledger, SumRows } from "../../src/ledger/ledger.ts";
import {
  BASE,
  dropArbitrary,
  edgeArbitrary,
  eventArbitrary,
  labelsOf,
  MINUTE,
  type PagesQuestion,
  type PlainEvent,
  pagesArbitrary,
  questionArbitrary,
  SLOT,
  stepArbitrary,
  Truth,
  toBatch,
} from "./plain-usage.ts";

/** All pages of a question, one after the other; `between` runs after the first. Each event as one line. */
async function readPages(
  ledger: Ledger,
  account: string,
  question: PagesQuestion,
  between?: () => Promise<unknown>,
): Promise<string[]> {
  const lines: string[] = [];
  let after: EventCursor | undefined;
  for (let pages = 0; ; pages += 1) {
    assert.ok(pages < 1_000, "the pages come to an end");
    const page = await ledger.events(account, after ? { ...question, after } : question);
    assert.ok(page.events.length <= question.limit);
    for (const { id, time, sent, series, quantities, receivedAt, voidedAt } of page.events) {
      lines.push(JSON.stringify([id, time, sent, series, quantities, receivedAt, voidedAt ?? null]));
    }
    if (!page.next) return lines;
    after = page.next;
    if (pages === 0) await between?.();
  }
}

/** The answer; undefined where it was refused with this fault. */
async function answered<T>(answer: Promise<T>, code: FaultCode): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Fault && error.problems[0].code === code) return undefined;
    throw error;
  }
}

/** Rows as text, sorted. */
export function plainRows(rows: SumRows): string[] {
  return Array.from(
    rows,
    (row) => `${JSON.stringify([row.segment, row.values])} ${[row.events, ...row.quantities].join(" ")}`,
  ).sort();
}

/** The rows added up: events, then the quantities. */
function total(rows: SumRows): bigint[] {
  return [...rows].reduce(
    (sum, row) => sum.map((value, at) => value + [row.events, ...row.quantities][at]!),
    [0n, ...METERS.map(() => 0n)],
  );
}

const RUNS = Number(process.env.DAYBOOK_LAW_RUNS ?? 120);

/** Runs the suite on the engine that `open` opens. */
export function conformance(name: string, open: () => Promise<{ ledger: Ledger; close(): Promise<void> }>): void {
  suite(`ledger: ${name}`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    let fresh = 0;
    before(async () => {
      opened = await open();
    });
    after(() => opened.close());

    test("laws 1, 2, 3, 6, 8: any history answers any question as the plain fold does", async () => {
      const property = fc.asyncProperty(
        fc.array(stepArbitrary, { maxLength: 8 }),
        fc.array(questionArbitrary, { minLength: 1, maxLength: 4 }),
        pagesArbitrary,
        async (steps, questions, pages) => {
          const { ledger } = opened;
          const truth = new Truth();
          fresh += 1;
          const own = (account: string): string => `${account}-${fresh}`;
          const positions = new Map<string, number>();
          for (const step of steps) {
            let changed: boolean;
            if (step.kind === "void") {
              const outcomes = await ledger.void(own(step.account), step.ids, BASE);
              assert.deepEqual(outcomes, truth.void(own(step.account), step.ids));
              changed = outcomes.includes("voided");
            } else if (step.kind === "drop") {
              const dropped = await ledger.dropEvents(own(step.account), step);
              assert.equal(dropped, truth.drop(own(step.account), step));
              changed = false;
            } else {
              const outcome = await ledger.append(own(step.account), toBatch(step.events), step.at);
              const expected = truth.append(own(step.account), step.events, step.at);
              assert.equal(outcome.created, expected.created);
              assert.equal(outcome.duplicates, expected.duplicates);
              assert.deepEqual(
                outcome.conflicts.map(({ at }) => at),
                expected.conflicts,
              );
              changed = outcome.created > 0;
            }
            for (const account of ["acme", "umbra"]) {
              const { position, keptFrom } = await ledger.sum(own(account), []);
              assert.equal(keptFrom, truth.keptFrom.get(own(account)));
              const answer = await answered(ledger.sum(own(account), [questions[0]!]), "edge_dropped");
              assert.deepEqual(answer && plainRows(answer.rows[0]!), truth.sum(own(account), questions[0]!));
              const before = positions.get(account) ?? 0;
              if (changed && account === step.account) assert.ok(position > before, `${position} after ${before}`);
              else assert.equal(position, before);
              positions.set(account, position);
            }
          }
          for (const account of ["acme", "umbra", "nobody"].map(own)) {
            const expected = questions.map((question) => truth.sum(account, question));
            const answer = await answered(ledger.sum(account, questions), "edge_dropped");
            if (answer) assert.deepEqual(answer.rows.map(plainRows), expected);
            else assert.ok(expected.includes(undefined), "a question is refused for a reason");
            const lines = truth.pages(account, pages);
            assert.deepEqual(await answered(readPages(ledger, account, pages), "events_dropped"), lines);
            for (const line of lines ?? []) {
              const event = JSON.parse(line) as [id: string, ...unknown[]];
              const kept = await ledger.find(account, event[0]);
              assert.deepEqual([kept?.receivedAt, kept?.voidedAt ?? null], event.slice(-2));
            }
            for (const [key, { event, dropped }] of truth.events) {
              if (!dropped || !key.startsWith(`${account} `)) continue;
              assert.equal(await answered(ledger.find(account, event.id), "event_dropped"), undefined);
              await assert.rejects(ledger.find(account, event.id));
            }
          }
        },
      );
      await fc.assert(property, { numRuns: RUNS });
    });

    test("law 3: refining the edges or the grouping never changes a total", async () => {
      const property = fc.asyncProperty(
        fc.array(eventArbitrary, { maxLength: 40 }),
        questionArbitrary,
        fc.array(edgeArbitrary, { maxLength: 6 }),
        async (events, question, more) => {
          fresh += 1;
          const account = `sum-${fresh}`;
          await opened.ledger.append(account, toBatch(events), BASE);
          const [first, last] = [question.edges[0]!, question.edges.at(-1)!];
          const inside = more.filter((edge) => edge > first && edge < last);
          const finer = [...new Set([...question.edges, ...inside])].sort((a, b) => a - b);
          const whole = { ...question, edges: [first, last], fields: [] };
          const fine = { ...question, edges: finer, fields: ["usageType", "model", "apiKeyId", "team"] as const };
          const [one, many] = (await opened.ledger.sum(account, [whole, fine])).rows;
          assert.deepEqual(total(many!), total(one!));
        },
      );
      await fc.assert(property, { numRuns: RUNS });
    });

    test("drops change no sum of whole slots, no horizon goes back, and what comes late is counted", async () => {
      const property = fc.asyncProperty(
        fc.array(fc.tuple(fc.array(eventArbitrary, { maxLength: 12 }), dropArbitrary), { minLength: 1, maxLength: 4 }),
        fc.subarray(Array.from({ length: 24 }, (_, n) => `event-${n}`)),
        questionArbitrary,
        async (rounds, voids, question) => {
          fresh += 1;
          const account = `drop-${fresh}`;
          const truth = new Truth();
          const slots = [...new Set(question.edges.map((edge) => edge - (edge % SLOT)))];
          const whole = { ...question, edges: [...slots, slots.at(-1)! + 2 * 96 * SLOT] };
          for (const [events, ask] of rounds) {
            await opened.ledger.append(account, toBatch(events), BASE);
            truth.append(account, events, BASE);
            assert.deepEqual(await opened.ledger.void(account, voids, BASE), truth.void(account, voids));
            const before = await opened.ledger.sum(account, [whole]);
            assert.deepEqual(plainRows(before.rows[0]!), truth.sum(account, whole));
            assert.equal(await opened.ledger.dropEvents(account, ask), truth.drop(account, ask));
            const after = await opened.ledger.sum(account, [whole]);
            assert.deepEqual(plainRows(after.rows[0]!), plainRows(before.rows[0]!));
            assert.equal(after.position, before.position);
            assert.equal(after.keptFrom, truth.keptFrom.get(account));
          }
        },
      );
      await fc.assert(property, { numRuns: RUNS });
    });

    test("sums go past 2^53 and past an int64 and stay exact", async () => {
      const events = Array.from({ length: 2_500 }, (_, n) => ({
        id: `big-${n}`,
        time: BASE + (n % 3),
        labels: { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "m" },
        team: "",
        quantities: METERS.map(() => Number.MAX_SAFE_INTEGER),
      }));
      for (let at = 0; at < events.length; at += 500)
        await opened.ledger.append("big", toBatch(events.slice(at, at + 500)), BASE);
      await opened.ledger.void("big", ["big-7", "big-8"], BASE);
      const question = { usageTypes: ["TEXT_COMPLETION_INFERENCE_USAGE" as const], fields: [], filters: [] };
      const { rows } = await opened.ledger.sum("big", [{ ...question, edges: [BASE - SLOT, BASE + SLOT] }]);
      assert.deepEqual(plainRows(rows[0]!), [`[0,[]] 2498 ${METERS.map(() => 2498n * (2n ** 53n - 1n)).join(" ")}`]);
    });

    test("an event is read back as it was written, and tells when it was voided", async () => {
      const labels = { usageType: "AUDIO_INFERENCE_USAGE", model: "whisper", team: "" };
      const event = { id: "é/1", time: BASE + 1, labels, team: "from-key", quantities: [1, 0, 2, 1500, 0, 0, 0] };
      await opened.ledger.append("read", toBatch([event]), BASE + 2_999);
      const [sent, series] = [labelsOf(labels), labelsOf({ ...labels, team: "from-key" })];
      const kept = { id: "é/1", time: BASE + 1, sent, series, quantities: event.quantities, receivedAt: BASE + 2_000 };
      assert.deepEqual(await opened.ledger.find("read", "é/1"), { ...kept, voidedAt: undefined });
      await opened.ledger.void("read", ["é/1"], BASE + 5);
      assert.deepEqual(await opened.ledger.find("read", "é/1"), { ...kept, voidedAt: BASE + 5 });
      assert.equal(await opened.ledger.find("another", "é/1"), undefined);
      const again = await opened.ledger.append("read", toBatch([event]), BASE + 9_000);
      assert.deepEqual(again, { created: 0, duplicates: 1, conflicts: [] });
    });

    test("pages: what is written or voided meanwhile neither repeats nor displaces an event", async () => {
      const property = fc.asyncProperty(
        fc.array(eventArbitrary, { maxLength: 30 }),
        fc.array(eventArbitrary, { maxLength: 30 }),
        pagesArbitrary,
        async (before, meanwhile, pages) => {
          fresh += 1;
          const account = `pages-${fresh}`;
          const truth = new Truth();
          await opened.ledger.append(account, toBatch(before), BASE);
          truth.append(account, before, BASE);
          const first = truth.pages(account, pages)!;
          const lines = await readPages(opened.ledger, account, pages, () =>
            opened.ledger.append(account, toBatch(meanwhile), BASE + 1_000),
          );
          truth.append(account, meanwhile, BASE + 1_000);
          const all = truth.pages(account, pages)!;
          assert.deepEqual(
            lines,
            all.filter((line) => lines.includes(line)),
            "in order, each once",
          );
          assert.deepEqual(
            first.filter((line) => !lines.includes(line)),
            [],
            "what was there is there",
          );
        },
      );
      await fc.assert(property, { numRuns: RUNS });
    });

    test("a copy that reads what changed, now and then, is the account as it stands", async () => {
      const copied = async (
        account: string,
        copy: Map<string, KeptEvent>,
        since: string | undefined,
        limit: number,
      ) => {
        const listed: KeptEvent[] = [];
        let mark = since;
        let after: EventCursor | undefined;
        do {
          const question = { limit, ...(since !== undefined && { since }), ...(after && { after }) };
          const page = await opened.ledger.changes(account, question);
          assert.ok(page.events.length <= limit);
          if (!after) mark = page.mark;
          listed.push(...page.events);
          for (const event of page.events) copy.set(event.id, event);
          after = page.next;
        } while (after);
        const slots = listed.map(({ time }) => Math.floor(time / SLOT));
        assert.deepEqual(
          slots,
          slots.toSorted((a, b) => a - b),
          "in the order of slots",
        );
        assert.equal(new Set(listed.map(({ id }) => id)).size, listed.length, "each once");
        return { mark, listed };
      };
      const property = fc.asyncProperty(
        fc.array(fc.tuple(stepArbitrary, fc.boolean()), { maxLength: 10 }),
        fc.constantFrom(1, 2, 5, 1_000),
        async (steps, limit) => {
          fresh += 1;
          const account = `copied-${fresh}`;
          const truth = new Truth();
          const copy = new Map<string, KeptEvent>();
          let mark: string | undefined;
          for (const [step, reads] of [...steps, [{ kind: "void", ids: [] }, true] as const]) {
            if (step.kind === "append") {
              await opened.ledger.append(account, toBatch(step.events), step.at);
              truth.append(account, step.events, step.at);
            } else if (step.kind === "void") {
              await opened.ledger.void(account, step.ids, BASE);
              truth.void(account, step.ids);
            } else {
              await opened.ledger.dropEvents(account, step);
              truth.drop(account, step);
            }
            if (!reads) continue;
            const reading = await answered(copied(account, copy, mark, limit), "copy_dropped");
            assert.equal(reading === undefined, truth.keptFrom.has(account));
            if (!reading) {
              assert.equal(await answered(opened.ledger.count(account), "copy_dropped"), undefined);
              return;
            }
            if (!mark) assert.equal(reading.listed.length, truth.events.size);
            mark = reading.mark;
            const voided = [...truth.events.values()].filter((one) => one.voided).length;
            assert.deepEqual(await opened.ledger.count(account), { events: truth.events.size, voided });
            const lines = [...copy.values()].map(({ id, time, sent, series, quantities, receivedAt, voidedAt }) =>
              JSON.stringify([id, time, sent, series, quantities, receivedAt, voidedAt ?? null]),
            );
            const range = { start: BASE - 365 * 96 * SLOT, end: BASE + 365 * 96 * SLOT };
            const all = truth.pages(account, { range, usageTypes: USAGE_TYPE_NAMES, filters: [], limit });
            assert.deepEqual(lines.sort(), all!.sort());
          }
        },
      );
      await fc.assert(property, { numRuns: RUNS });
    });

    test("changes: what came since is listed, in the order of slots, and what did not change is not", async () => {
      const event = (id: string, slot: number): PlainEvent => {
        const labels = { usageType: "AUDIO_INFERENCE_USAGE", model: "m" };
        return { id, time: BASE + slot * SLOT, labels, team: "", quantities: METERS.map(() => 1) };
      };
      const { append, changes } = {
        append: (...events: PlainEvent[]) => opened.ledger.append("changed", toBatch(events), BASE),
        changes: (since?: string) => opened.ledger.changes("changed", { limit: 9, ...(since && { since }) }),
      };
      const idsOf = ({ events }: { events: readonly KeptEvent[] }): string[] => events.map(({ id }) => id);
      assert.deepEqual(idsOf(await changes()), []);
      const before = await changes();
      await append(event("c", 3), event("a", 1), event("b", 1), event("far", 300));
      const all = await changes(before.mark);
      assert.deepEqual(idsOf(all), ["a", "b", "c", "far"]);
      assert.deepEqual(idsOf(await changes(all.mark)), []);
      await append(event("late", 0), event("a", 1));
      const late = await changes(all.mark);
      assert.deepEqual(idsOf(late), ["late"]);
      await opened.ledger.void("changed", ["b"], BASE + 5);
      const voided = await changes(late.mark);
      assert.deepEqual([idsOf(voided), voided.events[0]!.voidedAt], [["b"], BASE + 5]);
      assert.deepEqual(idsOf(await changes(voided.mark)), []);
      await append(event("far-too", 301));
      assert.deepEqual(idsOf(await changes(voided.mark)), ["far-too"]);
    });

    test("law 8: the events under a filter are those that the sums count under it", async () => {
      const property = fc.asyncProperty(
        fc.array(eventArbitrary, { maxLength: 40 }),
        fc.subarray(Array.from({ length: 24 }, (_, n) => `event-${n}`)),
        pagesArbitrary,
        async (events, voids, pages) => {
          fresh += 1;
          const account = `filters-${fresh}`;
          await opened.ledger.append(account, toBatch(events), BASE);
          await opened.ledger.void(account, voids, BASE);
          const { range, usageTypes, filters } = pages;
          const question = { usageTypes, edges: [range.start, range.end], fields: [], filters };
          const [rows] = (await opened.ledger.sum(account, [question])).rows;
          const counted = [0n, ...METERS.map(() => 0n)];
          for (const line of await readPages(opened.ledger, account, pages)) {
            const [, , , , quantities, , voidedAt] = JSON.parse(line) as [0, 0, 0, 0, number[], number, number | null];
            if (voidedAt !== null) continue;
            for (const [at, value] of [1, ...quantities].entries()) counted[at]! += BigInt(value);
          }
          assert.deepEqual(counted, total(rows!));
        },
      );
      await fc.assert(property, { numRuns: RUNS });
    });

    test("an event is known to have come in its second, however late and whatever the clock did", async () => {
      const event = (id: string, time: number): PlainEvent => {
        const labels = { usageType: "AUDIO_INFERENCE_USAGE", model: "m" };
        return { id, time, labels, team: "", quantities: METERS.map(() => 1) };
      };
      const write = (at: number, ...events: PlainEvent[]) => opened.ledger.append("came", toBatch(events), at);
      await write(BASE + 999, event("a", BASE));
      await write(BASE + 1_000, event("a", BASE), event("b", BASE));
      await write(BASE + 1_999, event("c", BASE));
      await write(BASE + 60_000, event("late", BASE - 30 * 24 * 60 * MINUTE), event("d", BASE));
      await write(BASE - 1, event("set-back", BASE));
      await write(BASE + 60_000, event("e", BASE));
      const range = { start: 0, end: BASE + 1 };
      const { events } = await opened.ledger.events("came", { range, limit: 100 });
      const came = events.map(({ id, receivedAt }) => [id, (receivedAt! - BASE) / 1_000]);
      // biome-ignore format: a table
      assert.deepEqual(came, [["late", 60], ["a", 0], ["b", 1], ["c", 1], ["d", 60], ["set-back", -1], ["e", 60]]);
    });

    test("a batch may say of each event when it was received, as a copy of another ledger does", async () => {
      const labels = { usageType: "AUDIO_INFERENCE_USAGE", model: "m" };
      const events = ["a", "b", "c", "d"].map((id) => ({
        ...{ id, labels, time: BASE, team: "", quantities: METERS.map(() => 1) },
      }));
      const receivedAt = Float64Array.from([BASE + 5_999, BASE + 5_000, BASE - 86_400_000, BASE + 7_000]);
      await opened.ledger.append("moved", { ...toBatch(events), receivedAt }, BASE + 99_000);
      await opened.ledger.append("moved", toBatch([{ ...events[0]!, id: "e" }]), BASE + 7_000);
      const page = await opened.ledger.events("moved", { range: { start: BASE, end: BASE + 1 }, limit: 9 });
      assert.deepEqual(
        page.events.map(({ id, receivedAt }) => [id, receivedAt! - BASE]),
        // biome-ignore format: a table
        [["a", 5_000], ["b", 5_000], ["c", -86_400_000], ["d", 7_000], ["e", 7_000]],
      );
    });

    test("pages reach far into a filter that keeps nothing", async () => {
      const labels = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "m" };
      const events = Array.from({ length: 60_000 }, (_, n) => ({
        id: `far-${n}`,
        time: BASE + n * 1_000,
        labels: n === 59_999 ? { ...labels, usageType: "AUDIO_INFERENCE_USAGE" } : labels,
        team: "",
        quantities: METERS.map(() => 1),
      }));
      for (let at = 0; at < events.length; at += 20_000)
        await opened.ledger.append("far", toBatch(events.slice(at, at + 20_000)), BASE);
      const range = { start: BASE, end: BASE + 60_000_000 };
      const lines = await readPages(opened.ledger, "far", {
        range,
        usageTypes: ["AUDIO_INFERENCE_USAGE"],
        filters: [],
        limit: 10,
      });
      assert.equal(lines.length, 1);
      assert.match(lines[0]!, /^\["far-59999",/);
    });

    test("a conflict names the first field that differs", async () => {
      const labels = { usageType: "AUDIO_INFERENCE_USAGE", model: "whisper", team: "a" };
      const event = { id: "c", time: BASE, labels, team: "", quantities: [5, 1, 2, 3, 0, 0, 0] };
      const write = async (change: Partial<PlainEvent>) =>
        (await opened.ledger.append("conflict", toBatch([{ ...event, ...change }]), BASE)).conflicts[0]?.field;
      assert.equal(await write({}), undefined);
      assert.equal(await write({ time: BASE + 1 }), "time");
      assert.equal(await write({ labels: { ...labels, model: "x" } }), "model");
      assert.equal(await write({ labels: { ...labels, team: "b" } }), "annotations.team");
      assert.equal(await write({ labels: { ...labels, estimated: "client_gone" } }), "estimated");
      assert.equal(await write({ quantities: [5, 1, 2, 4, 0, 0, 0] }), "audioInputSeconds");
      assert.equal(await write({ team: "what the key adds is no content" }), undefined);
    });
  });
}
