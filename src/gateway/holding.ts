/** Holds a call to its account's limits before it is sent: requests a minute, then budgets. */

import type { Caller } from "../accounts/records.ts";
import type { Reservation, Standing } from "../budgets/budgets.ts";
import type { RateAnswer } from "../budgets/request-rates.ts";
import { Fault, problem } from "../domain/fault.ts";
import { usdTextOfAtto } from "../domain/money.ts";
import { formatInZone } from "../domain/time.ts";
import type { Service } from "../service.ts";
import type { BudgetConfig } from "./config.ts";
import type { RawHeaders } from "./headers.ts";
import type { Route } from "./routes-table.ts";
import { type Asker, eventOf } from "./usage-event.ts";
import { type RequestSize, worstCase } from "./worst-case.ts";

export type LimitedService = Pick<Service, "accounts" | "budgets" | "quote">;

/** The account's limits do not let the call on; its headers tell when they will. */
export class RateLimited extends Fault {
  readonly headers: RawHeaders;

  constructor(apiKeyId: string, limit: bigint, answer: RateAnswer) {
    const seconds = Math.ceil(answer.resetMs / 1000);
    super(
      problem("rate_limited", "serverless-inference-rpm", { value: apiKeyId, limit: `${limit}`, seconds }),
      seconds,
    );
    this.headers = rateHeaders(limit, answer);
  }
}

export const RATE_HEADERS = [
  "x-ratelimit-limit-requests",
  "x-ratelimit-remaining-requests",
  "x-ratelimit-reset-requests",
] as const;

function rateHeaders(limit: bigint, { remaining, resetMs }: RateAnswer): string[] {
  const [limitName, remainingName, resetName] = RATE_HEADERS;
  return [limitName, `${limit}`, remainingName, `${remaining}`, resetName, `${(resetMs / 1000).toFixed(3)}s`];
}

/** Counts a request of the key; gives the headers of its answer. @throws RateLimited */
export async function countRequest({ accounts, budgets }: LimitedService, caller: Caller): Promise<RawHeaders> {
  const { requestsPerMinute: limit } = await accounts.limits(caller.account);
  const answer = await budgets.rates.take(caller.account, caller.keyId, limit);
  if (limit === undefined) return [];
  if (!answer.isAllowed) throw new RateLimited(caller.keyId, limit, answer);
  return rateHeaders(limit, answer);
}

export interface HeldCall {
  readonly account: string;
  readonly route: Route;
  readonly asker: Asker;
  readonly size: RequestSize;
  readonly config: BudgetConfig;
}

/** An id for what is priced only and never written. */
const QUOTED = "quoted";
const RETRY_AFTER_SECONDS = 1;

/**
 * Reserves what the call may cost at most; undefined where no budget holds it.
 * @throws Fault `budget_spent`, `budget_reserved` or `budget_unpriced`; `unavailable` when nobody knows what is left.
 */
export async function holdCall(service: LimitedService, call: HeldCall): Promise<Reservation | undefined> {
  const { account, route, asker, size, config } = call;
  const { budgets } = service;
  if (!(await budgets.holds(account))) return undefined;
  const quantities = worstCase(route, asker.model, size, config);
  const event = eventOf(QUOTED, asker, { route, told: undefined, quantities });
  const { atto, unpriced, annotations } = await service.quote(account, event);
  const { apiKeyId, time } = asker;
  const decision = await budgets.reserve({ account, apiKeyId, annotations, time, worstAtto: atto });
  switch (decision.kind) {
    case "free":
      return undefined;
    case "held":
      if (unpriced !== "all" || config.unpriced === "allow") return decision.reservation;
      budgets.release(decision.reservation);
      throw new Fault(problem("budget_unpriced", "model", { value: asker.model, budget: decision.name }));
    case "spent":
      throw spentFault(decision.standing, atto);
    case "reserved":
      throw reservedFault(decision.standing, atto);
    default:
      return decision satisfies never;
  }
}

function spentFault({ name, spent, limit, monthEnd, timezone }: Standing, worst: bigint): Fault {
  const facts = { spent: usdTextOfAtto(spent), limit: usdTextOfAtto(limit), cost: usdTextOfAtto(worst) };
  return new Fault(
    problem("budget_spent", "budget", { value: name, ...facts, until: formatInZone(monthEnd, timezone) }),
  );
}

function reservedFault({ name, spent, open, limit }: Standing, worst: bigint): Fault {
  const facts = { left: usdTextOfAtto(limit - spent - open), cost: usdTextOfAtto(worst), seconds: RETRY_AFTER_SECONDS };
  return new Fault(problem("budget_reserved", "budget", { value: name, ...facts }), RETRY_AFTER_SECONDS);
}
