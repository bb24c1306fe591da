/** How much of a quota is used. */

import type { Quota } from "../accounts/records.ts";
import type { Instant } from "../domain/time.ts";
import { monthCosts, monthOf } from "./month-costs.ts";
import type { ReportSources } from "./priced-sums.ts";

export type QuotaUsage =
  | { readonly kind: "usd"; readonly atto: bigint }
  | { readonly kind: "requestsPerMinute"; readonly count: number };

export interface UsedQuota {
  readonly quota: Quota;
  readonly usage: QuotaUsage;
}

/** The quota with what is used of it at this instant. */
export async function usedQuota(sources: ReportSources, quota: Quota, now: Instant): Promise<UsedQuota> {
  switch (quota.id) {
    case "monthly-spend-usd": {
      const month = { month: monthOf(now), tariff: sources.tariff };
      const { costs } = await monthCosts(sources, quota.account, [month], now);
      return { quota, usage: { kind: "usd", atto: costs[0]?.atto ?? 0n } };
    }
    case "serverless-inference-rpm":
      // Nothing counts requests as they come; the ledger only knows usage that is over.
      return { quota, usage: { kind: "requestsPerMinute", count: 0 } };
    default:
      return quota.id satisfies never;
  }
}
