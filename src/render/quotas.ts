/** Quotas on the wire (contract, section 5). */

import { nanosOfAtto } from "../domain/money.ts";
import { formatInstant } from "../domain/time.ts";
import type { QuotaUsage, UsedQuota } from "../report/quota-usage.ts";

export function quotaJson({ quota, usage }: UsedQuota): object {
  return {
    name: `accounts/${quota.account}/quotas/${quota.id}`,
    value: quota.value.toString(),
    maxValue: quota.maxValue.toString(),
    usage: usageNumber(usage),
    updateTime: formatInstant(quota.updateTime),
  };
}

/** The wire's field is a double: dollars to the nano, as near as a double comes; nothing is reckoned with it. */
function usageNumber(usage: QuotaUsage): number {
  return usage.kind === "usd" ? Number(`${nanosOfAtto(usage.atto)}e-9`) : usage.count;
}
