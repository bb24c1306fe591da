/** Clients of a server that will be killed: they write, repeat, contradict, void and read, and note each answer. */

import assert from "node:assert/strict";
import { Agent } from "node:http";
import { gzipSync } from "node:zlib";
import { type Answer, ask } from "../process/http.ts";
import type { Book, Call, SentEvent } from "./book.ts";

/** Numbers from 0 to 1, the same for the same seed. */
export type Random = () => number;

/** Mulberry32: 32 bits of state are plenty to choose what a test does. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `from` to `to`, both included. */
export function between(random: Random, from: number, to: number): number {
  return from + Math.floor(random() * (to - from + 1));
}

const DAY_MS = 86_400_000;
/** All events lie in the four days from here. */
export const FIRST_DAY = Math.floor(Date.now() / DAY_MS) * DAY_MS - 6 * DAY_MS;
export const LAST_DAY = FIRST_DAY + 4 * DAY_MS;

/** Ids that a client remembers to send again or void. */
const REMEMBERED_MAX = 2_000;
/** Full-sized calls of one client in one round; then it goes on with small ones, so that the files stay quick to check. */
const LARGE_CALLS_MAX = 3;

export interface ClientOptions {
  readonly name: string;
  readonly account: string;
  readonly key: string;
  readonly random: Random;
  readonly book: Book;
}

interface WriteReply {
  readonly created: number;
  readonly duplicates: number;
  readonly conflicts: readonly { readonly id: string; readonly field: string }[];
  readonly rejected: readonly unknown[];
}

interface VoidReply {
  readonly voided: number;
  readonly alreadyVoided: number;
  readonly notFound: readonly unknown[];
}

export class Client {
  readonly #options: ClientOptions;
  #made = 0;
  #large = 0;
  /** Answered, not voided and in no call to void. */
  readonly #live: SentEvent[] = [];
  readonly #voided: SentEvent[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Calls one after the other until `stopped`, over one kept connection for each of two twins. */
  async load(url: string, stopped: () => boolean): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 2 });
    this.#large = 0;
    try {
      while (!stopped()) await this.#call(url, agent);
    } finally {
      agent.destroy();
    }
  }

  async #call(url: string, agent: Agent): Promise<void> {
    const { random, book, key } = this.#options;
    const call = this.#next();
    // A gateway that lost patience sends the same call again while the first one is still under way.
    const twins = random() < 0.1 ? 2 : 1;
    const sends = Array.from({ length: twins }, () => send(url, call, { key, random, agent }));
    const replies = (await Promise.all(sends)).filter((reply) => reply !== undefined);
    if (replies.length === 0) {
      book.unanswered(call);
      return;
    }
    const fresh = replies.reduce((sum, reply) => sum + (reply.fresh ?? 0), 0);
    const allTold = replies.length === twins && replies.every((reply) => reply.fresh !== undefined);
    if (allTold) assert.equal(fresh, call.own.length, "what the call, or the twins together, did");
    else assert.ok(fresh === 0 || fresh === call.own.length, "what the answered twin did");
    book.done(call);
    this.#remember(call);
  }

  #remember(call: Call): void {
    if (call.kind === "void") return;
    for (const event of call.own) {
      if (this.#live.length < REMEMBERED_MAX) this.#live.push(event);
      else this.#live[between(this.#options.random, 0, REMEMBERED_MAX - 1)] = event;
    }
  }

  #next(): Call {
    const { random, account } = this.#options;
    if (this.#live.length > 0 && random() < 0.2) {
      const again = this.#some(this.#voided, 0.3, 5).map(({ id }) => id);
      const count = Math.min(this.#live.length, between(random, 1, 40));
      const events = Array.from({ length: count }, () => this.#take());
      // A call without an answer is sent again after the crash, so these are voided by the end of the round either way.
      this.#voided.push(...events);
      return { kind: "void", account, own: events.map(({ id }) => id), again };
    }
    const own = Array.from({ length: this.#size() }, () => this.#event());
    const again = [...this.#some(this.#live, 0.2, 20), ...this.#some(this.#voided, 0.1, 5), ...this.#some(own, 0.1, 2)];
    const other = this.#some(this.#live, 0.1, 3).map((event) =>
      event.tokens > 0 ? { ...event, tokens: event.tokens + 1 } : { ...event, prompt: event.prompt + 1 },
    );
    return { kind: "write", account, own, again, other };
  }

  #size(): number {
    const { random } = this.#options;
    const chance = random();
    if (chance < 0.2) return 1;
    if (chance < 0.6 || this.#large >= LARGE_CALLS_MAX) return between(random, 1, 10);
    this.#large += 1;
    if (chance < 0.85) return between(random, 10, 100);
    return chance < 0.96 ? between(random, 100, 500) : between(random, 500, 2_000);
  }

  #event(): SentEvent {
    const { random, name } = this.#options;
    this.#made += 1;
    // Half of the ids come in order, half touch any page of the index.
    const id = random() < 0.5 ? `${name}-${this.#made}` : `${Math.floor(random() * 2 ** 32)}-${name}-${this.#made}`;
    const training = random() < 0.1;
    const prompt = training ? 0 : between(random, 0, 5_000);
    return {
      id,
      time: FIRST_DAY + Math.floor(random() * (LAST_DAY - FIRST_DAY)),
      model: `accounts/fireworks/models/model-${between(random, 1, 3)}`,
      team: random() < 0.5 ? "search" : "",
      prompt,
      cached: between(random, 0, prompt),
      completion: training ? 0 : between(random, 0, 900),
      tokens: training ? between(random, 1, 9_000) : 0,
    };
  }

  #take(): SentEvent {
    const at = between(this.#options.random, 0, this.#live.length - 1);
    const event = this.#live[at]!;
    this.#live[at] = this.#live.at(-1)!;
    this.#live.pop();
    return event;
  }

  #some<T>(list: readonly T[], chance: number, max: number): T[] {
    const { random } = this.#options;
    if (list.length === 0 || random() >= chance) return [];
    return Array.from({ length: between(random, 1, max) }, () => list[between(random, 0, list.length - 1)]!);
  }
}

