/** Usage and account costs as tables for people. */

import { decimalText, divideHalfEven } from "../domain/money.ts";
import { type TableColumn, textTable } from "./text-table.ts";
import {
  costNanosOf,
  digitsOf,
  groupColumns,
  integerOf,
  isPriced,
  type UsageAnswer,
  type WireRow,
} from "./usage-answer.ts";

export interface TextStyle {
  /** Columns of the terminal; undefined where there is none. */
  readonly width?: number | undefined;
  readonly emphasize?: ((text: string) => string) | undefined;
}

const NANO_PER_CENT = 10_000_000n;

/** Digits in threes: 1234567 is "1,234,567". */
export function grouped(digits: string): string {
  const [whole = "", fraction] = digits.split(".");
  const threes = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? threes : `${threes}.${fraction}`;
}

/** Dollars to the cent, half-even; "<$0.01" for what is more than nothing and less than a cent. */
export function dollarText(nanos: bigint): string {
  const magnitude = nanos < 0n ? -nanos : nanos;
  const sign = nanos < 0n ? "-" : "";
  if (magnitude > 0n && magnitude < NANO_PER_CENT) return nanos < 0n ? ">-$0.01" : "<$0.01";
  const cents = divideHalfEven(magnitude, NANO_PER_CENT);
  return `${sign}$${grouped((cents / 100n).toString())}.${(cents % 100n).toString().padStart(2, "0")}`;
}

export interface SeriesCost {
  readonly name: string;
  /** What is owed. */
  readonly nanos: bigint;
  /** By list prices. */
  readonly listNanos: bigint;
}

interface CostsToShow {
  readonly series: readonly SeriesCost[];
  readonly totalNanos: bigint;
  readonly listNanos: bigint;
  /** Something has no price and is in no cost. */
  readonly unpriced: boolean;
}

/** What the account's usage cost, series by series, with the total of all; where something is taken off, also what. */
export function accountCostsText(costs: CostsToShow, style: TextStyle): string {
  const { series, totalNanos, listNanos, unpriced } = costs;
  const discounted = [...series, { nanos: totalNanos, listNanos }].some((one) => one.nanos !== one.listNanos);
  const amounts = (nanos: bigint, list: bigint): string[] =>
    (discounted ? [list, nanos - list, nanos] : [nanos]).map(dollarText);
  const titles = discounted ? ["LIST", "DISCOUNT", "COST"] : ["COST"];
  const table = textTable(
    [{ title: "SERIES" }, ...titles.map((title) => ({ title, align: "right" as const }))],
    series.map(({ name, nanos, listNanos: list }) => [name, ...amounts(nanos, list)]),
    { ...style, total: ["USAGE TOTAL", ...amounts(totalNanos, listNanos)] },
  );
  return unpriced ? `${table}\nSome usage has no price; these costs leave it out.\n` : table;
}

interface Quantity {
  readonly title: string;
  readonly field: string;
  /** Shown even where every row has 0. */
  readonly always?: boolean;
  readonly expendable?: boolean;
}

interface StreamTable {
  readonly stream: keyof UsageAnswer;
  readonly title: string;
  readonly quantities: readonly Quantity[];
}

const TABLES: readonly StreamTable[] = [
  {
    stream: "serverlessCosts",
    title: "Serverless",
    quantities: [
      { title: "PROMPT", field: "promptTokens", always: true },
      { title: "CACHED", field: "cachedPromptTokens", always: true, expendable: true },
      { title: "COMPLETION", field: "completionTokens", always: true },
      { title: "AUDIO S", field: "audioInputSeconds", expendable: true },
      { title: "IMAGES", field: "imageCount", expendable: true },
    ],
  },
  {
    stream: "dedicatedCosts",
    title: "Dedicated deployments",
    quantities: [{ title: "ACCELERATOR S", field: "acceleratorSeconds", always: true }],
  },
  {
    stream: "trainingCosts",
    title: "Training",
    quantities: [
      { title: "TOKENS", field: "tokens" },
      { title: "ACCELERATOR S", field: "acceleratorSeconds" },
    ],
  },
];

interface AskedUsage {
  /** Whose days the rows are of. */
  readonly zone: string;
  /** The dimensions that were asked for; empty for each stream's own. */
  readonly groupBy: readonly string[];
}

/** One table a stream that has usage, days as the zone's dates; one sentence when none has. */
export function usageText(answer: UsageAnswer, { zone, groupBy }: AskedUsage, style: TextStyle): string {
  const texts = TABLES.filter(({ stream }) => answer[stream].length > 0).map((table) => {
    const heading = `${table.title}, days of ${zone}`;
    return `${style.emphasize?.(heading) ?? heading}\n\n${streamTable(answer[table.stream], { quantities: table.quantities, groupBy }, style)}`;
  });
  return texts.length > 0 ? texts.join("\n") : "No usage in this range.\n";
}

