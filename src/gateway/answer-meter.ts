/** Reads what an answer tells of its usage, while its bytes pass by. */

import { JsonScan } from "./json-scan.ts";
import type { Route } from "./routes-table.ts";
import { SseReader } from "./sse-reader.ts";

/** Bytes of an id, a model's name or a usage that are kept; a longer one counts as not told. */
const TEXT_BYTES_MAX = 16 * 1024;

/** An event of the stream may hold the answer as a whole, under one of these names. */
const HOLDERS = ["", "response.", "message."] as const;
const PATHS = [
  ...HOLDERS.flatMap((holder) => ["id", "model", "usage", "service_tier"].map((name) => holder + name)),
  "type",
  "error",
  "choices",
  "data",
  "duration",
];

/** The events after which a stream has nothing more to tell. */
const LAST_TYPES: readonly unknown[] = [
  "message_stop",
  "response.completed",
  "response.incomplete",
  "response.failed",
  "transcript.text.done",
];
const IMAGE_DONE = "image_generation.completed";

/** What an answer told so far. */
export interface Told {
  id?: string;
  model?: string;
  serviceTier?: string;
  /** All usage objects, later numbers over earlier ones. */
  usage?: Readonly<Record<string, unknown>>;
  /** Seconds of audio, told beside the usage. */
  duration?: unknown;
  imageCount?: number;
  /** True when an error came in the middle of a stream. */
  hasFailed?: boolean;
}

export interface AnswerMeter {
  readonly told: Told;
  /** True from the stream's last event on: what follows it is no content. */
  readonly isLast: boolean;
  readonly isStream: boolean;
  /** Reads a chunk and returns what of it, and of what was held back before, goes to the client now. */
  feed(chunk: Buffer): Buffer;
  /** What is held back when the stream has ended, or was cut. */
  rest(): Buffer;
}

export interface MeterOptions {
  readonly route: Route;
  readonly contentType: string;
  /** The usage was asked for by the gateway, so the client must not see it. */
  readonly hidesUsage: boolean;
}

/** The meter for an answer's content type; undefined for one that holds no usage that can be read. */
export function meterFor({ route, contentType, hidesUsage }: MeterOptions): AnswerMeter | undefined {
  const type = contentType.split(";")[0]!.trim().toLowerCase();
  if (type === "text/event-stream") return new StreamMeter(route, hidesUsage);
  return type.endsWith("json") ? new JsonMeter(route) : undefined;
}

const NOTHING: Buffer = Buffer.alloc(0);

class JsonMeter implements AnswerMeter {
  readonly told: Told = {};
  readonly isLast = false;
  readonly isStream = false;
  readonly #scan = new JsonScan(PATHS, TEXT_BYTES_MAX);
  readonly #route: Route;

  constructor(route: Route) {
    this.#route = route;
  }

