/**
 * One suite for every ledger engine (laws 1, 2, 3, 6 and 8). Random histories of writes and voids, random questions; the
 * expected answer comes from a plain fold over plain objects that shares no code with any engine.
 */

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import fc from "fast-check";
import {
  batchOf,
  type Labels,
  METERS,
  SERIES_FIELDS,
  type SeriesField,
  type UsageType,
} from "../../src/domain/usage.ts";
import type { EventCursor, EventsQuestion, Ledger, SumQuestion, SumRow } from "../../src/ledger/ledger.ts";

const MINUTE = 60_000;
const SLOT = 15 * MINUTE;
const BASE = Date.UTC(2026, 2, 7);

/** An event in the test's own words. */
interface PlainEvent {
  readonly id: string;
  readonly time: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly team: string;
  readonly quantities: readonly number[];
}

function labelsOf(values: Readonly<Record<string, string>>): Labels {
  return SERIES_FIELDS.map((field) => values[field] ?? "");
}

function toBatch(events: readonly PlainEvent[]) {
  return batchOf(
    events.map((event) => ({
      id: event.id,
      time: event.time,
      sent: labelsOf(event.labels),
      series: labelsOf({ ...event.labels, team: event.labels.team || event.team }),
      quantities: event.quantities,
    })),
  );
}

const quantity = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 100_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1) },
);

/** Instants crowded around a few slot edges, so that edges fall between events of one slot. */
const crowded = fc
  .tuple(fc.constantFrom(0, 1, 2, 95, 96), fc.constantFrom(0, 1, 7 * MINUTE, 7 * MINUTE + 1, SLOT - 1))
  .map(([slot, offset]) => BASE + slot * SLOT + offset);

const eventArbitrary: fc.Arbitrary<PlainEvent> = fc.record({
  id: fc.constantFrom(
    ...Array.from({ length: 24 }, (_, n) => `event-${n}`),
    "__proto__",
    "'; DROP TABLE events; --",
    "é/😀",
  ),
  time: fc.oneof(
    { weight: 3, arbitrary: crowded },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 0, max: 5 * 24 * 3600 }).map((second) => BASE + second * 1000 + (second % 7)),
    },
  ),
  labels: fc.record({
    usageType: fc.constantFrom("TEXT_COMPLETION_INFERENCE_USAGE", "AUDIO_INFERENCE_USAGE", "TRAINING_TOKEN_USAGE"),
    model: fc.constantFrom("a", "b", "constructor"),
    apiKeyId: fc.constantFrom("", "key_1", "key_2"),
    team: fc.constantFrom("", "search"),
  }),
  team: fc.constantFrom("", "from-key"),
  quantities: fc.tuple(...METERS.map(() => quantity)),
});

type Step =
  | { readonly kind: "append"; readonly account: string; readonly events: readonly PlainEvent[] }
  | { readonly kind: "void"; readonly account: string; readonly ids: readonly string[] };

const account = fc.constantFrom("acme", "umbra");
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      account,
      events: fc.array(eventArbitrary, { maxLength: 12 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("void" as const),
      account,
      ids: fc.array(
        fc.integer({ min: 0, max: 26 }).map((n) => `event-${n}`),
        { maxLength: 4 },
      ),
    }),
  },
);

/** Edges on slots, on whole minutes and on any millisecond, with segments from 1 ms to days. */
const edgeArbitrary = fc.oneof(
  { weight: 3, arbitrary: crowded },
  fc.integer({ min: -96, max: 6 * 96 }).map((slot) => BASE + slot * SLOT),
  fc.integer({ min: -1440, max: 6 * 1440 }).map((minute) => BASE + minute * MINUTE),
  fc.integer({ min: 0, max: 5 * 24 * 3600 }).map((second) => BASE + second * 1000 + (second % 7)),
);

const questionArbitrary: fc.Arbitrary<SumQuestion> = fc.record({
  usageTypes: fc.subarray<UsageType>(
    ["TEXT_COMPLETION_INFERENCE_USAGE", "AUDIO_INFERENCE_USAGE", "TRAINING_TOKEN_USAGE"],
    { minLength: 1 },
  ),
  edges: fc.uniqueArray(edgeArbitrary, { minLength: 2, maxLength: 8 }).map((edges) => edges.sort((a, b) => a - b)),
  fields: fc.subarray<SeriesField>(["usageType", "model", "apiKeyId", "team", "user"]),
  filters: fc.array(
    fc.record({
      field: fc.constantFrom<SeriesField>("model", "apiKeyId", "team"),
      values: fc.subarray(["a", "b", "", "key_1", "search", "from-key", "constructor"], { minLength: 1 }),
    }),
    { maxLength: 2 },
  ),
});

interface PagesQuestion extends Omit<EventsQuestion, "after"> {
  readonly usageTypes: readonly UsageType[];
}

