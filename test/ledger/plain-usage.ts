/** Random histories of usage and questions about them, and what must be answered: a plain fold over plain objects. */

import fc from "fast-check";
import {
  batchOf,
  type Labels,
  METERS,
  SERIES_FIELDS,
  type SeriesField,
  type UsageBatch,
  type UsageType,
} from "../../src/domain/usage.ts";
import type { EventsQuestion, SumQuestion } from "../../src/ledger/ledger.ts";

export const MINUTE = 60_000;
export const SLOT = 15 * MINUTE;
export const BASE = Date.UTC(2026, 2, 7);

/** An event in the test's own words. */
export interface PlainEvent {
  readonly id: string;
  readonly time: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Added to the series, as by a key. */
  readonly team: string;
  /** Added to the series. */
  readonly contextClass?: string;
  readonly quantities: readonly number[];
}

export function labelsOf(values: Readonly<Record<string, string>>): Labels {
  return SERIES_FIELDS.map((field) => values[field] ?? "");
}

/** The labels an event counts under. */
function counted({ labels, team, contextClass = "" }: PlainEvent): Record<string, string> {
  return { ...labels, team: labels.team || team, contextClass };
}

export function toBatch(events: readonly PlainEvent[]): UsageBatch {
  return batchOf(
    events.map((event) => ({
      id: event.id,
      time: event.time,
      sent: labelsOf(event.labels),
      series: labelsOf(counted(event)),
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

export const eventArbitrary: fc.Arbitrary<PlainEvent> = fc.record({
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
    estimated: fc.constantFrom("", "", "client_gone"),
  }),
  team: fc.constantFrom("", "from-key"),
  contextClass: fc.constantFrom("", "128000"),
  quantities: fc.tuple(...METERS.map(() => quantity)),
});

type Step =
  | { readonly kind: "append"; readonly account: string; readonly events: readonly PlainEvent[]; readonly at: number }
  | { readonly kind: "void"; readonly account: string; readonly ids: readonly string[] }
  | { readonly kind: "drop"; readonly account: string; readonly before: number; readonly limit: number };

/** When calls come in: within a second, in another one, and by a clock that was set back. */
export const receivedArbitrary = fc.constantFrom(
  BASE,
  BASE + 1,
  BASE + 999,
  BASE + 1_000,
  BASE + 90_500,
  BASE - 3_600_001,
);

/** What a drop asks for: up to which slot, and how many events. */
const DROP = {
  before: fc.constantFrom(-1, 1, 2, 96, 192, 480).map((slot) => BASE + slot * SLOT),
  limit: fc.constantFrom(1, 3, 1_000),
};
export const dropArbitrary = fc.record(DROP);

const account = fc.constantFrom("acme", "umbra");
export const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      account,
      events: fc.array(eventArbitrary, { maxLength: 12 }),
      at: receivedArbitrary,
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
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("drop" as const), account, ...DROP }) },
);

/** Edges on slots, on whole minutes and on any millisecond, with segments from 1 ms to days. */
export const edgeArbitrary = fc.oneof(
  { weight: 3, arbitrary: crowded },
  fc.integer({ min: -96, max: 6 * 96 }).map((slot) => BASE + slot * SLOT),
  fc.integer({ min: -1440, max: 6 * 1440 }).map((minute) => BASE + minute * MINUTE),
  fc.integer({ min: 0, max: 5 * 24 * 3600 }).map((second) => BASE + second * 1000 + (second % 7)),
);

const filtersArbitrary: fc.Arbitrary<SumQuestion["filters"]> = fc.array(
  fc.record({
    field: fc.constantFrom<SeriesField>("model", "apiKeyId", "team", "contextClass"),
    values: fc.subarray(["a", "b", "", "key_1", "search", "from-key", "constructor", "128000"], { minLength: 1 }),
  }),
  { maxLength: 2 },
);

export const questionArbitrary: fc.Arbitrary<SumQuestion> = fc.record({
  usageTypes: fc.subarray<UsageType>(
    ["TEXT_COMPLETION_INFERENCE_USAGE", "AUDIO_INFERENCE_USAGE", "TRAINING_TOKEN_USAGE"],
    { minLength: 1 },
  ),
  edges: fc.uniqueArray(edgeArbitrary, { minLength: 2, maxLength: 8 }).map((edges) => edges.sort((a, b) => a - b)),
  fields: fc.subarray<SeriesField>(["usageType", "model", "apiKeyId", "team", "user", "contextClass", "estimated"]),
  filters: filtersArbitrary,
});

