/**
 * What the made-up company used, day by day. A UTC day's events depend on that day and on nothing else, so they are the
 * same whenever the demo is filled, and filling it again changes nothing. Pure: the clock is passed in and the dice are
 * seeded.
 */

import { DAY_MS, HOUR_MS, type Instant, SLOT_MS } from "../domain/time.ts";
import type { UsageType } from "../domain/usage.ts";
import type { DemoAccount, DemoDeployment, Rhythm, Taking, TrainingJob, Workload } from "./company.ts";

/** Full UTC days before the day of `now`. */
const DAYS = 60;
const SLOTS_PER_DAY = DAY_MS / SLOT_MS;
/** The share of calls that hit the prompt cache. */
const CACHE_HITS = 0.75;

/** A usage event in the words of the wire. */
export interface DemoEvent {
  readonly id: string;
  readonly time: string;
  readonly usageType: UsageType;
  readonly [field: string]: unknown;
}

/** The starts of the UTC days that the demo covers: 60 full days and the day of `now`. */
export function demoDays(now: Instant): Instant[] {
  const today = Math.floor(now / DAY_MS) * DAY_MS;
  return Array.from({ length: DAYS + 1 }, (_, at) => today - (DAYS - at) * DAY_MS);
}

/**
 * One account's events of the UTC day that starts at `day`, in the order of their times and ids; none is after `now`.
 * @param keyIds the id of each key by its name.
 */
export function dayEvents(
  account: DemoAccount,
  keyIds: ReadonlyMap<string, string>,
  { day, now }: { day: Instant; now: Instant },
): DemoEvent[] {
  const dice = diceOf(`${account.keys[0]!.name} ${day}`);
  const events: DemoEvent[] = [];
  for (let slot = 0; slot < SLOTS_PER_DAY; slot += 1) {
    const start = day + slot * SLOT_MS;
    const calls: { time: Instant; make: Workload | TrainingJob }[] = [];
    for (const workload of account.workloads) {
      const mean = workload.perDay * shareOfSlot(workload.rhythm, start);
      // The fraction decides by dice whether there is one more.
      for (let left = mean * (0.6 + 0.8 * dice()); left > 0; left -= 1) {
        if (left < 1 && dice() > left) break;
        calls.push({ time: start + Math.floor(dice() * SLOT_MS), make: workload });
      }
    }
    for (const job of account.jobs) if (runs(job, day)) calls.push({ time: start + SLOT_MS - 1, make: job });
    calls.sort((a, b) => a.time - b.time);
    for (const { time, make } of calls) {
      const id = `demo-${time.toString(16).padStart(12, "0")}-${String(events.length).padStart(5, "0")}`;
      const when = { id, time: new Date(time).toISOString() };
      const content = "jobType" in make ? training(make, dice) : call(make, dice);
      const apiKeyId = "key" in make ? { apiKeyId: keyIds.get(make.key) } : {};
      events.push({ ...when, ...content, ...apiKeyId } as DemoEvent);
    }
  }
  const after = events.findIndex((event) => Date.parse(event.time) > now);
  return after === -1 ? events : events.slice(0, after);
}

/** The changes of a deployment's replicas over the demo's days up to `now`, in order of time. */
export function replicaChanges(
  deployment: DemoDeployment,
  now: Instant,
): { readonly time: Instant; readonly replicaCount: number }[] {
  const { fromHour, toHour, peak, idle } = deployment.rota;
  const days = demoDays(now);
  const changes = [{ time: days[0]!, replicaCount: idle }];
  for (const day of days.filter((one) => !isWeekend(one))) {
    changes.push({ time: day + fromHour * HOUR_MS, replicaCount: peak });
    changes.push({ time: day + toHour * HOUR_MS, replicaCount: idle });
  }
  return changes.filter(({ time }) => time <= now);
}

function isWeekend(time: Instant): boolean {
  const weekday = new Date(time).getUTCDay();
  return weekday === 0 || weekday === 6;
}

/** The part of a mean working day's calls that falls into the slot. */
function shareOfSlot({ peakHour, depth, weekend }: Rhythm, start: Instant): number {
  const hour = (start % DAY_MS) / HOUR_MS;
  const wave = 1 + depth * Math.cos(((hour - peakHour) / 24) * 2 * Math.PI);
  // Business swells and ebbs by a sixth over twelve weeks.
  const season = 1 + Math.sin((start / (84 * DAY_MS)) * 2 * Math.PI) / 6;
  return ((wave * season) / SLOTS_PER_DAY) * (isWeekend(start) ? weekend : 1);
}

/** Any 60 full days hold every day of the cycle once, so each job is seen, whatever the date. */
function runs(job: TrainingJob, day: Instant): boolean {
  const ofCycle = Math.floor(day / DAY_MS) % DAYS;
  return ofCycle >= job.firstDay && ofCycle <= job.lastDay;
}

function call(workload: Workload, dice: () => number): Record<string, unknown> {
  const { model, takes, user, tier, batch, tags } = workload;
  return {
    ...taken(takes, dice),
    model,
    ...(user && { user }),
    ...(tier && { serviceTier: tier }),
    ...(batch && { batch }),
    ...(tags && { annotations: tags }),
  };
}

function taken(takes: Taking, dice: () => number): Record<string, unknown> & { usageType: UsageType } {
  switch (takes.kind) {
    case "text": {
      const promptTokens = around(takes.prompt, dice);
      const share = dice() < CACHE_HITS ? takes.cached * (0.7 + 0.3 * dice()) : 0;
      return {
        usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
        promptTokens,
        cachedPromptTokens: Math.floor(promptTokens * share),
        completionTokens: around(takes.completion, dice),
      };
    }
    case "embedding":
      return { usageType: "EMBEDDING_INFERENCE_USAGE", promptTokens: around(takes.prompt, dice) };
    case "audio":
      return { usageType: "AUDIO_INFERENCE_USAGE", audioInputSeconds: around(takes.seconds * 1000, dice) / 1000 };
    case "images":
      return { usageType: "IMAGE_GENERATION_USAGE", imageCount: 1 + Math.floor(dice() * takes.images * 2) };
    default:
      return takes satisfies never;
  }
}

function training(job: TrainingJob, dice: () => number): Record<string, unknown> {
  const { id, jobType, baseModel, trainingSessionId, annotations, meter } = job;
  const same = { jobId: id, jobType, baseModel, trainingSessionId, annotations };
  switch (meter.kind) {
    case "tokens":
      return { usageType: "TRAINING_TOKEN_USAGE", ...same, tokens: Math.floor(meter.perSlot * (0.9 + 0.2 * dice())) };
    case "accelerators":
      return {
        usageType: "TRAINING_ACCELERATOR_USAGE",
        ...same,
        acceleratorType: meter.type,
        acceleratorSeconds: (meter.count * SLOT_MS) / 1000,
      };
    default:
      return meter satisfies never;
  }
}

/** A whole number with this median and a long tail upwards. */
function around(median: number, dice: () => number): number {
  // Three dice make a bell from -1.5 to 1.5.
  const bell = dice() + dice() + dice() - 1.5;
  return Math.max(1, Math.round(median * Math.exp(1.4 * bell)));
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32, seeded with FNV-1a of the text). */
function diceOf(seed: string): () => number {
  let state = 0x811c9dc5;
  for (const character of seed) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
