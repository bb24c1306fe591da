/** What an account's usage cost, month by month: the sum of billingUsage over each month, all three streams. */

import type { Instant, TimeRange } from "../domain/time.ts";
import { USAGE_TYPE_NAMES } from "../domain/usage.ts";
import type { SumRow } from "../ledger/ledger.ts";
import { RATE_FIELDS } from "../rating/price.ts";
import { priceEdges, type Tariff } from "../rating/rate.ts";
import { type Cost, costOf, type ReportSources, readSums } from "./priced-sums.ts";
import { segmentsOf } from "./segments.ts";

/** The zone whose months are billed. */
export const BILLING_ZONE = "UTC";

/** A whole month, and the prices that it is billed by. */
export interface BilledMonth<T extends Tariff = Tariff> {
  readonly month: TimeRange;
  readonly tariff: T;
}

export interface MonthCost<T extends Tariff = Tariff> extends BilledMonth<T>, Cost {}

/** The costs of months, and the state of the ledger that they are from. */
export interface MonthCosts<T extends Tariff> {
  readonly costs: readonly MonthCost<T>[];
  readonly position: number;
}

/** Months in one question: the days of one question are in the ledger's memory together, a long life is not. */
const MONTHS_PER_QUESTION_MAX = 12;

/**
 * The cost of each month, each by its own prices, from one state of the ledger; months without usage are left out.
 * Everything that was accepted for a month counts, and deployments that run count up to `now`.
 * @param months ascending, each begins where the one before ends.
 */
export async function monthCosts<T extends Tariff>(
  sources: Pick<ReportSources, "ledger" | "accounts">,
  account: string,
  months: readonly BilledMonth<T>[],
  now: Instant,
): Promise<MonthCosts<T>> {
  const pieces = piecesOf(months).map((piece) => ({ months: piece, ...segmentsOfMonths(piece) }));
  const questions = pieces.map(({ edges }) => ({
    usageTypes: USAGE_TYPE_NAMES,
    edges,
    fields: RATE_FIELDS,
    filters: [],
  }));
  const { rows, position } = await readSums(sources, account, questions, now);
  const costs = pieces.flatMap(({ months: own, bucketOf, edges }, at) => {
    const sumsOf = own.map((): SumRow[] => []);
    for (const sum of rows[at]!) sumsOf[bucketOf[sum.segment]!]!.push(sum);
    return own.flatMap((billed, month) => {
      const sums = sumsOf[month]!;
      return sums.length === 0
        ? []
        : [{ ...billed, ...costOf(sums, { fields: RATE_FIELDS, edges, tariff: billed.tariff }) }];
    });
  });
  return { costs, position };
}

/** The months cut where their own prices change; each month is a bucket. */
function segmentsOfMonths(months: readonly BilledMonth[]) {
  const range = { start: months[0]!.month.start, end: months.at(-1)!.month.end };
  const cuts = [range.start, ...months.map(({ month }) => month.end)];
  return segmentsOf(
    range,
    cuts,
    months.flatMap(({ month, tariff }) => priceEdges(tariff, month)),
  );
}

/** The months in runs of at most {@link MONTHS_PER_QUESTION_MAX}. */
function piecesOf<T extends Tariff>(months: readonly BilledMonth<T>[]): (readonly BilledMonth<T>[])[] {
  const pieces: (readonly BilledMonth<T>[])[] = [];
  for (let at = 0; at < months.length; at += MONTHS_PER_QUESTION_MAX) {
    pieces.push(months.slice(at, at + MONTHS_PER_QUESTION_MAX));
  }
  return pieces;
}
