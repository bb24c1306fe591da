/** What dollars add to the month's report. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseUsageQuery } from "../src/domain/usage-query.ts";
import { LEDGER } from "../src/folder.ts";
import { SqliteLedger } from "../src/ledger/sqlite/ledger.ts";
import { SHIPPED_PRICES } from "../src/price-files.ts";
import { loadPriceBook } from "../src/rating/book.ts";
import { usageJson } from "../src/render/billing-usage.ts";
import { billingUsage, readUsage } from "../src/report/billing-usage.ts";
import { forEachPriced, rateBoth } from "../src/report/priced-sums.ts";
import { median, table } from "./figures.ts";
import { daysBack, GROUP_BY, REPORT_DAYS, ZONE } from "./report.ts";
import { ACCOUNT } from "./server.ts";

const PAIRS = 100;
const PAIRS_BEFORE = 20;

export interface RatingFigures {
  /** The whole report in this process: read, rated, folded, written as JSON. */
  readonly wholeMs: number;
  /** Rating alone, over the same sums. */
  readonly ratingMs: number;
  /** The median, over the pairs, of rating as a part of the report without it. */
  readonly added: number;
}

/** A report, then rating alone over its sums, over and over; each ratio is of one such pair. */
export async function measureRating(dataFolder: string): Promise<RatingFigures> {
  const ledger = await SqliteLedger.open({ path: join(dataFolder, LEDGER), readerThreads: 1 });
  const accounts = {
    keyNames: async () => new Map(),
    keyIdsOf: async () => [],
    deploymentsForUsage: async () => [],
  };
  const tariff = { list: loadPriceBook("the shipped book", readFileSync(SHIPPED_PRICES, "utf8")), contract: undefined };
  const sources = { ledger, accounts, tariff };
  const now = Date.now();
  const question = parseUsageQuery({ ...daysBack(REPORT_DAYS), timezone: ZONE, groupBy: GROUP_BY }, "body");
  const { plan, sums } = await readUsage(sources, ACCOUNT, question, now);
  const rateAll = (): void => {
    for (const [at, { question: asked }] of plan.streams.entries()) {
      const pricing = { fields: asked.fields, edges: plan.edges, tariff };
      forEachPriced(
        sums[at]!,
        pricing,
        () => true,
        (_, sum, rates) => void rateBoth(sum, rates),
      );
    }
  };
  const pairs: { readonly whole: number; readonly rating: number }[] = [];
  for (let pair = 0; pair < PAIRS_BEFORE + PAIRS; pair += 1) {
    const start = performance.now();
    usageJson(await billingUsage(sources, ACCOUNT, question, now));
    const middle = performance.now();
    rateAll();
    if (pair >= PAIRS_BEFORE) pairs.push({ whole: middle - start, rating: performance.now() - middle });
  }
  await ledger.close();
  return {
    wholeMs: median(pairs.map(({ whole }) => whole)),
    ratingMs: median(pairs.map(({ rating }) => rating)),
    added: median(pairs.map(({ whole, rating }) => rating / (whole - rating))),
  };
}

export function ratingTable({ wholeMs, ratingMs, added }: RatingFigures): string {
  return table([
    ["Dollars", "report ms", "of it rating ms", "added by rating"],
    [`${REPORT_DAYS} days, in one process`, wholeMs.toFixed(1), ratingMs.toFixed(2), `${(added * 100).toFixed(0)} %`],
  ]);
}
