/** The billing summary: a bill's lines, each a quantity at one price, of whole UTC days (contract, section 3). */

import type { SummaryQuery } from "../domain/summary-query.ts";
import { dayEdges, type Instant } from "../domain/time.ts";
import { STREAMS, type Stream, USAGE_TYPE_NAMES } from "../domain/usage.ts";
import type { SumRow } from "../ledger/ledger.ts";
import { type Component, RATE_FIELDS, type RateAttributes, type UnitPrices } from "../rating/price.ts";
import { priceEdges, rate } from "../rating/rate.ts";
import { forEachPriced, type ReportSources, readSums, valueReader } from "./priced-sums.ts";
import { type Bucket, segmentsOf } from "./segments.ts";
import { type LineWords, lineWords } from "./summary-lines.ts";

/** A quantity that has no price. */
export interface UnpricedLine extends LineWords {
  readonly component: Component;
  /** Tokens, images or milliseconds. */
  readonly quantity: bigint;
}

/** A quantity at one price. */
export interface PricedLine extends UnpricedLine {
  /** Attodollars for one token, image or millisecond. */
  readonly unitAtto: bigint;
  /** quantity x unitAtto. */
  readonly atto: bigint;
}

/** The lines of a range, by series, category, grouping values, then price (by code unit; the lower price first). */
export interface SummaryLines {
  readonly priced: readonly PricedLine[];
  /** What no price covers; never priced at zero in silence. */
  readonly unpriced: readonly UnpricedLine[];
  /** Of all priced lines, exactly. */
  readonly atto: bigint;
}

export interface BillingSummary extends SummaryLines {
  readonly seriesAtto: Readonly<Record<Stream, bigint>>;
  /** Every day of the range, where days are asked for. */
  readonly days: readonly (SummaryLines & { readonly bucket: Bucket })[] | undefined;
}

/** Answers a question for one account. Deployments that run are counted up to `now`. */
export async function billingSummary(
  sources: ReportSources,
  account: string,
  { range, daily }: SummaryQuery,
  now: Instant,
): Promise<BillingSummary> {
  const { book } = sources;
  const cuts = daily ? dayEdges(range, "UTC") : [range.start, range.end];
  const { buckets, bucketOf, edges } = segmentsOf(range, cuts, priceEdges(book, range));
  const question = { usageTypes: USAGE_TYPE_NAMES, edges, fields: RATE_FIELDS, filters: [] };
  const [sums = []] = await readSums(sources, account, [question], now);
  const all: OpenLines = new Map();
  const byBucket: OpenLines[] = buckets.map(() => new Map());
  const pricing = { fields: RATE_FIELDS, edges, book };
  forEachPriced(sums, pricing, wordsReader, (wordsOf, sum, prices) => {
    addLines(all, wordsOf, sum, prices);
    if (daily) addLines(byBucket[bucketOf[sum.segment]!]!, wordsOf, sum, prices);
  });
  const whole = closeLines(all);
  const seriesAtto = Object.fromEntries(STREAMS.map((stream) => [stream, attoOf(whole.priced, stream)]));
  return {
    ...whole,
    seriesAtto: seriesAtto as Record<Stream, bigint>,
    days: daily ? buckets.map((bucket, at) => ({ bucket, ...closeLines(byBucket[at]!) })) : undefined,
  };
}

type WordsOf = (component: Component) => { readonly words: LineWords; readonly key: string };

/** The lines' words for one set of values, each made once. */
function wordsReader(values: readonly string[]): WordsOf {
  const valueIn = valueReader(RATE_FIELDS, values);
  const attributes = Object.fromEntries(RATE_FIELDS.map((field) => [field, valueIn(field)])) as RateAttributes;
  const known = new Map<Component, ReturnType<WordsOf>>();
  return (component) => {
    let found = known.get(component);
    if (!found) {
      const words = lineWords(component, attributes);
      found = { words, key: Object.values(words).join("\u0000") };
      known.set(component, found);
    }
    return found;
  };
}

interface OpenLine {
  readonly words: LineWords;
  readonly component: Component;
  readonly unitAtto: bigint | undefined;
  quantity: bigint;
}

/** Lines by their words and price. */
type OpenLines = Map<string, OpenLine>;

function addLines(lines: OpenLines, wordsOf: WordsOf, sum: SumRow, prices: UnitPrices): void {
  // Against no prices at all every quantity is told, component by component.
  for (const { component, quantity } of rate(sum.quantities, {}).unpriced) {
    const { words, key } = wordsOf(component);
    const unitAtto = prices[component];
    const lineKey = `${key}\u0000${unitAtto ?? ""}`;
    const line = lines.get(lineKey);
    if (line) line.quantity += quantity;
    else lines.set(lineKey, { words, component, unitAtto, quantity });
  }
}

function closeLines(lines: OpenLines): SummaryLines {
  const priced: PricedLine[] = [];
  const unpriced: UnpricedLine[] = [];
  for (const { words, component, unitAtto, quantity } of [...lines.values()].sort(compareLines)) {
    const line = { ...words, component, quantity };
    if (unitAtto === undefined) unpriced.push(line);
    else priced.push({ ...line, unitAtto, atto: quantity * unitAtto });
  }
  return { priced, unpriced, atto: attoOf(priced) };
}

function attoOf(lines: readonly PricedLine[], series?: Stream): bigint {
  return lines.reduce((sum, line) => (series && line.series !== series ? sum : sum + line.atto), 0n);
}

function compareLines(a: OpenLine, b: OpenLine): number {
  const bySeries = STREAMS.indexOf(a.words.series) - STREAMS.indexOf(b.words.series);
  if (bySeries !== 0) return bySeries;
  for (const field of ["category", "groupingValue", "secondaryGroupingValue"] as const) {
    if (a.words[field] !== b.words[field]) return a.words[field] < b.words[field] ? -1 : 1;
  }
  const [left = 0n, right = 0n] = [a.unitAtto, b.unitAtto];
  return left < right ? -1 : left > right ? 1 : 0;
}