const pagesArbitrary: fc.Arbitrary<PagesQuestion> = fc.record({
  range: fc.tuple(edgeArbitrary, edgeArbitrary).map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) })),
  usageTypes: fc.subarray<UsageType>(
    ["TEXT_COMPLETION_INFERENCE_USAGE", "AUDIO_INFERENCE_USAGE", "TRAINING_TOKEN_USAGE"],
    { minLength: 1 },
  ),
  limit: fc.constantFrom(1, 2, 3, 7, 1_000),
});

/** The whole truth, in plain objects. */
class Truth {
  /** In the order of arrival. */
  readonly events = new Map<string, { event: PlainEvent; voided: boolean }>();

  append(account: string, events: readonly PlainEvent[]) {
    let created = 0;
    let duplicates = 0;
    const conflicts: number[] = [];
    for (const [at, event] of events.entries()) {
      const key = `${account} ${event.id}`;
      const known = this.events.get(key);
      if (!known) {
        this.events.set(key, { event, voided: false });
        created += 1;
      } else if (content(known.event) === content(event)) duplicates += 1;
      else conflicts.push(at);
    }
    return { created, duplicates, conflicts };
  }

  void(account: string, ids: readonly string[]): string[] {
    return ids.map((id) => {
      const known = this.events.get(`${account} ${id}`);
      if (!known) return "not_found";
      const outcome = known.voided ? "already_voided" : "voided";
      known.voided = true;
      return outcome;
    });
  }

  sum(account: string, question: SumQuestion): string[] {
    const sums = new Map<string, bigint[]>();
    for (const [key, { event, voided }] of this.events) {
      if (voided || !key.startsWith(`${account} `)) continue;
      const labels: Record<string, string> = { ...event.labels, team: event.labels.team || event.team };
      if (!(question.usageTypes as string[]).includes(labels.usageType!)) continue;
      if (question.filters.some(({ field, values }) => !values.includes(labels[field] ?? ""))) continue;
      for (let segment = 0; segment + 1 < question.edges.length; segment += 1) {
        if (event.time < question.edges[segment]! || event.time >= question.edges[segment + 1]!) continue;
        const group = JSON.stringify([segment, question.fields.map((field) => labels[field] ?? "")]);
        const sum = sums.get(group) ?? [0n, ...METERS.map(() => 0n)];
        sums.set(
          group,
          sum.map((value, at) => value + (at === 0 ? 1n : BigInt(event.quantities[at - 1]!))),
        );
      }
    }
    return [...sums].map(([group, sum]) => `${group} ${sum.join(" ")}`).sort();
  }

  /** What {@link readPages} must give. */
  pages(account: string, { range, usageTypes }: PagesQuestion): string[] {
    const found: { slot: number; line: string }[] = [];
    for (const [key, { event, voided }] of this.events) {
      if (!key.startsWith(`${account} `) || event.time < range.start || event.time >= range.end) continue;
      if (!(usageTypes as string[]).includes(event.labels.usageType!)) continue;
      const [sent, series] = [event.labels, { ...event.labels, team: event.labels.team || event.team }].map(labelsOf);
      const line = JSON.stringify([event.id, event.time, sent, series, event.quantities, voided ? BASE : null]);
      found.push({ slot: Math.floor(event.time / SLOT), line });
    }
    // Sorting is stable: within a slot the order of arrival stays.
    return found.sort((a, b) => a.slot - b.slot).map(({ line }) => line);
  }
}

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
    for (const { id, time, sent, series, quantities, voidedAt } of page.events) {
      lines.push(JSON.stringify([id, time, sent, series, quantities, voidedAt ?? null]));
    }
    if (!page.next) return lines;
    after = page.next;
    if (pages === 0) await between?.();
  }
}

/** What makes two writes of one id the same: time, labels as sent, quantities. What a key adds is no part of it. */
function content(event: PlainEvent): string {
  const { usageType, model, apiKeyId, team } = event.labels;
  return JSON.stringify([event.time, usageType, model, apiKeyId, team, event.quantities]);
}

