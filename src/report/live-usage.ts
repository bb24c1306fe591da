/** Usage as it is written, for whoever listens: a bounded queue each, and what did not fit into it is counted and told. */

import { FIELD_AT, METERS, type UsageBatch, type UsageEvent } from "../domain/usage.ts";
import type { Tariff } from "../rating/rate.ts";
import { type Quote, quoteOf } from "./spend.ts";

export type LiveItem =
  | { readonly kind: "event"; readonly event: Omit<UsageEvent, "sent">; readonly quote: Quote }
  /** So many events came faster than they were taken. */
  | { readonly kind: "dropped"; readonly count: number };

/** Only events with these values; "" for any. */
export interface LiveFilter {
  readonly apiKeyId: string;
  readonly model: string;
}

const ITEMS_MAX = 1_000;

/** One who listens. */
export class LiveListener {
  readonly #filter: LiveFilter;
  #items: LiveItem[] = [];
  #dropped = 0;
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(filter: LiveFilter) {
    this.#filter = filter;
  }

  /** Takes in the batch's events but those at `without`. */
  add(batch: UsageBatch, without: ReadonlySet<number>, tariff: Tariff): void {
    for (const [at, id] of batch.ids.entries()) {
      if (without.has(at) || !this.#wants(batch, at)) continue;
      if (this.#items.length >= ITEMS_MAX) {
        this.#dropped += 1;
        continue;
      }
      const first = at * METERS.length;
      const quantities = [...batch.quantities.subarray(first, first + METERS.length)];
      const event = { id, time: batch.times[at]!, series: batch.labels[batch.series[at]!]!, quantities };
      this.#items.push({ kind: "event", event, quote: quoteOf(tariff, batch, at) });
    }
    this.#wake();
  }

  /** What came since, at once or within `ms`; empty where nothing came; undefined once it is closed. */
  async take(ms: number): Promise<readonly LiveItem[] | undefined> {
    if (this.#items.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = () => {};
    }
    if (this.#isClosed) return undefined;
    const items = this.#items;
    const dropped = this.#dropped;
    this.#items = [];
    this.#dropped = 0;
    return dropped > 0 ? [...items, { kind: "dropped", count: dropped }] : items;
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  #wants({ labels, series }: UsageBatch, at: number): boolean {
    const { apiKeyId, model } = this.#filter;
    const own = labels[series[at]!]!;
    return (apiKeyId === "" || own[FIELD_AT.apiKeyId] === apiKeyId) && (model === "" || own[FIELD_AT.model] === model);
  }
}

export class LiveUsage {
  readonly #listeners = new Map<string, Set<LiveListener>>();

  /** Whether anybody listens to the account. */
  has(account: string): boolean {
    return this.#listeners.has(account);
  }

  publish(account: string, batch: UsageBatch, without: ReadonlySet<number>, tariff: Tariff): void {
    for (const listener of this.#listeners.get(account) ?? []) listener.add(batch, without, tariff);
  }

  /** Listens to the account from now on, until {@link leave}. */
  listen(account: string, filter: LiveFilter): LiveListener {
    const listener = new LiveListener(filter);
    const known = this.#listeners.get(account);
    if (known) known.add(listener);
    else this.#listeners.set(account, new Set([listener]));
    return listener;
  }

  leave(account: string, listener: LiveListener): void {
    listener.close();
    const known = this.#listeners.get(account);
    known?.delete(listener);
    if (known?.size === 0) this.#listeners.delete(account);
  }
}
