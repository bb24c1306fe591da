/** The usage that the benchmark writes: events of some 300 bytes in 100 series, always the same but for random ids. */

import { randomUUID } from "node:crypto";

/** - `live`: the last two hours, as clients send it; - `history`, `year`: 90 and 365 days, as a backfill sends it. */
export type Spread = "live" | "history" | "year";
export type Ids = "ordered" | "random";

export interface UsageShape {
  readonly spread: Spread;
  readonly ids: Ids;
  readonly events: number;
  /** Milliseconds since the epoch; the last event is just before it. */
  readonly now: number;
}

export const EVENTS_PER_CALL = 1_000;
export const HISTORY_DAYS = 90;
const LIVE_MS = 2 * 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
export const YEAR_DAYS = 365;
const SPAN_MS: Readonly<Record<Spread, number>> = {
  live: LIVE_MS,
  history: HISTORY_DAYS * DAY_MS,
  year: YEAR_DAYS * DAY_MS,
};

const MODELS = ["kimi-k2p6", "deepseek-v4-pro", "glm-5p2", "gpt-oss-120b", "minimax-m3"];
const TEAMS = ["search", "support"];
const KEYS = 10;
export const SERIES = MODELS.length * TEAMS.length * KEYS;

function seriesText(series: number): { readonly labels: string; readonly tags: string } {
  const model = MODELS[series % MODELS.length]!;
  const team = TEAMS[Math.floor(series / MODELS.length) % TEAMS.length]!;
  const key = Math.floor(series / (MODELS.length * TEAMS.length));
  return {
    labels:
      `"usageType":"TEXT_COMPLETION_INFERENCE_USAGE","model":"accounts/fireworks/models/${model}",` +
      `"apiKeyId":"key_bench${String(key).padStart(11, "0")}"`,
    tags: `"annotations":{"team":"${team}","environment":"prod"}`,
  };
}

/** A series for each event, spread without a pattern that the order of arrival would repeat. */
export function seriesOf(event: number): number {
  return (Math.imul(event, 0x9e3779b1) >>> 8) % SERIES;
}

/** The event's id: of UUIDv7's form with the time in front, or a random UUID. */
export function idOf(event: number, time: number, ids: Ids): string {
  if (ids === "random") return randomUUID();
  const ms = time.toString(16).padStart(12, "0");
  const place = event.toString(16).padStart(12, "0");
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7000-8000-${place}`;
}

export function timeOf(event: number, { spread, events, now }: UsageShape): number {
  const span = SPAN_MS[spread];
  return Math.floor(now - span + (event * span) / events);
}

export function quantitiesOf(event: number): readonly [prompt: number, cached: number, completion: number] {
  const mixed = Math.imul(event, 0x85ebca6b) >>> 0;
  const prompt = 200 + (mixed % 8_000);
  return [prompt, (mixed >>> 13) % (prompt + 1), 20 + ((mixed >>> 20) % 900)];
}

/** The bodies of the calls for events `from` up to `to`. */
export function usageBodies(shape: UsageShape, from: number, to: number): Buffer[] {
  const texts = Array.from({ length: SERIES }, (_, series) => seriesText(series));
  const bodies: Buffer[] = [];
  for (let first = from; first < to; first += EVENTS_PER_CALL) {
    const lines: string[] = [];
    for (let event = first; event < Math.min(first + EVENTS_PER_CALL, to); event += 1) {
      const time = timeOf(event, shape);
      const { labels, tags } = texts[seriesOf(event)]!;
      const [prompt, cached, completion] = quantitiesOf(event);
      lines.push(
        `{"id":"${idOf(event, time, shape.ids)}","time":"${new Date(time).toISOString()}",${labels},` +
          `"promptTokens":${prompt},"cachedPromptTokens":${cached},"completionTokens":${completion},${tags}}`,
      );
    }
    bodies.push(Buffer.from(lines.join("\n")));
  }
  return bodies;
}
