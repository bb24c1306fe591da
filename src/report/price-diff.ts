/**
 * What another price book would change, before it is put in force: the same usage rated by two tariffs, and each
 * account, UTC day and model where they differ. Exact, as reports are: nothing here is rounded.
 */

import { Fault, problem } from "../domain/fault.ts";
import { dayEdges, type Instant, type TimeRange } from "../domain/time.ts";
import { STREAMS, type Stream, USAGE_TYPE_NAMES, USAGE_TYPES, type UsageType } from "../domain/usage.ts";
import type { SumRow } from "../ledger/ledger.ts";
import { type Component, RATE_FIELDS } from "../rating/price.ts";
import { priceEdges, rate, type Tariff, type UnitRates } from "../rating/rate.ts";
import { addUnpriced, forEachPriced, type ReportSources, readSums, valueReader } from "./priced-sums.ts";
import { type Bucket, segmentsOf } from "./segments.ts";

/** What an account pays by now, and what it would pay by. */
interface TwoTariffs {
  readonly before: Tariff;
  readonly after: Tariff;
}

/** Usage under one of the tariffs. */
interface DiffSide {
  /** What is paid, in attodollars. */
  readonly atto: bigint;
  /** What no price covers. */
  readonly unpriced: ReadonlyMap<Component, bigint>;
}

/** Usage that would cost something else, or of which something else would have no price. */
export interface DiffRow extends DiffTotal {
  readonly account: string;
  /** A whole UTC day, of which only what lies in the range was compared. */
  readonly day: Bucket;
  readonly stream: Stream;
  readonly usageType: UsageType;
  /** "" for accelerators and training, which the next two tell apart. */
  readonly model: string;
  /** "" where there is a model, here and below. */
  readonly acceleratorType: string;
  readonly baseModel: string;
}

/** The same usage on both sides; of a total, the whole usage of the range with what does not change. */
export interface DiffTotal {
  readonly before: DiffSide;
  readonly after: DiffSide;
}

export interface PriceDiff {
  readonly range: TimeRange;
  /** By account, day, stream, usage type, model, accelerator type and base model; only where something differs. */
  readonly rows: readonly DiffRow[];
  /** Each account with usage in the range, by its id. */
  readonly accounts: readonly (DiffTotal & { readonly account: string })[];
  readonly total: DiffTotal;
}

export type DiffSources = Pick<ReportSources, "ledger" | "accounts">;

interface DiffAsk {
  readonly accounts: readonly string[];
  readonly range: TimeRange;
  readonly tariffsOf: (account: string) => Promise<TwoTariffs>;
}

/** Some 50 MB of JSON. */
const ROWS_MAX = 100_000;

/**
 * Compares the usage of each account. Deployments that run are counted up to `now`.
 * @throws Fault `answer_too_long` where more than {@link ROWS_MAX} rows differ.
 */
export async function priceDiff(sources: DiffSources, ask: DiffAsk, now: Instant): Promise<PriceDiff> {
  const rows: DiffRow[] = [];
  const accounts: (DiffTotal & { account: string })[] = [];
  for (const account of ask.accounts) {
    const own = await rowsOfAccount(sources, { account, range: ask.range, ...(await ask.tariffsOf(account)) }, now);
    if (own.length === 0) continue;
    accounts.push({ account, ...totalOf(own) });
    for (const row of own) if (differs(row)) rows.push(row);
    if (rows.length > ROWS_MAX) throw new Fault(problem("answer_too_long", "endTime", { max: ROWS_MAX }));
  }
  return { range: ask.range, rows, accounts, total: totalOf(accounts) };
}

interface AccountAsk extends TwoTariffs {
  readonly account: string;
  readonly range: TimeRange;
}