  feed(chunk: Buffer): Buffer {
    this.#scan.feed(chunk);
    take(this.told, this.#scan);
    const images = this.#scan.found.get("data");
    if (images && this.#route.usageType === "IMAGE_GENERATION_USAGE") this.told.imageCount = images.items;
    return chunk;
  }

  rest(): Buffer {
    return NOTHING;
  }
}

/** An event that is longer goes to the client as it is; only the short usage event is ever hidden. */
const HELD_BYTES_MAX = 1024 * 1024;

class StreamMeter implements AnswerMeter {
  readonly told: Told = {};
  readonly isStream = true;
  isLast = false;
  readonly #scan = new JsonScan(PATHS, TEXT_BYTES_MAX);
  readonly #reader: SseReader;
  readonly #route: Route;
  readonly #hidesUsage: boolean;
  /** The bytes of an event that has not ended yet, while it may have to be hidden. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #out: Buffer[] = [];
  #chunk: Buffer = NOTHING;
  #from = 0;

  constructor(route: Route, hidesUsage: boolean) {
    this.#route = route;
    this.#hidesUsage = hidesUsage;
    this.#reader = new SseReader(this.#scan, ({ end, isDone }) => {
      const isUsage = this.#event(isDone);
      if (this.#hidesUsage) this.#pass(end, isUsage);
    });
  }

  feed(chunk: Buffer): Buffer {
    this.#chunk = chunk;
    this.#from = 0;
    this.#out = [];
    this.#reader.feed(chunk);
    if (!this.#hidesUsage) return chunk;
    this.#hold(chunk.subarray(this.#from));
    if (this.#heldBytes > HELD_BYTES_MAX) this.#release();
    return Buffer.concat(this.#out);
  }

  rest(): Buffer {
    return Buffer.concat(this.#held);
  }

  /** Takes in the event that has just ended; true for the extra one that a request for usage brings. */
  #event(isDone: boolean): boolean {
    const scan = this.#scan;
    take(this.told, scan);
    const type = scan.value("type");
    if (isDone || LAST_TYPES.includes(type)) this.isLast = true;
    if (type === "error" || type === "response.failed" || isObject(scan.value("error"))) this.told.hasFailed = true;
    if (type === IMAGE_DONE && this.#route.usageType === "IMAGE_GENERATION_USAGE") {
      this.told.imageCount = (this.told.imageCount ?? 0) + 1;
    }
    const choices = scan.found.get("choices");
    return choices?.items === 0 && choices.text?.startsWith("[") === true && isObject(scan.value("usage"));
  }

  /** Ends the held event at `end` of the chunk: it goes on to the client, without the usage that was not asked for. */
  #pass(end: number, isUsage: boolean): void {
    this.#hold(this.#chunk.subarray(this.#from, end));
    this.#from = end;
    const usage = this.#scan.found.get("usage");
    if (isUsage) this.#drop();
    else if (usage?.text === "null") this.#held = [withoutMember(Buffer.concat(this.#held), "usage", usage)];
    this.#release();
  }

  #hold(part: Buffer): void {
    if (part.length === 0) return;
    this.#held.push(part);
    this.#heldBytes += part.length;
  }

  #release(): void {
    for (const part of this.#held) this.#out.push(part);
    this.#drop();
  }

  #drop(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }
}

const COMMA = 0x2c;
const DATA = "data:";

/**
 * An event of one data line without a member of its JSON: asking for usage puts `"usage":null` into every event.
 * @param value where the member's value is, counted from behind `data:`.
 */
function withoutMember(event: Buffer, name: string, value: { start: number; end: number }): Buffer {
  if (!event.toString("latin1", 0, DATA.length).startsWith(DATA)) return event;
  const key = event.lastIndexOf(`"${name}"`, DATA.length + value.start);
  const end = DATA.length + value.end;
  if (event[key - 1] === COMMA) return Buffer.concat([event.subarray(0, key - 1), event.subarray(end)]);
  if (event[end] === COMMA) return Buffer.concat([event.subarray(0, key), event.subarray(end + 1)]);
  return event;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textAt(scan: JsonScan, name: string): string | undefined {
  for (const holder of HOLDERS) {
    const value = scan.value(holder + name);
    if (typeof value === "string" && value !== "") return value;
  }
  return undefined;
}

/** Adds what the scan has found. Ids and models stay as they were told first. */
function take(told: Told, scan: JsonScan): void {
  if (scan.found.size === 0) return;
  const id = textAt(scan, "id");
  const model = textAt(scan, "model");
  const tier = textAt(scan, "service_tier");
  if (id !== undefined) told.id ??= id;
  if (model !== undefined) told.model ??= model;
  if (tier !== undefined) told.serviceTier = tier;
  if (scan.found.has("duration")) told.duration = scan.value("duration");
  for (const holder of HOLDERS) {
    const usage = scan.value(`${holder}usage`);
    if (isObject(usage)) told.usage = { ...told.usage, ...withoutNulls(usage) };
  }
}

function withoutNulls(usage: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null));
}
