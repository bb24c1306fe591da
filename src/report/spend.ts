/** What an account has spent in a range, and what a piece of usage would cost it, by today's prices. */

import type { BudgetScope } from "../accounts/records.ts";
import { type Annotations, TAG_NAMES } from "../domain/annotations.ts";
import type { Instant, TimeRange } from "../domain/time.ts";
import { FIELD_AT, type Labels, METERS, SERIES_FIELDS, USAGE_TYPE_NAMES, type UsageBatch } from "../domain/usage.ts";
import type { SumQuestion } from "../ledger/ledger.ts";
import { RATE_FIELDS } from "../rating/price.ts";
import { priceEdges, quantitiesOf, rate, type Tariff, unitRates } from "../rating/rate.ts";
import { attributesOf, type Cost, costOf, type ReportSources, readSums } from "./priced-sums.ts";

export interface Spends {
  /** One for each scope. */
  readonly costs: readonly Cost[];
  /** The state of the ledger that all are from. */
  readonly position: number;
}

/** What each scope has cost in the range, over all streams; deployments that run count up to `now`. */
export async function spendOf(
  sources: ReportSources,
  { account, range, scopes }: { account: string; range: TimeRange; scopes: readonly BudgetScope[] },
  now: Instant,
): Promise<Spends> {
  const { tariff } = sources;
  const edges = [range.start, ...priceEdges(tariff, range), range.end];
  const questions = scopes.map((scope): SumQuestion => {
    return { usageTypes: USAGE_TYPE_NAMES, edges, fields: RATE_FIELDS, filters: filtersOf(scope) };
  });
  const { rows, position } = await readSums(sources, account, questions, now);
  return { costs: rows.map((sums) => costOf(sums, { fields: RATE_FIELDS, edges, tariff })), position };
}

function filtersOf(scope: BudgetScope): SumQuestion["filters"] {
  switch (scope.kind) {
    case "account":
      return [];
    case "apiKey":
      return [{ field: "apiKeyId", values: [scope.apiKeyId] }];
    case "tag":
      return [{ field: scope.tag, values: [scope.value] }];
    default:
      return scope satisfies never;
  }
}

/** What one event costs, under the labels that it counts under. */
export interface Quote {
  /** What is owed for what has a price, in attodollars. */
  readonly atto: bigint;
  /** How much of it has no price, and is then in no cost. */
  readonly unpriced: "none" | "some" | "all";
  /** Its tags, those of its key and deployment too. */
  readonly annotations: Annotations;
}

/** What event `at` of a batch costs. */
export function quoteOf(tariff: Tariff, batch: UsageBatch, at = 0): Quote {
  const labels = batch.labels[batch.series[at]!]!;
  const first = at * METERS.length;
  const quantities = METERS.map((_, meter) => BigInt(batch.quantities[first + meter]!));
  const { net } = unitRates(tariff, attributesOf(SERIES_FIELDS, labels), batch.times[at]!);
  const { atto, unpriced } = rate(quantities, net);
  const all = quantitiesOf(quantities).length;
  const missing = unpriced.length === 0 ? "none" : unpriced.length < all ? "some" : "all";
  return { atto, unpriced: missing, annotations: tagsIn(labels) };
}

function tagsIn(labels: Labels): Annotations {
  const tags: Record<string, string> = {};
  for (const name of TAG_NAMES) if (labels[FIELD_AT[name]] !== "") tags[name] = labels[FIELD_AT[name]]!;
  return tags;
}