interface SendOptions {
  readonly key: string;
  readonly random: Random;
  readonly agent?: Agent;
}

interface Sent {
  readonly fresh: number | undefined;
}

/**
 * Sends the call once. Undefined when no answer came; otherwise how many of its own events were created, or voided, by
 * this very request (undefined when the crash cut the answer's body off). Any answer but 200, or one that does not add up, fails the test.
 */
export async function send(url: string, call: Call, options: SendOptions): Promise<Sent | undefined> {
  const answer = await (call.kind === "write" ? sendWrite(url, call, options) : sendVoid(url, call, options));
  if (answer.kind !== "answered") return undefined;
  assert.equal(answer.status, 200, answer.body);
  if (!answer.body.endsWith("}")) return { fresh: undefined };
  if (call.kind === "write") {
    const reply = JSON.parse(answer.body) as WriteReply;
    assert.deepEqual(reply.rejected, []);
    assert.equal(reply.conflicts.length, call.other.length);
    assert.equal(reply.created + reply.duplicates, call.own.length + call.again.length);
    return { fresh: reply.created };
  }
  const reply = JSON.parse(answer.body) as VoidReply;
  assert.deepEqual(reply.notFound, []);
  assert.equal(reply.voided + reply.alreadyVoided, call.own.length + call.again.length);
  return { fresh: reply.voided };
}

function sendWrite(url: string, call: Call & { kind: "write" }, options: SendOptions): Promise<Answer> {
  const { key, random, agent } = options;
  const events = [...call.own, ...call.again, ...call.other].map(wireEvent);
  const lines = random() < 0.3;
  const text = lines ? events.map((event) => JSON.stringify(event)).join("\n") : JSON.stringify({ events });
  const packed = random() < 0.3;
  return ask(url, {
    path: `/v1/accounts/${call.account}/usageEvents:batchCreate`,
    key,
    body: packed ? gzipSync(text) : text,
    headers: {
      ...(lines && { "content-type": "application/x-ndjson" }),
      ...(packed && { "content-encoding": "gzip" }),
    },
    ...(agent && { agent }),
  });
}

function sendVoid(url: string, call: Call & { kind: "void" }, { key, agent }: SendOptions): Promise<Answer> {
  return ask(url, {
    path: `/v1/accounts/${call.account}/usageEvents:void`,
    key,
    body: JSON.stringify({ ids: [...call.own, ...call.again] }),
    ...(agent && { agent }),
  });
}

function wireEvent(event: SentEvent) {
  const { id, team } = event;
  const common = { id, time: new Date(event.time).toISOString(), ...(team !== "" && { annotations: { team } }) };
  if (event.tokens > 0) return { ...common, usageType: "TRAINING_TOKEN_USAGE", jobId: "job-1", tokens: event.tokens };
  return {
    ...common,
    usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
    model: event.model,
    promptTokens: event.prompt,
    cachedPromptTokens: event.cached,
    completionTokens: event.completion,
  };
}
