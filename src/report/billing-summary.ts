/** The billing summary: a bill's lines, each a quantity at one price, of whole UTC days (contract, section 3). */

import type { SummaryQuery } from "../domain/summary-query.ts";
import { dayEdges, type Instant } from "../domain/time.ts";
import { STREAMS, type Stream, USAGE_TYPE_NAMES } from "../domain/usage.ts";
import type { SumRow } from "../ledger/ledger.ts";
import { type Component, RATE_FIELDS, type RateAttributes } from "../rating/price.ts";
import { priceEdges, quantitiesOf, type UnitRates } from "../rating/rate.ts";
import { forEachPriced, type ReportSources, readSums, valueReader } from "./priced-sums.ts";
import { type Bucket, segmentsOf } from "./segments.ts";
import { type LineWords, lineWords } from "./summary-lines.ts";

/** A quantity that has no price. */
export interface UnpricedLine extends LineWords {
  readonly component: Component;
  /** Tokens, images or milliseconds. */
  readonly quantity: bigint;
}

/** A quantity at one price, and at one price of the list. */
export interface PricedLine extends UnpricedLine {
  /** What is paid: attodollars for one token, image or millisecond. */
  readonly unitAtto: bigint;
  /** quantity x unitAtto. */
  readonly atto: bigint;
  /** What the list asks for one. */
  readonly listUnitAtto: bigint;
  /** quantity x listUnitAtto. */
  readonly listAtto: bigint;
}

/**
 * The lines of a range, by series, category, grouping values (by code unit), then the price paid, then the list's (the
 * lower first).
 */
export interface SummaryLines {
  readonly priced: readonly PricedLine[];
  /** What no price covers; never priced at zero in silence. */
  readonly unpriced: readonly UnpricedLine[];
  /** What is owed for all priced lines, exactly. */
  readonly atto: bigint;
  /** The same by the list. */
  readonly listAtto: bigint;
}

/** What priced lines come to. */
type LinesCost = Pick<SummaryLines, "atto" | "listAtto">;

export interface BillingSummary extends SummaryLines {
  readonly bySeries: Readonly<Record<Stream, LinesCost>>;
  /** The state of the ledger that all lines are from. */
  readonly position: number;
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
  const { tariff } = sources;
  const cuts = daily ? dayEdges(range, "UTC") : [range.start, range.end];
  const { buckets, bucketOf, edges } = segmentsOf(range, cuts, priceEdges(tariff, range));
  const question = { usageTypes: USAGE_TYPE_NAMES, edges, fields: RATE_FIELDS, filters: [] };
  const read = await readSums(sources, account, [question], now);
  const [sums = []] = read.rows;
  const all: OpenLines = new Map();
  const byBucket: OpenLines[] = buckets.map(() => new Map());
  const pricing = { fields: RATE_FIELDS, edges, tariff };
  forEachPriced(sums, pricing, wordsReader, (wordsOf, sum, rates) => {
    addLines(all, wordsOf, sum, rates);
    if (daily) addLines(byBucket[bucketOf[sum.segment]!]!, wordsOf, sum, rates);
  });
  const whole = closeLines(all);
  const ofStream = (stream: Stream): LinesCost => costOf(whole.priced.filter(({ series }) => series === stream));
  return {
    ...whole,
    bySeries: Object.fromEntries(STREAMS.map((stream) => [stream, ofStream(stream)])) as Record<Stream, LinesCost>,
    position: read.position,
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
  /** Undefined where there is no price, here and below. */
  readonly unitAtto: bigint | undefined;
  readonly listUnitAtto: bigint | undefined;
  quantity: bigint;
}

/** Lines by their words and prices. */
type OpenLines = Map<string, OpenLine>;

function addLines(lines: OpenLines, wordsOf: WordsOf, sum: SumRow, { list, net }: UnitRates): void {
  for (const { component, quantity } of quantitiesOf(sum.quantities)) {
    const { words, key } = wordsOf(component);
    const unitAtto = net[component];
    const listUnitAtto = list[component];
    const lineKey = `${key}\u0000${unitAtto ?? ""}\u0000${listUnitAtto ?? ""}`;
    const line = lines.get(lineKey);
    if (line) line.quantity += quantity;
    else lines.set(lineKey, { words, component, unitAtto, listUnitAtto, quantity });
  }
}

function closeLines(lines: OpenLines): SummaryLines {
  const priced: PricedLine[] = [];
  const unpriced: UnpricedLine[] = [];
  const ordered = [...lines.values()].sort(compareLines);
  for (const { words, component, unitAtto, listUnitAtto = unitAtto, quantity } of ordered) {
    const line = { ...words, component, quantity };
    if (unitAtto === undefined || listUnitAtto === undefined) unpriced.push(line);
    else priced.push({ ...line, unitAtto, atto: quantity * unitAtto, listUnitAtto, listAtto: quantity * listUnitAtto });
  }
  return { priced, unpriced, ...costOf(priced) };
}

function costOf(lines: readonly PricedLine[]): LinesCost {
  const cost = { atto: 0n, listAtto: 0n };
  for (const { atto, listAtto } of lines) {
    cost.atto += atto;
    cost.listAtto += listAtto;
  }
  return cost;
}

function compareLines(a: OpenLine, b: OpenLine): number {
  const bySeries = STREAMS.indexOf(a.words.series) - STREAMS.indexOf(b.words.series);
  if (bySeries !== 0) return bySeries;
  for (const field of ["category", "groupingValue", "secondaryGroupingValue"] as const) {
    if (a.words[field] !== b.words[field]) return a.words[field] < b.words[field] ? -1 : 1;
  }
  return comparePrices(a.unitAtto, b.unitAtto) || comparePrices(a.listUnitAtto, b.listUnitAtto);
}

function comparePrices(a = 0n, b = 0n): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