/** "annotations.team" is headed TEAM; the rest in capitals without underscores. */
function headed(dimension: string): string {
  return dimension
    .replace(/^annotations\./, "")
    .replaceAll("_", " ")
    .toUpperCase();
}

interface AskedTable {
  readonly quantities: readonly Quantity[];
  readonly groupBy: readonly string[];
}

function streamTable(rows: readonly WireRow[], asked: AskedTable, { width, emphasize }: TextStyle): string {
  const quantities = asked.quantities.filter(({ field, always }) => always || rows.some((row) => isMore(row[field])));
  // A dimension that was not asked for and that no row has tells nothing.
  const dimensions = groupColumns(rows).filter(
    (name) => asked.groupBy.includes(name) || rows.some(({ group }) => group?.[name] !== ""),
  );
  const typed = !dimensions.includes("usage_type") && hasTwins(rows, dimensions);
  const priced = isPriced(rows);
  const columns: TableColumn[] = [
    { title: "DAY" },
    ...dimensions.map((name) => ({ title: headed(name), shortens: true })),
    ...(typed ? [{ title: "USAGE TYPE", shortens: true }] : []),
    ...quantities.map(({ title, expendable = false }) => ({ title, align: "right" as const, expendable })),
    ...(priced ? [{ title: "COST", align: "right" as const }] : []),
  ];
  const cells = rows.map((row) => [
    row.startTime.slice(0, 10),
    ...dimensions.map((name) => (name === "usage_type" ? typeName(row.group?.[name]) : (row.group?.[name] ?? ""))),
    ...(typed ? [typeName(row.usageType)] : []),
    ...quantities.map(({ field }) => grouped(digitsOf(row[field]) ?? "0")),
    ...(priced ? [costText(row)] : []),
  ]);
  const blank = columns.slice(1, columns.length - quantities.length - (priced ? 1 : 0)).map(() => "");
  const sums = quantities.map(({ field }) => grouped(sumText(rows, field)));
  const cost = rows.reduce((sum, row) => sum + (costNanosOf(row) ?? 0n), 0n);
  const total = ["TOTAL", ...blank, ...sums, ...(priced ? [dollarText(cost)] : [])];
  const table = textTable(columns, cells, { width, emphasize, total });
  return rows.some(isUnpriced) ? `${table}\n${unpricedNote(rows)}\n` : table;
}

/** True where rows of one day and group differ by their usage type alone. */
function hasTwins(rows: readonly WireRow[], dimensions: readonly string[]): boolean {
  const seen = new Set(
    rows.map((row) => [row.startTime, ...dimensions.map((name) => row.group?.[name])].join("\u0000")),
  );
  return seen.size < rows.length;
}

function typeName(usageType: string | undefined): string {
  return (usageType ?? "")
    .replace(/_USAGE$/, "")
    .replace(/_INFERENCE$/, "")
    .toLowerCase()
    .replaceAll("_", " ");
}

function isMore(value: unknown): boolean {
  return Number(digitsOf(value) ?? 0) !== 0;
}

function isUnpriced({ unpricedQuantities }: WireRow): boolean {
  return unpricedQuantities !== undefined && unpricedQuantities.length > 0;
}

/** A cost that leaves something out is marked; one that leaves all out is no number. */
function costText(row: WireRow): string {
  const nanos = costNanosOf(row) ?? 0n;
  if (!isUnpriced(row)) return dollarText(nanos);
  return nanos === 0n ? "no price" : `${dollarText(nanos)}+`;
}

/** What is in no cost, summed over the rows: the amounts are exact decimals of at most three digits. */
function unpricedNote(rows: readonly WireRow[]): string {
  const thousandths = new Map<string, bigint>();
  for (const { unpricedQuantities = [] } of rows) {
    for (const { quantity, amount } of unpricedQuantities) {
      thousandths.set(quantity, (thousandths.get(quantity) ?? 0n) + thousandthsOf(amount));
    }
  }
  const parts = [...thousandths].map(([quantity, sum]) => `${grouped(textOfThousandths(sum))} ${quantity}`);
  return `No price covers ${parts.join(", ")}; the costs above leave them out.`;
}

function sumText(rows: readonly WireRow[], field: string): string {
  if (field !== "audioInputSeconds") return rows.reduce((sum, row) => sum + integerOf(row[field]), 0n).toString();
  return textOfThousandths(rows.reduce((sum, row) => sum + thousandthsOf(digitsOf(row[field]) ?? "0"), 0n));
}

function thousandthsOf(decimal: string): bigint {
  const [whole = "", fraction = ""] = decimal.split(".");
  const digits = `${whole}${fraction.padEnd(3, "0").slice(0, 3)}`;
  return /^\d+$/.test(digits) ? BigInt(digits) : 0n;
}

function textOfThousandths(thousandths: bigint): string {
  return decimalText({ numerator: thousandths, scale: 3 });
}
