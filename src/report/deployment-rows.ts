/** The accelerator time of the account's own deployments, as rows like the ledger's. Pure. */

import { deploymentUsage } from "../accounts/deployment-usage.ts";
import type { Deployment } from "../accounts/records.ts";
import type { Instant } from "../domain/time.ts";
import { METERS, type SeriesField } from "../domain/usage.ts";
import type { SumQuestion, SumRow } from "../ledger/ledger.ts";

/** Rows for a question about deployments; those that still run count up to `now`. */
export function deploymentRows(deployments: readonly Deployment[], question: SumQuestion, now: Instant): SumRow[] {
  const { edges, fields, filters } = question;
  const rows: SumRow[] = [];
  for (const deployment of deployments) {
    const known = new Map<string, readonly string[]>();
    for (const usage of deploymentUsage(deployment, [...edges], now)) {
      if (usage.acceleratorMs === 0n) continue;
      const labels: Partial<Record<SeriesField, string>> = {
        usageType: "DEDICATED_DEPLOYMENT_USAGE",
        deployment: deployment.id,
        acceleratorType: usage.acceleratorType,
        placement: usage.placement,
        baseModel: usage.baseModel,
        ...usage.annotations,
      };
      if (!filters.every(({ field, values }) => values.includes(labels[field] ?? ""))) continue;
      const own = fields.map((field) => labels[field] ?? "");
      const values = known.get(own.join("\u0000")) ?? own;
      known.set(own.join("\u0000"), values);
      const quantities = METERS.map((meter) => (meter === "acceleratorMs" ? usage.acceleratorMs : 0n));
      rows.push({ segment: usage.segment, values, events: 0n, quantities });
    }
  }
  return rows;
}
