/**
 * Real usage in, the day's totals out: posts the Azure LLM inference trace of 2023 (a CSV of 19,366 calls) through the
 * HTTP API and asks billingUsage what it counted. Running it again changes nothing, as each row keeps its id.
 *
 *   node examples/azure-trace.ts [--url URL] [--key KEY] [--account ID] [FILE]
 *
 * Without options it talks to the demo that `npm start` runs. The trace is Microsoft's, CC-BY-4.0, from
 * https://github.com/Azure/AzurePublicDataset.
 */

import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { DEMO_KEY } from "../src/demo/company.ts";

const DEFAULT_FILE = "../shared/data/azure-llm-inference-2023-conv.csv";
const EVENTS_PER_CALL = 1_000;
const DAY_MS = 24 * 60 * 60 * 1000;
const HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens";
const ROW = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}\.\d{1,9}),(\d+),(\d+)$/;

interface UsageEvent {
  readonly id: string;
  readonly time: string;
  readonly usageType: "TEXT_COMPLETION_INFERENCE_USAGE";
  readonly model: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** The tokens of one day, or of all. */
interface Totals {
  readonly day: string;
  readonly prompt: bigint;
  readonly completion: bigint;
}

function readTrace(file: string): UsageEvent[] {
  if (!existsSync(file)) throw new Error(`there is no file ${file}; name the trace's CSV as the last word`);
  const model = basename(file, ".csv");
  const [header, ...lines] = readFileSync(file, "utf8").trimEnd().split(/\r?\n/);
  if (header !== HEADER) throw new Error(`${file}, line 1: expected ${HEADER}`);
  return lines.map((line, at) => {
    const row = ROW.exec(line);
    if (!row) throw new Error(`${file}, line ${at + 2}: expected a UTC time and two counts of tokens`);
    return {
      id: `azure-${model.split("-").at(-1)}-${String(at + 1).padStart(6, "0")}`,
      time: `${row[1]}T${row[2]}Z`,
      usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
      model,
      promptTokens: Number(row[3]),
      completionTokens: Number(row[4]),
    };
  });
}

class Daybook {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url.replace(/\/+$/, "");
    this.#key = key;
  }

  async call(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${this.#key}` };
    const response = await fetch(this.#url + path, { ...init, headers }).catch((error: Error) => {
      const reason = error.cause instanceof Error ? error.cause.message || error.cause.name : error.message;
      throw new Error(`cannot reach ${this.#url} (${reason}); is the server running? (npm start)`);
    });
    if (response.ok) return response;
    const answer = (await response.json().catch(() => ({}))) as { message?: string };
    throw new Error(`${path.split("?")[0]} answered ${response.status}: ${answer.message ?? response.statusText}`);
  }

  /** The account that the key is of. */
  async ownAccount(): Promise<string> {
    const response = await this.call("/verifyApiKey");
    return response.headers.get("x-fireworks-account-id") ?? "";
  }

  async write(account: string, events: readonly UsageEvent[]): Promise<{ created: number; duplicates: number }> {
    const response = await this.call(`/v1/accounts/${account}/usageEvents:batchCreate`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: events.map((event) => JSON.stringify(event)).join("\n"),
    });
    const outcome = (await response.json()) as {
      created: number;
      duplicates: number;
      conflicts: { id: string; field: string }[];
      rejected: { id: string; message: string }[];
    };
    const refused = outcome.rejected[0];
    if (refused) throw new Error(`event ${refused.id} was refused: ${refused.message}`);
    const conflict = outcome.conflicts[0];
    if (conflict) throw new Error(`event ${conflict.id} is there already with another ${conflict.field}`);
    return outcome;
  }

  /** What the server counted for the model on each UTC day of the events. */
  async countedDays(account: string, events: readonly UsageEvent[]): Promise<Totals[]> {
    const times = events.map(({ time }) => Date.parse(time));
    const start = Math.floor(times.reduce((a, b) => Math.min(a, b)) / DAY_MS) * DAY_MS;
    const end = Math.floor(times.reduce((a, b) => Math.max(a, b)) / DAY_MS) * DAY_MS + DAY_MS;
    const query = new URLSearchParams({
      startTime: new Date(start).toISOString(),
      endTime: new Date(end).toISOString(),
      usageType: "SERVERLESS",
      groupBy: "model_name",
      "filter[model_name][values]": events[0]!.model,
    });
    const response = await this.call(`/v1/accounts/${account}/billingUsage?${query}`);
    const { serverlessCosts } = (await response.json()) as {
      serverlessCosts: { startTime: string; promptTokens: string; completionTokens: string }[];
    };
    return serverlessCosts.map((row) => ({
      day: row.startTime.slice(0, 10),
      prompt: BigInt(row.promptTokens),
      completion: BigInt(row.completionTokens),
    }));
  }
}

function sum(parts: readonly { prompt: bigint; completion: bigint }[]): Totals {
  const all = { day: "in all", prompt: 0n, completion: 0n };
  for (const { prompt, completion } of parts) {
    all.prompt += prompt;
    all.completion += completion;
  }
  return all;
}

function line({ day, prompt, completion }: Totals): string {
  return `${day}: prompt ${prompt.toLocaleString("en-US")}, completion ${completion.toLocaleString("en-US")}`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { url: { type: "string" }, key: { type: "string" }, account: { type: "string" } },
  });
  if (positionals.length > 1) throw new Error(`one FILE at a time; ${positionals.length} were given`);
  const file = positionals[0] ?? fileURLToPath(new URL(`../${DEFAULT_FILE}`, import.meta.url));
  const events = readTrace(file);
  if (events.length === 0) throw new Error(`${file} holds no rows`);

  const daybook = new Daybook(
    values.url ?? "http://127.0.0.1:8484",
    values.key ?? process.env.DAYBOOK_API_KEY ?? DEMO_KEY,
  );
  const account = values.account ?? (await daybook.ownAccount());
  const bar = process.stderr.isTTY ? new SingleBar({ format: "[{bar}] {value} of {total} events" }) : undefined;
  const done = { created: 0, duplicates: 0 };
  bar?.start(events.length, 0);
  try {
    for (let at = 0; at < events.length; at += EVENTS_PER_CALL) {
      const some = events.slice(at, at + EVENTS_PER_CALL);
      const { created, duplicates } = await daybook.write(account, some);
      done.created += created;
      done.duplicates += duplicates;
      bar?.increment(some.length);
    }
  } finally {
    bar?.stop();
  }
  const { created, duplicates } = done;
  console.log(`${basename(file)}: ${events.length} events, ${created} new, ${duplicates} known already`);

  const days = await daybook.countedDays(account, events);
  for (const day of days) console.log(line(day));
  const sent = sum(
    events.map((event) => ({ prompt: BigInt(event.promptTokens), completion: BigInt(event.completionTokens) })),
  );
  const counted = sum(days);
  if (counted.prompt !== sent.prompt || counted.completion !== sent.completion) {
    throw new Error(`the server counted otherwise: the file has ${line(sent)}; it counted ${line(counted)}`);
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`azure-trace: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
