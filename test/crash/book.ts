/** What the crash test knows: every event it sent, what was answered, and so what must be there. */

import assert from "node:assert/strict";
import type { FiledEvent } from "./file-check.ts";

export interface SentEvent {
  readonly id: string;
  readonly time: number;
  readonly model: string;
  readonly team: string;
  readonly prompt: number;
  readonly cached: number;
  readonly completion: number;
  /** More than 0 for an event of training. */
  readonly tokens: number;
}

/** A call as it was sent. Its own ids are in no other call that is not known to have been answered. */
export type Call =
  | {
      readonly kind: "write";
      readonly account: string;
      readonly own: readonly SentEvent[];
      /** Known from earlier calls: sent again as they were. */
      readonly again: readonly SentEvent[];
      /** Known ids with other content. */
      readonly other: readonly SentEvent[];
    }
  | {
      readonly kind: "void";
      readonly account: string;
      readonly own: readonly string[];
      /** Voided before. */
      readonly again: readonly string[];
    };

export interface Totals {
  prompt: number;
  cached: number;
  completion: number;
  tokens: number;
}

export function noTotals(): Totals {
  return { prompt: 0, cached: 0, completion: 0, tokens: 0 };
}

interface Known {
  readonly event: SentEvent;
  voided: boolean;
}

export class Book {
  readonly #accounts = new Map<string, Map<string, Known>>();
  #unanswered: Call[] = [];
  written = 0;
  voided = 0;

  #events(account: string): Map<string, Known> {
    const known = this.#accounts.get(account) ?? new Map<string, Known>();
    this.#accounts.set(account, known);
    return known;
  }

  /** The call is known to have been done. */
  done(call: Call): void {
    const events = this.#events(call.account);
    if (call.kind === "write") {
      for (const event of call.own) {
        assert.ok(!events.has(event.id), "the test makes each id once");
        events.set(event.id, { event, voided: false });
      }
      this.written += call.own.length;
    } else {
      for (const id of call.own) events.get(id)!.voided = true;
      this.voided += call.own.length;
    }
  }

  /** The call ended without an answer. */
  unanswered(call: Call): void {
    this.#unanswered.push(call);
  }

  /** The calls without an answer, which are forgotten by this. */
  takeUnanswered(): Call[] {
    const calls = this.#unanswered;
    this.#unanswered = [];
    return calls;
  }

  /** What every event that is not voided adds up to. */
  totals(account: string): Totals {
    const totals = noTotals();
    for (const { event, voided } of this.#events(account).values()) if (!voided) add(totals, event);
    return totals;
  }

  /**
   * Holds the file's events against the book: what was answered is there, once and as it was sent; a call without an
   * answer is there wholly or not at all; nothing else is there. Returns the calls without an answer that are there.
   */
  judge(filed: readonly FiledEvent[], calls: readonly Call[]): Set<Call> {
    const found = new Map<string, FiledEvent>();
    for (const event of filed) {
      const key = `${event.account}/${event.id}`;
      assert.ok(!found.has(key), `${key} is there twice`);
      found.set(key, event);
    }
    const there = new Set<Call>();
    const voidedByCall = new Set<string>();
    let left = found.size;
    for (const call of calls) {
      const present = call.kind === "write" ? this.#present(call, found) : this.#voidedOf(call, found);
      assert.ok(
        present === 0 || present === call.own.length,
        `a ${call.kind} call without an answer was split: ${present} of ${call.own.length} are there`,
      );
      if (present === 0) continue;
      there.add(call);
      if (call.kind === "write") left -= present;
      else for (const id of call.own) voidedByCall.add(`${call.account}/${id}`);
    }
    for (const [account, events] of this.#accounts) {
      left -= events.size;
      for (const { event, voided } of events.values()) {
        const key = `${account}/${event.id}`;
        const filedEvent = found.get(key);
        assert.ok(filedEvent, `${key} was answered 200 and is gone`);
        checkSame(key, event, filedEvent);
        assert.equal(filedEvent.voided, voided || voidedByCall.has(key), `${key}: voided`);
      }
    }
    assert.equal(left, 0, "events that nobody sent");
    return there;
  }

  #present(call: Call & { kind: "write" }, found: ReadonlyMap<string, FiledEvent>): number {
    let present = 0;
    for (const event of call.own) {
      const filedEvent = found.get(`${call.account}/${event.id}`);
      if (!filedEvent) continue;
      checkSame(event.id, event, filedEvent);
      present += 1;
    }
    return present;
  }

  #voidedOf(call: Call & { kind: "void" }, found: ReadonlyMap<string, FiledEvent>): number {
    return call.own.filter((id) => found.get(`${call.account}/${id}`)?.voided).length;
  }
}

function add(totals: Totals, event: SentEvent): void {
  totals.prompt += event.prompt;
  totals.cached += event.cached;
  totals.completion += event.completion;
  totals.tokens += event.tokens;
}

function checkSame(key: string, sent: SentEvent, filed: FiledEvent): void {
  const same =
    sent.time === filed.time &&
    sent.prompt === filed.prompt &&
    sent.cached === filed.cached &&
    sent.completion === filed.completion &&
    sent.tokens === filed.tokens;
  if (!same) assert.fail(`${key} is not as it was sent: ${JSON.stringify({ sent, filed })}`);
}
