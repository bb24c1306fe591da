/** What an account's usage cost, month by month: the sum of billingUsage over each month, all three streams. */

import { type Instant, monthEdges, type TimeRange } from "../domain/time.ts";
import { USAGE_TYPE_NAMES } from "../domain/usage.ts";
import { type Component, RATE_FIELDS } from "../rating/price.ts";
import { priceEdges, rate } from "../rating/rate.ts";
import { addUnpriced, forEachPriced, type ReportSources, readSums } from "./priced-sums.ts";
import { segmentsOf } from "./segments.ts";

/** The zone whose months are billed. */
export const BILLING_ZONE = "UTC";

export interface MonthCost {
  readonly month: TimeRange;
  /** The cost of what has a price, in attodollars. */
  readonly atto: bigint;
  /** What no price covers, by component. */
  readonly unpriced: ReadonlyMap<Component, bigint>;
}

/** Months in one question: the days of one question are in the ledger's memory together, a long life is not. */
const MONTHS_PER_QUESTION_MAX = 12;

/** The whole month of {@link BILLING_ZONE} that holds the instant. */
export function monthOf(instant: Instant): TimeRange {
  const [start, end] = monthEdges({ start: instant, end: instant + 1 }, BILLING_ZONE);
  return { start: start!, end: end! };
}

/**
 * The cost of each month between ascending `edges`, from one state of the ledger; months without usage are left out.
 * Everything that was accepted for a month counts, and deployments that run count up to `now`.
 */
export async function monthCosts(
  sources: ReportSources,
  account: string,
  edges: readonly Instant[],
  now: Instant,
): Promise<MonthCost[]> {
  const { book } = sources;
  const pieces = piecesOf(edges).map((months) => {
    const range = { start: months[0]!, end: months.at(-1)! };
    return segmentsOf(range, months, priceEdges(book, range));
  });
  const questions = pieces.map((piece) => ({
    usageTypes: USAGE_TYPE_NAMES,
    edges: piece.edges,
    fields: RATE_FIELDS,
    filters: [],
  }));
  const sums = await readSums(sources, account, questions, now);
  return pieces.flatMap(({ buckets, bucketOf, edges }, at) => {
    const costs = buckets.map((month) => ({ month, used: false, atto: 0n, unpriced: new Map<Component, bigint>() }));
    forEachPriced(
      sums[at]!,
      { fields: RATE_FIELDS, edges, book },
      () => costs,
      (_, sum, prices) => {
        const cost = costs[bucketOf[sum.segment]!]!;
        const rated = rate(sum.quantities, prices);
        cost.used = true;
        cost.atto += rated.atto;
        addUnpriced(cost.unpriced, rated.unpriced);
      },
    );
    return costs.filter(({ used }) => used).map(({ month, atto, unpriced }) => ({ month, atto, unpriced }));
  });
}

/** The edges in runs of at most {@link MONTHS_PER_QUESTION_MAX} months; each begins where the one before ends. */
function piecesOf(edges: readonly Instant[]): (readonly Instant[])[] {
  const pieces: (readonly Instant[])[] = [];
  for (let at = 0; at + 1 < edges.length; at += MONTHS_PER_QUESTION_MAX) {
    pieces.push(edges.slice(at, at + MONTHS_PER_QUESTION_MAX + 1));
  }
  return pieces;
}