function plainRows(rows: readonly SumRow[]): string[] {
  return rows
    .map((row) => `${JSON.stringify([row.segment, row.values])} ${[row.events, ...row.quantities].join(" ")}`)
    .sort();
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
          for (const step of steps) {
            if (step.kind === "void") {
              const outcomes = await ledger.void(own(step.account), step.ids, BASE);
              assert.deepEqual(outcomes, truth.void(own(step.account), step.ids));
            } else {
              const outcome = await ledger.append(own(step.account), toBatch(step.events));
              const expected = truth.append(own(step.account), step.events);
              assert.equal(outcome.created, expected.created);
              assert.equal(outcome.duplicates, expected.duplicates);
              assert.deepEqual(
                outcome.conflicts.map(({ at }) => at),
                expected.conflicts,
              );
            }
            const [rows] = await ledger.sum(own("acme"), [questions[0]!]);
            assert.deepEqual(plainRows(rows!), truth.sum(own("acme"), questions[0]!));
          }
          for (const account of ["acme", "umbra", "nobody"].map(own)) {
            const answers = await ledger.sum(account, questions);
            for (const [at, question] of questions.entries()) {
              assert.deepEqual(plainRows(answers[at]!), truth.sum(account, question));
            }
            assert.deepEqual(await readPages(ledger, account, pages), truth.pages(account, pages));
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
          await opened.ledger.append(account, toBatch(events));
          const [first, last] = [question.edges[0]!, question.edges.at(-1)!];
          const inside = more.filter((edge) => edge > first && edge < last);
          const finer = [...new Set([...question.edges, ...inside])].sort((a, b) => a - b);
          const whole = { ...question, edges: [first, last], fields: [] };
          const fine = { ...question, edges: finer, fields: ["usageType", "model", "apiKeyId", "team"] as const };
          const [one, many] = await opened.ledger.sum(account, [whole, fine]);
          const total = (rows: readonly SumRow[]): bigint[] =>
            rows.reduce(
              (sum, row) => sum.map((value, at) => value + [row.events, ...row.quantities][at]!),
              [0n, ...METERS.map(() => 0n)],
            );
          assert.deepEqual(total(many!), total(one!));
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
        await opened.ledger.append("big", toBatch(events.slice(at, at + 500)));
      await opened.ledger.void("big", ["big-7", "big-8"], BASE);
      const question = { usageTypes: ["TEXT_COMPLETION_INFERENCE_USAGE" as const], fields: [], filters: [] };
      const [rows] = await opened.ledger.sum("big", [{ ...question, edges: [BASE - SLOT, BASE + SLOT] }]);
      assert.deepEqual(plainRows(rows!), [`[0,[]] 2498 ${METERS.map(() => 2498n * (2n ** 53n - 1n)).join(" ")}`]);
    });

    test("an event is read back as it was written, and tells when it was voided", async () => {
      const labels = { usageType: "AUDIO_INFERENCE_USAGE", model: "whisper", team: "" };
      const event = { id: "é/1", time: BASE + 1, labels, team: "from-key", quantities: [1, 0, 2, 1500, 0, 0, 0] };
      await opened.ledger.append("read", toBatch([event]));
      const [sent, series] = [labelsOf(labels), labelsOf({ ...labels, team: "from-key" })];
      const kept = { id: "é/1", time: BASE + 1, sent, series, quantities: event.quantities };
      assert.deepEqual(await opened.ledger.find("read", "é/1"), { ...kept, voidedAt: undefined });
      await opened.ledger.void("read", ["é/1"], BASE + 5);
      assert.deepEqual(await opened.ledger.find("read", "é/1"), { ...kept, voidedAt: BASE + 5 });
      assert.equal(await opened.ledger.find("another", "é/1"), undefined);
      const again = await opened.ledger.append("read", toBatch([event]));
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
          await opened.ledger.append(account, toBatch(before));
          truth.append(account, before);
          const first = truth.pages(account, pages);
          const lines = await readPages(opened.ledger, account, pages, () =>
            opened.ledger.append(account, toBatch(meanwhile)),
          );
          truth.append(account, meanwhile);
          const all = truth.pages(account, pages);
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
        await opened.ledger.append("far", toBatch(events.slice(at, at + 20_000)));
      const range = { start: BASE, end: BASE + 60_000_000 };
      const lines = await readPages(opened.ledger, "far", { range, usageTypes: ["AUDIO_INFERENCE_USAGE"], limit: 10 });
      assert.equal(lines.length, 1);
      assert.match(lines[0]!, /^\["far-59999",/);
    });

    test("a conflict names the first field that differs", async () => {
      const labels = { usageType: "AUDIO_INFERENCE_USAGE", model: "whisper", team: "a" };
      const event = { id: "c", time: BASE, labels, team: "", quantities: [5, 1, 2, 3, 0, 0, 0] };
      const write = async (change: Partial<PlainEvent>) =>
        (await opened.ledger.append("conflict", toBatch([{ ...event, ...change }]))).conflicts[0]?.field;
      assert.equal(await write({}), undefined);
      assert.equal(await write({ time: BASE + 1 }), "time");
      assert.equal(await write({ labels: { ...labels, model: "x" } }), "model");
      assert.equal(await write({ labels: { ...labels, team: "b" } }), "annotations.team");
      assert.equal(await write({ quantities: [5, 1, 2, 4, 0, 0, 0] }), "audioInputSeconds");
      assert.equal(await write({ team: "what the key adds is no content" }), undefined);
    });
  });
}
