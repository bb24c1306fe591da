/** Reads what an answer tells of its usage, while its bytes pass by. */

import { JsonScan } from "./json-scan.ts";
import type { Route } from "./routes-table.ts";
import { SseReader } from "./sse-reader.ts";

/** Bytes of an id, a model's name or a usage that are kept; a longer one counts as not told. */
const TEXT_BYTES_MAX = 16 * 1024;

/** An event of the stream may hold the answer as a whole, under one of these names. */
const heldIn = (name: string): readonly string[] => [name, `response.${name}`, `message.${name}`];
const ID = heldIn("id");
const MODEL = heldIn("model");
const USAGE = heldIn("usage");
const SERVICE_TIER = heldIn("service_tier");
const PATHS = [...[ID, MODEL, USAGE, SERVICE_TIER].flat(), "type", "error", "choices", "data", "duration"];

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
  /** False while more usage may be told: a number of tokens that a stream tells in its middle grows. */
  readonly isComplete: boolean;
  readonly isStream: boolean;
  /** Reads a chunk and returns what of it, and of what was held back before, goes to the client now. */
  feed(chunk: Buffer): Buffer;
  /** The answer has come to its end: reads an event that has none of its own. */
  end(): void;
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
  readonly isComplete = true;
  readonly #scan = new JsonScan(PATHS, TEXT_BYTES_MAX);
  readonly #route: Route;

  constructor(route: Route) {
    this.#route = route;
  }

  feed(chunk: Buffer): Buffer {
    this.#scan.feed(chunk);
    this.#scan.keepFound();
    take(this.told, this.#scan);
    const images = this.#scan.found.get("data");
    if (images && this.#route.usageType === "IMAGE_GENERATION_USAGE") this.told.imageCount = images.items;
    return chunk;
  }

  end(): void {}

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
  /** The event came that a request for usage brings: what it tells is all. */
  #hasUsageEvent = false;
  /** What came in earlier chunks of an event that has not ended yet, while it may have to be hidden. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** The event was too long to be held: its beginning has left, so its end must. */
  #hasLeft = false;
  #out: Buffer[] = [];
  #chunk: Buffer = NOTHING;
  /** In the chunk: where the bytes that are not in `out` yet begin, and where the event does that is read now. */
  #from = 0;
  #eventAt = 0;

  constructor(route: Route, hidesUsage: boolean) {
    this.#route = route;
    this.#hidesUsage = hidesUsage;
    this.#reader = new SseReader(this.#scan, (end, isDone) => {
      const isUsage = this.#event(isDone);
      if (isUsage) this.#hasUsageEvent = true;
      if (this.#hidesUsage) this.#pass(end, isUsage);
    });
  }

  get isComplete(): boolean {
    const { endsWithEvent, asksForUsage } = this.#route;
    if (this.isLast) return true;
    return endsWithEvent ? false : !asksForUsage || this.#hasUsageEvent;
  }

  feed(chunk: Buffer): Buffer {
    if (!this.#hidesUsage) {
      this.#reader.feed(chunk);
      return chunk;
    }
    this.#begin(chunk);
    this.#reader.feed(chunk);
    this.#passUntil(this.#eventAt);
    this.#hold(chunk.subarray(this.#eventAt));
    const [first = NOTHING, ...others] = this.#out;
    return others.length === 0 ? first : Buffer.concat(this.#out);
  }

  end(): void {
    this.#begin(NOTHING);
    this.#reader.end();
    this.#held.push(...this.#out);
  }

  rest(): Buffer {
    return Buffer.concat(this.#held);
  }

  #begin(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#from = 0;
    this.#eventAt = 0;
    this.#out = [];
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

  /** Ends the event at `end` of the chunk: it goes on to the client, without the usage that was not asked for. */
  #pass(end: number, isUsage: boolean): void {
    const usage = this.#scan.found.get("usage");
    const isNull = usage?.text === "null";
    if (!this.#hasLeft && (isUsage || isNull)) {
      this.#passUntil(this.#eventAt);
      this.#held.push(this.#chunk.subarray(this.#eventAt, end));
      if (!isUsage) this.#out.push(withoutMember(Buffer.concat(this.#held), "usage", usage!));
      this.#from = end;
    } else this.#out.push(...this.#held);
    if (this.#held.length > 0) this.#held = [];
    this.#heldBytes = 0;
    this.#hasLeft = false;
    this.#eventAt = end;
  }

  /** Lets the chunk's bytes before `end` go. */
  #passUntil(end: number): void {
    if (this.#from < end) this.#out.push(this.#chunk.subarray(this.#from, end));
    this.#from = end;
  }

  /** Holds the beginning of an event back, unless it is too long for the usage of a stream. */
  #hold(part: Buffer): void {
    if (part.length === 0) return;
    this.#held.push(part);
    this.#heldBytes += part.length;
    if (!this.#hasLeft && this.#heldBytes <= HELD_BYTES_MAX) return;
    this.#out.push(...this.#held);
    this.#held = [];
    this.#hasLeft = true;
  }
}

const COMMA = 0x2c;
const DATA = "data:";

/**
 * An event of one data line without a member of its JSON that is null: asking for usage puts `"usage":null` into every event.
 * @param value where the member's value is, counted from behind `data:`.
 */
function withoutMember(event: Buffer, name: string, value: { start: number; end: number }): Buffer {
  if (!event.toString("latin1", 0, DATA.length).startsWith(DATA)) return event;
  const key = event.lastIndexOf(`"${name}"`, DATA.length + value.start);
  const end = DATA.length + value.end;
  // Of several data lines the places would be others.
  if (key < 0 || event.toString("latin1", end - "null".length, end) !== "null") return event;
  if (event[key - 1] === COMMA) return Buffer.concat([event.subarray(0, key - 1), event.subarray(end)]);
  if (event[end] === COMMA) return Buffer.concat([event.subarray(0, key), event.subarray(end + 1)]);
  return event;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textAt(scan: JsonScan, paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const value = scan.value(path);
    if (typeof value === "string" && value !== "") return value;
  }
  return undefined;
}

/** Adds what the scan has found. Ids and models stay as they were told first. */
function take(told: Told, scan: JsonScan): void {
  if (scan.found.size === 0) return;
  const id = told.id ?? textAt(scan, ID);
  const model = told.model ?? textAt(scan, MODEL);
  const tier = textAt(scan, SERVICE_TIER);
  if (id !== undefined) told.id = id;
  if (model !== undefined) told.model = model;
  if (tier !== undefined) told.serviceTier = tier;
  if (scan.found.has("duration")) told.duration = scan.value("duration");
  for (const path of USAGE) {
    const usage = scan.value(path);
    if (isObject(usage)) told.usage = { ...told.usage, ...withoutNulls(usage) };
  }
}

function withoutNulls(usage: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null));
}