export interface PagesQuestion extends Omit<EventsQuestion, "after"> {
  readonly usageTypes: readonly UsageType[];
  readonly filters: SumQuestion["filters"];
}

export const pagesArbitrary: fc.Arbitrary<PagesQuestion> = fc.record({
  range: fc.tuple(edgeArbitrary, edgeArbitrary).map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) })),
  usageTypes: fc.subarray<UsageType>(
    ["TEXT_COMPLETION_INFERENCE_USAGE", "AUDIO_INFERENCE_USAGE", "TRAINING_TOKEN_USAGE"],
    { minLength: 1 },
  ),
  filters: filtersArbitrary,
  limit: fc.constantFrom(1, 2, 3, 7, 1_000),
});

/** The whole truth, in plain objects. */
export class Truth {
  /** In the order of arrival. */
  readonly events = new Map<string, { event: PlainEvent; at: number; voided: boolean; dropped: boolean }>();
  /** For each account, up to where raw events were dropped. */
  readonly keptFrom = new Map<string, number>();

  append(account: string, events: readonly PlainEvent[], received: number) {
    let created = 0;
    let duplicates = 0;
    const conflicts: number[] = [];
    for (const [at, event] of events.entries()) {
      const key = `${account} ${event.id}`;
      const known = this.events.get(key);
      if (!known) {
        this.events.set(key, {
          event,
          at: received - (((received % 1000) + 1000) % 1000),
          voided: false,
          dropped: false,
        });
        created += 1;
      } else if (known.dropped || content(known.event) === content(event)) duplicates += 1;
      else conflicts.push(at);
    }
    return { created, duplicates, conflicts };
  }

  void(account: string, ids: readonly string[]): string[] {
    return ids.map((id) => {
      const known = this.events.get(`${account} ${id}`);
      if (!known) return "not_found";
      if (known.dropped) return "dropped";
      const outcome = known.voided ? "already_voided" : "voided";
      known.voided = true;
      return outcome;
    });
  }

  /** How many events are dropped: the first by their slot, then arrival. */
  drop(account: string, { before, limit }: { before: number; limit: number }): number {
    const due = [...this.events]
      .filter(([key, { event, dropped }]) => key.startsWith(`${account} `) && !dropped && event.time < before)
      .sort(([, a], [, b]) => Math.floor(a.event.time / SLOT) - Math.floor(b.event.time / SLOT))
      .slice(0, limit);
    for (const [, known] of due) known.dropped = true;
    if (due.length > 0) this.keptFrom.set(account, Math.max(before, this.keptFrom.get(account) ?? before));
    return due.length;
  }

  /** Undefined where an edge within a slot needs events that were dropped. */
  sum(account: string, question: SumQuestion): string[] | undefined {
    const keptFrom = this.keptFrom.get(account) ?? 0;
    if (question.edges.some((edge) => edge < keptFrom && edge % SLOT > 0)) return undefined;
    const sums = new Map<string, bigint[]>();
    for (const [key, { event, voided }] of this.events) {
      if (voided || !key.startsWith(`${account} `)) continue;
      const labels = counted(event);
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

  /** The events of a range that is read page by page: each as one line. Undefined where some were dropped. */
  pages(account: string, { range, usageTypes, filters }: PagesQuestion): string[] | undefined {
    if (range.start < (this.keptFrom.get(account) ?? 0)) return undefined;
    const found: { slot: number; line: string }[] = [];
    for (const [key, { event, at, voided, dropped }] of this.events) {
      if (dropped) continue;
      if (!key.startsWith(`${account} `) || event.time < range.start || event.time >= range.end) continue;
      if (!(usageTypes as string[]).includes(event.labels.usageType!)) continue;
      const labels = counted(event);
      if (filters.some(({ field, values }) => !values.includes(labels[field] ?? ""))) continue;
      const [sent, series] = [event.labels, labels].map(labelsOf);
      const line = [event.id, event.time, sent, series, event.quantities, at, voided ? BASE : null];
      found.push({ slot: Math.floor(event.time / SLOT), line: JSON.stringify(line) });
    }
    // Sorting is stable: within a slot the order of arrival stays.
    return found.sort((a, b) => a.slot - b.slot).map(({ line }) => line);
  }
}

/** What makes two writes of one id the same: time, labels as sent, quantities. What a key adds is no part of it. */
function content(event: PlainEvent): string {
  const { usageType, model, apiKeyId, team, estimated } = event.labels;
  return JSON.stringify([event.time, usageType, model, apiKeyId, team, estimated, event.quantities]);
}
