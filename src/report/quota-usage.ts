/** How much of a quota is used. */

import type { Quota } from "../accounts/records.ts";
import type { Instant } from "../domain/time.ts";
import { monthAround } from "../domain/time.ts";
import type { ReportSources } from "./priced-sums.ts";
import { spendOf } from "./spend.ts";

export type QuotaUsage =
  | { readonly kind: "usd"; readonly atto: bigint }
  | { readonly kind: "requestsPerMinute"; readonly count: number };

export interface UsedQuota {
  readonly quota: Quota;
  readonly usage: QuotaUsage;
}

/** What a quota is counted by beside the ledger. */
export interface QuotaFacts {
  /** Of the account. */
  readonly timezone: string;
  /** Inference calls of the last minute of the account's busiest key. */
  readonly requestsPerMinute: number;
}

/** The quota with what is used of it at this instant. */
export async function usedQuota(
  sources: ReportSources,
  quota: Quota,
  { timezone, requestsPerMinute }: QuotaFacts,
  now: Instant,
): Promise<UsedQuota> {
  switch (quota.id) {
    case "monthly-spend-usd": {
      const ask = { account: quota.account, range: monthAround(now, timezone), scopes: [{ kind: "account" }] as const };
      const { costs } = await spendOf(sources, ask, now);
      return { quota, usage: { kind: "usd", atto: costs[0]!.atto } };
    }
    case "serverless-inference-rpm":
      return { quota, usage: { kind: "requestsPerMinute", count: requestsPerMinute } };
    default:
      return quota.id satisfies never;
  }
}
