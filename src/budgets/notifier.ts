/** Tells accounts, once a month and threshold, that their spend has reached it. */

import { randomUUID } from "node:crypto";
import type { Notices, Subscriber } from "../accounts/notices.ts";
import type { BudgetScope, Notice } from "../accounts/records.ts";
import { ATTO_PER_USD, usdTextOfAtto } from "../domain/money.ts";
import { formatInstant, formatInZone, type Instant, monthAround, type TimeRange } from "../domain/time.ts";
import { callWebhook } from "./webhook.ts";

export interface NotifierParts {
  readonly notices: Notices;
  now(): Instant;
  /** What each scope has cost in the month by the ledger, in attodollars. */
  spent(account: string, month: TimeRange, scopes: readonly BudgetScope[]): Promise<readonly bigint[]>;
}

export interface NotifierOptions {
  /** Whether webhooks may lead to this machine and to private networks. */
  readonly allowsPrivate: boolean;
  /** Milliseconds between two looks at the spends; default {@link LOOK_MS}. */
  readonly lookMs?: number;
  /** Milliseconds before the first repeated try, then twice as long each time; default {@link RETRY_MS_MIN}. */
  readonly retryMs?: number;
  /** Told of each try: its status, or why there was none. */
  readonly told?: (try_: NoticeTry) => void;
  /** Told when a look failed, as the ledger or the disk may be away; it is repeated. */
  readonly failed?: (error: Error) => void;
}

export interface NoticeTry {
  readonly account: string;
  readonly thresholdUsd: bigint;
  readonly status: number | undefined;
  readonly reason: string | undefined;
  /** Undefined when there is to be no other. */
  readonly nextTryTime: Instant | undefined;
}

const LOOK_MS = 10_000;
const RETRY_MS_MIN = 5_000;
const RETRY_MS_MAX = 3_600_000;
/** With the times above, about two days. */
const TRIES_MAX = 56;
const NOTICES_AT_ONCE = 20;

export class Notifier {
  readonly #parts: NotifierParts;
  readonly #options: NotifierOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isClosing = false;

  /** Looks at once, and then again and again. */
  constructor(parts: NotifierParts, options: NotifierOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#next(0);
  }

  /** Waits for a call under way. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #next(ms: number): void {
    if (this.#isClosing) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look()
        .catch((error: Error) => this.#options.failed?.(error))
        .finally(() => this.#next(this.#options.lookMs ?? LOOK_MS));
    }, ms);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const subscribers = await this.#parts.notices.subscribers();
    for (const subscriber of subscribers) {
      if (this.#isClosing) return;
      await this.#notice(subscriber);
    }
    const due = await this.#parts.notices.take(NOTICES_AT_ONCE);
    const byAccount = new Map(subscribers.map((one) => [one.account, one]));
    await Promise.all(due.map((notice) => this.#send(notice, byAccount.get(notice.account))));
  }

  /** Writes down a notice for each threshold that is newly reached. */
  async #notice({ account, thresholds, timezone }: Subscriber): Promise<void> {
    const { notices, now, spent } = this.#parts;
    const time = now();
    const month = monthAround(time, timezone);
    const noticed = await notices.noticed(account, month.start);
    if (thresholds.every((one) => noticed.has(one))) return;
    const [atto = 0n] = await spent(account, month, [{ kind: "account" }]);
    for (const thresholdUsd of thresholds) {
      if (noticed.has(thresholdUsd) || atto < thresholdUsd * ATTO_PER_USD) continue;
      const id = randomUUID();
      const body = JSON.stringify({
        id,
        type: "monthly_spend_threshold_reached",
        time: formatInstant(time),
        account: `accounts/${account}`,
        monthStartTime: formatInZone(month.start, timezone),
        monthEndTime: formatInZone(month.end, timezone),
        thresholdUsd: `${thresholdUsd}`,
        spentUsd: usdTextOfAtto(atto),
      });
      const notice: Notice = {
        id,
        account,
        monthStart: month.start,
        thresholdUsd,
        body,
        tries: 0,
        nextTryTime: time,
      };
      await notices.add(notice);
    }
  }

  async #send(notice: Notice, subscriber: Subscriber | undefined): Promise<void> {
    const { notices, now } = this.#parts;
    const { account, thresholdUsd, id, body, tries } = notice;
    // The webhook was taken away since.
    if (!subscriber) return notices.tried(notice, null);
    const { url, secret } = subscriber;
    const { allowsPrivate, retryMs = RETRY_MS_MIN, told } = this.#options;
    const time = Math.floor(now() / 1000);
    let reason: string | undefined;
    const status = await callWebhook({ url, secret, id, body, time, allowsPrivate }).catch((error: Error) => {
      reason = error.message;
      return undefined;
    });
    const isTold = status !== undefined && status >= 200 && status < 300;
    const again = now() + Math.min(retryMs * 2 ** tries, RETRY_MS_MAX);
    const nextTryTime = isTold || tries + 1 >= TRIES_MAX ? undefined : again;
    await notices.tried(notice, nextTryTime ?? null);
    told?.({ account, thresholdUsd, status, reason, nextTryTime });
  }
}
