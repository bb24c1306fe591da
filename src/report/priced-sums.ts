/** What every report does: sums are read, deployments that run are counted beside them, and each sum meets its prices. */

import type { Accounts } from "../accounts/store.ts";
import type { Instant } from "../domain/time.ts";
import type { SeriesField } from "../domain/usage.ts";
import type { Ledger, SumQuestion, SumRow } from "../ledger/ledger.ts";
import { type Component, type PriceBook, RATE_FIELDS, type RateAttributes, type UnitPrices } from "../rating/price.ts";
import { type Rated, unitPrices } from "../rating/rate.ts";
import { deploymentRows } from "./deployment-rows.ts";

/** What a report is made from. */
export interface ReportSources {
  readonly ledger: Ledger;
  readonly accounts: Pick<Accounts, "keyNames" | "keyIdsOf" | "deploymentsForUsage">;
  readonly book: PriceBook;
}

/** The sums of each question, from one state of the ledger. Deployments that run are counted up to `now`. */
export async function readSums(
  sources: ReportSources,
  account: string,
  questions: readonly SumQuestion[],
  now: Instant,
): Promise<SumRow[][]> {
  const [sums, deployments] = await Promise.all([
    sources.ledger.sum(account, questions),
    sources.accounts.deploymentsForUsage(account),
  ]);
  return questions.map((question, at) => {
    const counted = question.usageTypes.includes("DEDICATED_DEPLOYMENT_USAGE");
    return counted ? [...sums[at]!, ...deploymentRows(deployments, question, now)] : sums[at]!;
  });
}

/** How sums were asked for, and the book they are priced from. `fields` hold all of RATE_FIELDS. */
export interface Pricing extends Pick<SumQuestion, "fields" | "edges"> {
  readonly book: PriceBook;
}

/** The value of a field in one set of values; "" where it was not asked for. */
export function valueReader(fields: readonly SeriesField[], values: readonly string[]): (field: SeriesField) => string {
  return (field) => values[fields.indexOf(field)] ?? "";
}

/**
 * Gives `take` each sum with the unit prices of its segment and the facts of its set of values. The facts are made once
 * for each set; sums of a set without facts are left out.
 */
export function forEachPriced<F>(
  sums: readonly SumRow[],
  { fields, edges, book }: Pricing,
  factsOf: (values: readonly string[]) => F | undefined,
  take: (facts: F, sum: SumRow, prices: UnitPrices) => void,
): void {
  const known = new Map<readonly string[], { readonly facts: F; readonly attributes: RateAttributes } | undefined>();
  for (const sum of sums) {
    let own = known.get(sum.values);
    if (own === undefined) {
      if (known.has(sum.values)) continue;
      const facts = factsOf(sum.values);
      own = facts === undefined ? undefined : { facts, attributes: attributesOf(fields, sum.values) };
      known.set(sum.values, own);
      if (own === undefined) continue;
    }
    take(own.facts, sum, unitPrices(book, own.attributes, edges[sum.segment]!));
  }
}

function attributesOf(fields: readonly SeriesField[], values: readonly string[]): RateAttributes {
  const valueIn = valueReader(fields, values);
  return Object.fromEntries(RATE_FIELDS.map((field) => [field, valueIn(field)])) as RateAttributes;
}

/** Adds what a sum has no price for. */
export function addUnpriced(total: Map<Component, bigint>, unpriced: Rated["unpriced"]): void {
  for (const { component, quantity } of unpriced) total.set(component, (total.get(component) ?? 0n) + quantity);
}
