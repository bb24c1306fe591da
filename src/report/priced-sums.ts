/** What every report does: sums are read, deployments that run are counted beside them, and each sum meets its prices. */

import type { Accounts } from "../accounts/store.ts";
import type { Instant } from "../domain/time.ts";
import type { SeriesField } from "../domain/usage.ts";
import type { Ledger, SumQuestion, SumRow, SumRows, Sums } from "../ledger/ledger.ts";
import { type Component, RATE_FIELDS, type RateAttributes } from "../rating/price.ts";
import { type Quantities, type Rated, rate, segmentRates, type Tariff, type UnitRates } from "../rating/rate.ts";
import { deploymentRows } from "./deployment-rows.ts";

/** What a report is made from. */
export interface ReportSources {
  readonly ledger: Ledger;
  readonly accounts: Pick<Accounts, "keyNames" | "keyIdsOf" | "deploymentsForUsage">;
  readonly tariff: Tariff;
}

/** The sums of each question, and the state of the ledger that they are from. Deployments that run are counted up to `now`. */
export async function readSums(
  sources: Pick<ReportSources, "ledger" | "accounts">,
  account: string,
  questions: readonly SumQuestion[],
  now: Instant,
): Promise<Sums> {
  const [sums, deployments] = await Promise.all([
    sources.ledger.sum(account, questions),
    sources.accounts.deploymentsForUsage(account),
  ]);
  const rows = questions.map((question, at) => {
    const counted = question.usageTypes.includes("DEDICATED_DEPLOYMENT_USAGE");
    const own = sums.rows[at]!;
    return counted && deployments.length > 0 ? [...own, ...deploymentRows(deployments, question, now)] : own;
  });
  return { ...sums, rows };
}

/** How sums were asked for, and the tariff they are priced by. `fields` hold all of RATE_FIELDS. */
export interface Pricing extends Pick<SumQuestion, "fields" | "edges"> {
  readonly tariff: Tariff;
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
  sums: SumRows,
  { fields, edges, tariff }: Pricing,
  factsOf: (values: readonly string[]) => F | undefined,
  take: (facts: F, sum: SumRow, rates: UnitRates) => void,
): void {
  const ratesOf = segmentRates(tariff, edges);
  const known = new Map<
    readonly string[],
    { readonly facts: F; readonly rates: ReturnType<typeof ratesOf> } | undefined
  >();
  for (let at = 0; at < sums.length; at += 1) {
    const sum = sums.at(at)!;
    let own = known.get(sum.values);
    if (own === undefined) {
      if (known.has(sum.values)) continue;
      const facts = factsOf(sum.values);
      own = facts === undefined ? undefined : { facts, rates: ratesOf(attributesOf(fields, sum.values)) };
      known.set(sum.values, own);
      if (own === undefined) continue;
    }
    take(own.facts, sum, own.rates(sum.segment));
  }
}

/** What a price may depend on, of one set of values. */
export function attributesOf(fields: readonly SeriesField[], values: readonly string[]): RateAttributes {
  const valueIn = valueReader(fields, values);
  return Object.fromEntries(RATE_FIELDS.map((field) => [field, valueIn(field)])) as RateAttributes;
}

/** What usage costs, exactly. */
export interface Cost {
  /** What is owed for what has a price, in attodollars. */
  readonly atto: bigint;
  /** The same by the list, before what a contract takes off. */
  readonly listAtto: bigint;
  /** What no price covers, by component; never priced at zero in silence. */
  readonly unpriced: ReadonlyMap<Component, bigint>;
}

/** A cost that is added up. */
export interface OpenCost {
  atto: bigint;
  listAtto: bigint;
  readonly unpriced: Map<Component, bigint>;
}

export function openCost(): OpenCost {
  return { atto: 0n, listAtto: 0n, unpriced: new Map() };
}

/** Quantities in the order of METERS, from `first` on; numbers are safe integers. */
export interface Amounts {
  readonly cells: Quantities;
  readonly first: number;
}

/** The quantities of a sum in the form that costs least. */
export function amountsOf(sum: SumRow): Amounts {
  return sum.plain ?? { cells: sum.quantities, first: 0 };
}

/** Rates a sum by what is owed and by the list; once, where they are the same. */
export function rateBoth(sum: SumRow, { list, net }: UnitRates): Rated & Pick<Cost, "listAtto"> {
  const { cells, first } = amountsOf(sum);
  const { atto, unpriced } = rate(cells, net, first);
  return { atto, listAtto: list === net ? atto : rate(cells, list, first).atto, unpriced };
}

/** Adds a sum that was rated by {@link rateBoth}. */
export function addCost(cost: OpenCost, { atto, listAtto, unpriced }: ReturnType<typeof rateBoth>): void {
  cost.atto += atto;
  cost.listAtto += listAtto;
  addUnpriced(cost.unpriced, unpriced);
}

/** What all the sums cost together. */
export function costOf(sums: SumRows, pricing: Pricing): Cost {
  const cost = openCost();
  forEachPriced(
    sums,
    pricing,
    () => cost,
    (_, sum, rates) => addCost(cost, rateBoth(sum, rates)),
  );
  return cost;
}

/** Adds what a sum has no price for. */
export function addUnpriced(total: Map<Component, bigint>, unpriced: Rated["unpriced"]): void {
  for (const { component, quantity } of unpriced) total.set(component, (total.get(component) ?? 0n) + quantity);
}
