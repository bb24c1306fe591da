/** Chance made into events and questions that crowd where mistakes live: slots' edges, days' edges, repeated ids. */

import {
  type Labels,
  METERS,
  SERIES_FIELDS,
  type SeriesField,
  USAGE_TYPE_NAMES,
  type UsageEvent,
} from "../../../src/domain/usage.ts";
import type { SumQuestion } from "../../../src/ledger/ledger.ts";
import { localEdges } from "../local-days.ts";
import type { Random } from "../random.ts";
import type { Kept } from "./oracle.ts";

const SLOT = 900_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;
const OLDEST = Date.UTC(2000, 0, 1);

/** What holds for one seed. */
export interface Habits {
  readonly zones: readonly string[];
  /** Values of the fields that vary; "" where a field is left out. */
  readonly values: Readonly<Partial<Record<SeriesField, readonly string[]>>>;
  /** How often a quantity is near 2^53. */
  readonly hugeShare: number;
  readonly idStyle: "ordered" | "random" | "odd";
}

const ODD_IDS = ["__proto__", "constructor", "'; DROP TABLE events; --", "é/😀", "a b", "0", "-1"];

export function drawHabits(random: Random, zones: readonly string[]): Habits {
  return {
    zones: random.times(2, 4, () => random.pick(zones)),
    values: {
      usageType: random.some(USAGE_TYPE_NAMES, 0.6).concat("TEXT_COMPLETION_INFERENCE_USAGE"),
      model: ["a", "b", "constructor", ""].slice(0, random.int(1, 4)),
      apiKeyId: ["", "key_1", "key_2", "key_3"].slice(0, random.int(1, 4)),
      user: ["", "ada"].slice(0, random.int(1, 2)),
      deployment: ["", "d1"].slice(0, random.int(1, 2)),
      team: ["", "search", "ads"].slice(0, random.int(1, 3)),
    },
    hugeShare: random.weighted([
      [8, 0],
      [1, 0.05],
      [1, 0.6],
    ]),
    idStyle: random.pick(["ordered", "random", "odd"]),
  };
}

/** Labels as a client sends them. */
function drawLabels(random: Random, { values }: Habits): Labels {
  return SERIES_FIELDS.map((field) => (values[field] ? random.pick(values[field]) : ""));
}

function drawTime(random: Random, now: number, { zones }: Habits): number {
  const near = random.weighted<() => number>([
    [4, () => now - random.int(0, 5_000)],
    [4, () => Math.floor((now - random.int(0, 8) * SLOT) / SLOT) * SLOT + random.pick([-1, 0, 1, SLOT - 1, SLOT / 2])],
    [2, () => now - random.int(0, 3 * DAY)],
    [2, () => random.pick(localEdges(now - 2 * DAY, now + DAY, random.pick(zones))) + random.pick([-1, 0, 1])],
    [1, () => now - random.int(0, 400) * DAY + random.int(0, DAY)],
    [0.1, () => OLDEST + random.int(0, 1)],
  ]);
  return Math.max(OLDEST, Math.min(near(), now + DAY));
}

function drawQuantity(random: Random, { hugeShare }: Habits): number {
  if (random.chance(hugeShare)) return Number.MAX_SAFE_INTEGER - random.int(0, 1);
  return random.chance(0.3) ? 0 : random.int(1, 100_000);
}

export function drawEvent(random: Random, now: number, habits: Habits, made: number): UsageEvent {
  const id =
    habits.idStyle === "odd" && random.chance(0.2)
      ? random.pick(ODD_IDS)
      : habits.idStyle === "random"
        ? `${random.int(0, 2 ** 31)}-${made}`
        : `event-${String(made).padStart(6, "0")}`;
  const sent = drawLabels(random, habits);
  const quantities = METERS.map(() => drawQuantity(random, habits));
  return { id, time: drawTime(random, now, habits), sent, series: sent, quantities };
}

/** The event with one part of its content changed. */
export function drawOther(random: Random, event: UsageEvent): UsageEvent {
  const part = random.pick(["time", "label", "quantity"] as const);
  if (part === "time") return { ...event, time: event.time + random.pick([-1, 1, SLOT, DAY]) };
  if (part === "quantity") {
    const at = random.int(0, METERS.length - 1);
    const quantity = event.quantities[at]!;
    return { ...event, quantities: event.quantities.with(at, quantity === 0 ? 1 : quantity - 1) };
  }
  const at = random.int(0, SERIES_FIELDS.length - 1);
  return { ...event, sent: event.sent.with(at, `${event.sent[at]}x`) };
}

const FIELDS: readonly SeriesField[] = ["usageType", "model", "apiKeyId", "user", "deployment", "team", "contextClass"];

export function drawFilters(random: Random, { values }: Habits): SumQuestion["filters"] {
  return random.some(["model", "apiKeyId", "team"] as const, 0.2).map((field) => ({
    field,
    values: [...random.some(values[field] ?? [""], 0.5), random.pick(["", "unheard", "x"])],
  }));
}

/** Ascending edges: local days, slots, any millisecond, or around an event. */
function drawEdges(random: Random, now: number, habits: Habits, events: readonly Kept[]): number[] {
  const end = now + random.int(-2 * DAY, 2 * DAY);
  const start = end - random.pick([1, SLOT, HOUR, DAY, 3 * DAY, 31 * DAY, 400 * DAY]) - random.int(0, 2) * SLOT;
  const edges = random.weighted<() => number[]>([
    [3, () => localEdges(Math.max(start, end - 35 * DAY), end, random.pick(habits.zones))],
    [3, () => [Math.floor(start / SLOT) * SLOT, Math.ceil((end + 1) / SLOT) * SLOT]],
    [3, () => [start, end, ...random.times(0, 4, () => random.int(start, end))]],
    [
      events.length > 0 ? 4 : 0,
      () => {
        const { time } = random.pick(events);
        const beside = [-SLOT, -1, 0, 1, SLOT, DAY].map((far) => time + far);
        return [...beside.slice(0, random.int(2, 6)), ...random.some([start, end], 0.3)];
      },
    ],
  ])();
  const ascending = [...new Set(edges)].sort((a, b) => a - b);
  return ascending.length > 1 ? ascending : [ascending[0]!, ascending[0]! + 1];
}

export function drawQuestion(random: Random, now: number, habits: Habits, events: readonly Kept[]): SumQuestion {
  const types = random.chance(0.6) ? USAGE_TYPE_NAMES : random.some(USAGE_TYPE_NAMES, 0.5);
  return {
    usageTypes: types.length > 0 ? types : USAGE_TYPE_NAMES,
    edges: drawEdges(random, now, habits, events),
    fields: random.some(FIELDS, 0.3),
    filters: drawFilters(random, habits),
  };
}
