/**
 * Damaged bytes for every decoder: a body is decoded or refused by a Fault of ours, event by event or whole; a file is
 * imported or refused, and where it was cut into chunks changes nothing. DAYBOOK_FUZZ_SECONDS and DAYBOOK_FUZZ_SEED as in
 * routes.test.ts; `DAYBOOK_FUZZ_SEED=<seed of the failure>` replays one.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { Fault } from "../../src/domain/fault.ts";
import { isPlainText } from "../../src/domain/text.ts";
import { EVENT_TIME_AHEAD_MAX_MS, EVENT_TIME_MIN } from "../../src/domain/time.ts";
import { BODY_BYTES_MAX, QUANTITY_MAX } from "../../src/domain/usage.ts";
import { type Decoded, decode } from "../../src/ingest/decode.ts";
import { type ImportReject, type ImportTotals, importFile } from "../../src/ingest/import-file.ts";
import { partSeed, Random } from "../simulator/random.ts";
import { mutateBytes, mutateValue } from "./mutate.ts";

const SECONDS = Number(process.env.DAYBOOK_FUZZ_SECONDS ?? 45) / 3;
const SEED = Number(process.env.DAYBOOK_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
const NOW = Date.parse("2026-06-10T12:00:00Z");
/** Of a core's time, for one input of a few kilobytes, which takes some microseconds. */
const DECODE_MS_MAX = 1_000;
/** Milliseconds that this thread has run: on a busy machine fewer than have passed. */
const ranMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};
const FORMS = ["application/json", "application/x-ndjson", "application/cloudevents+json", "application/cloudevents-batch+json"] as const; // biome-ignore format: a list