/** Every row of an account, in order, with those that do not change. */
async function rowsOfAccount(sources: DiffSources, ask: AccountAsk, now: Instant): Promise<readonly DiffRow[]> {
  const { account, range, before, after } = ask;
  const cuts = [...priceEdges(before, range), ...priceEdges(after, range)];
  const { buckets, bucketOf, edges } = segmentsOf(range, dayEdges(range, "UTC"), cuts);
  const fields = RATE_FIELDS;
  const question = { usageTypes: USAGE_TYPE_NAMES, edges, fields, filters: [] };
  const [sums = []] = (await readSums(sources, account, [question], now)).rows;
  const rows = new Map<string, OpenRow>();
  const rowOf = ({ key, words }: RowWords, { segment }: SumRow): OpenRow => {
    const bucket = bucketOf[segment]!;
    const found = rows.get(`${bucket} ${key}`);
    if (found) return found;
    const row = { account, day: buckets[bucket]!, ...words, before: openSide(), after: openSide() };
    rows.set(`${bucket} ${key}`, row);
    return row;
  };
  forEachPriced(sums, { fields, edges, tariff: before }, wordsOf, (words, sum, rates) => {
    addTo(rowOf(words, sum).before, sum, rates);
  });
  forEachPriced(sums, { fields, edges, tariff: after }, wordsOf, (words, sum, rates) => {
    addTo(rowOf(words, sum).after, sum, rates);
  });
  return [...rows.values()].sort(compareRows);
}

interface RowWords {
  readonly words: Pick<DiffRow, "stream" | "usageType" | "model" | "acceleratorType" | "baseModel">;
  readonly key: string;
}

/** What the row of one set of values is called. */
function wordsOf(values: readonly string[]): RowWords {
  const valueIn = valueReader(RATE_FIELDS, values);
  const usageType = valueIn("usageType") as UsageType;
  const model = valueIn("model");
  const words = {
    stream: USAGE_TYPES[usageType].stream,
    usageType,
    model,
    acceleratorType: model ? "" : valueIn("acceleratorType"),
    baseModel: model ? "" : valueIn("baseModel"),
  };
  return { words, key: Object.values(words).join("\u0000") };
}

interface OpenSide {
  atto: bigint;
  readonly unpriced: Map<Component, bigint>;
}

interface OpenRow extends DiffRow {
  readonly before: OpenSide;
  readonly after: OpenSide;
}

function openSide(): OpenSide {
  return { atto: 0n, unpriced: new Map() };
}

function addTo(side: OpenSide, { quantities }: SumRow, { net }: UnitRates): void {
  const { atto, unpriced } = rate(quantities, net);
  side.atto += atto;
  addUnpriced(side.unpriced, unpriced);
}

function totalOf(parts: readonly DiffTotal[]): DiffTotal {
  return { before: sumOf(parts.map((one) => one.before)), after: sumOf(parts.map((one) => one.after)) };
}

function sumOf(sides: readonly DiffSide[]): DiffSide {
  const sum = openSide();
  for (const { atto, unpriced } of sides) {
    sum.atto += atto;
    addUnpriced(
      sum.unpriced,
      [...unpriced].map(([component, quantity]) => ({ component, quantity })),
    );
  }
  return sum;
}

function differs({ before, after }: DiffRow): boolean {
  return before.atto !== after.atto || !sameUnpriced(before, after);
}

/** Whether the same quantities have no price on both sides. */
function sameUnpriced({ unpriced: a }: DiffSide, { unpriced: b }: DiffSide): boolean {
  return a.size === b.size && [...a].every(([component, quantity]) => b.get(component) === quantity);
}

function compareRows(a: DiffRow, b: DiffRow): number {
  if (a.day.start !== b.day.start) return a.day.start - b.day.start;
  if (a.stream !== b.stream) return STREAMS.indexOf(a.stream) - STREAMS.indexOf(b.stream);
  for (const field of ["usageType", "model", "acceleratorType", "baseModel"] as const) {
    if (a[field] !== b[field]) return a[field] < b[field] ? -1 : 1;
  }
  return 0;
}