/** Inputs made of seeds that follow from the first, until the time is over; a failure tells the seed that makes it again. */
async function until(seconds: number, input: (random: Random) => Promise<string> | string): Promise<string> {
  const outcomes = new Map<string, number>();
  const end = Date.now() + seconds * 1_000;
  let count = 0;
  for (; count === 0 || Date.now() < end; count += 1) {
    const seed = count === 0 ? SEED : partSeed(SEED, count);
    try {
      const outcome = await input(new Random(seed));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (error) {
      const replay = `DAYBOOK_FUZZ_SEED=${seed} DAYBOOK_FUZZ_SECONDS=0 node --test test/fuzz/decoders.test.ts`;
      throw new Error(`${(error as Error).message}\nreplay: ${replay}`, { cause: error });
    }
  }
  return `seed ${SEED}, ${count} inputs: ${JSON.stringify(Object.fromEntries([...outcomes].sort()))}`;
}

function event(random: Random, at: number): object {
  const common = { id: `e-${at}`, time: "2026-06-10T00:00:00.5Z" };
  if (random.chance(0.3)) return { ...common, usageType: "TRAINING_TOKEN_USAGE", jobId: "j", tokens: "7" };
  const quantities = { promptTokens: random.int(0, 900), cachedPromptTokens: 0, completionTokens: 1e3 };
  return {
    ...common,
    usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
    model: "m",
    ...quantities,
    annotations: { team: "s" },
  };
}

function bodyOf(random: Random): { bytes: Buffer; contentType: string; contentEncoding: string } {
  const events = random.times(0, 12, (at) => event(random, at));
  const contentType = random.pick(FORMS);
  const cloud = (data: object, at: number) => ({ specversion: "1.0", id: `${at}`, source: "/s", type: "t", data });
  const whole: Readonly<Record<string, unknown>> = {
    [FORMS[0]]: { events },
    [FORMS[2]]: cloud(events[0] ?? {}, 0),
    [FORMS[3]]: events.map(cloud),
  };
  let value: unknown = whole[contentType] ?? events;
  for (let left = random.int(0, 3); left > 0; left -= 1) value = mutateValue(value, random);
  const lines = contentType === FORMS[1] && Array.isArray(value) ? (value as unknown[]) : undefined;
  const text = lines ? lines.map((one) => JSON.stringify(one)).join("\n") : JSON.stringify(value);
  let bytes = Buffer.from(text ?? "");
  for (let left = random.int(0, 2); left > 0; left -= 1) bytes = Buffer.from(mutateBytes(bytes, random));
  if (!random.chance(0.3)) return { bytes, contentType, contentEncoding: "" };
  const packed = gzipSync(bytes);
  return { bytes: random.chance(0.5) ? mutateBytes(packed, random) : packed, contentType, contentEncoding: "gzip" };
}

/** The decoded, or the code of the Fault; any other error passes. */
function decodeOrCode(body: ReturnType<typeof bodyOf>): Decoded | string {
  const { bytes, contentType, contentEncoding } = body;
  try {
    return decode(bytes, { contentType, contentEncoding, account: "acme", now: NOW });
  } catch (error) {
    assert.ok(error instanceof Fault, `not a Fault: ${(error as Error).stack}`);
    assert.ok(error.http >= 400 && error.http < 500, error.message);
    return error.problems[0].code;
  }
}

/** What was accepted is what an event may be; each record is accepted or refused. */
function checkDecoded({ batch, index, total, rejected }: Decoded): void {
  assert.equal(batch.ids.length + rejected.length, total);
  assert.equal(index.length, batch.ids.length);
  assert.ok(
    batch.ids.every((id) => isPlainText(id)),
    "an id that is no plain text",
  );
  for (const time of batch.times) {
    assert.ok(
      Number.isInteger(time) && time >= EVENT_TIME_MIN && time <= NOW + EVENT_TIME_AHEAD_MAX_MS,
      `time ${time}`,
    );
  }
  for (const quantity of batch.quantities) {
    assert.ok(Number.isInteger(quantity) && quantity >= 0 && quantity <= QUANTITY_MAX, `quantity ${quantity}`);
  }
  // A sentence begins with the field's name, be it empty.
  for (const { message } of rejected) assert.match(message, /^(?!: )./s);
}

test("damaged bodies are decoded or refused by a Fault", { timeout: SECONDS * 2_000 + 300_000 }, async (context) => {
  const told = await until(SECONDS / 2, (random) => {
    const body = bodyOf(random);
    const started = ranMs();
    const decoded = decodeOrCode(body);
    assert.ok(ranMs() - started < DECODE_MS_MAX, "too slow");
    if (typeof decoded === "string") return decoded;
    checkDecoded(decoded);
    return "decoded";
  });
  context.diagnostic(`figure bodies: ${told}`);
});

const CSV_HEAD =
  "email,start_time,end_time,usage_type,accelerator_type,accelerator_seconds,base_model_name,model_bucket,parameter_count,prompt_tokens,completion_tokens,cached_prompt_tokens,uncached_prompt_tokens";

function csvRow(random: Random): string {
  const time = `2026-06-0${random.int(1, 9)}T0${random.int(0, 9)}:00:00Z`;
  const tokens = random.int(0, 9_000);
  return `ada@acme.example,${time},${time},TEXT_COMPLETION_INFERENCE_USAGE,,0,accounts/fireworks/models/m,b,,${tokens},5,0,${tokens}`;
}

function fileOf(random: Random): Buffer {
  const csv = random.chance(0.5);
  const rows = random.times(0, 15, (at) => (csv ? csvRow(random) : JSON.stringify(event(random, at))));
  let bytes = Buffer.from([...(csv ? [CSV_HEAD] : []), ...rows, ""].join(random.chance(0.2) ? "\r\n" : "\n"));
  for (let left = random.int(0, 3); left > 0; left -= 1) bytes = Buffer.from(mutateBytes(bytes, random));
  return bytes;
}

/** Imports the bytes, cut at random; the ledger takes all that is decoded. */
async function imported(bytes: Buffer, random: Random): Promise<unknown> {
  const rejects: ImportReject[] = [];
  let totals: ImportTotals | undefined;
  const ids: string[] = [];
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; ) {
      const to = Math.min(bytes.length, at + random.int(1, 300));
      yield new Uint8Array(bytes.subarray(at, to));
      at = to;
    }
  }
  const write = async (body: Uint8Array) => {
    const form = { contentType: "application/x-ndjson", contentEncoding: "", account: "acme", now: NOW };
    const decoded = decode(body, form);
    ids.push(...decoded.batch.ids);
    const { rejected, droppedAnnotations } = decoded;
    return { created: decoded.batch.ids.length, duplicates: 0, conflicts: [], rejected, droppedAnnotations };
  };
  try {
    totals = await importFile({ name: "f", chunks: chunks() }, write, {
      onReject: (reject) => void rejects.push(reject),
      onProgress: () => {},
    });
  } catch (error) {
    assert.ok(error instanceof Fault, `not a Fault: ${(error as Error).stack}`);
    return { refused: error.message };
  }
  assert.equal(rejects.length, totals.rejected);
  assert.ok(totals.bytes <= bytes.length);
  return { totals, rejects, ids };
}

test("a damaged file is imported or refused, however it is cut", {
  timeout: SECONDS * 2_000 + 300_000,
}, async (context) => {
  const told = await until(SECONDS / 2, async (random) => {
    const bytes = fileOf(random);
    const [one, other] = [await imported(bytes, random), await imported(bytes, random)];
    assert.deepEqual(one, other);
    return Object.keys(one as object)[0]!;
  });
  context.diagnostic(`figure files: ${told}`);
});

test("a gzip bomb stops at the limit of a body, within its time", () => {
  // 16 GiB of blanks, packed twice over, would need minutes and all memory there is.
  const blanks = gzipSync(Buffer.alloc(BODY_BYTES_MAX, 32));
  const bomb = Buffer.concat(Array(64).fill(blanks));
  const started = ranMs();
  const code = decodeOrCode({ bytes: bomb, contentType: FORMS[0], contentEncoding: "gzip" });
  assert.equal(code, "body_too_large");
  assert.ok(ranMs() - started < DECODE_MS_MAX);
});

test("a file of one long line that is no event is refused at once", async () => {
  const started = ranMs();
  for (const text of ["[".repeat(70_000), "x".repeat(70_000), " ".repeat(70_000), "a ".repeat(35_000)]) {
    await imported(Buffer.from(text), new Random(1));
  }
  assert.ok(ranMs() - started < 4 * DECODE_MS_MAX);
});
