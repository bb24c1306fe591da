/** An answer of billingUsage as a client reads it: rows of the wire, and what tables and CSV take from them. */

/** A number of the wire with all of its digits: as text, as a double that is exact, or as raw JSON. */
type WireNumber = string | number | { readonly rawJSON: string };

export interface WireMoney {
  readonly units?: WireNumber;
  readonly nanos?: WireNumber;
}

/** One row; servers other than Daybook leave fields out. */
export interface WireRow {
  readonly startTime: string;
  readonly endTime: string;
  readonly usageType?: string;
  readonly group?: Readonly<Record<string, string>>;
  readonly costNanoUsd?: WireNumber;
  readonly cost?: WireMoney;
  /** By list prices; only where the account has a contract. */
  readonly listCost?: WireMoney;
  readonly unpricedQuantities?: readonly { readonly quantity: string; readonly amount: string }[];
  readonly [field: string]: unknown;
}

/** The streams of an answer, in its order. */
export const ANSWER_STREAMS = ["serverlessCosts", "dedicatedCosts", "trainingCosts"] as const;
export type UsageAnswer = Readonly<Record<(typeof ANSWER_STREAMS)[number], readonly WireRow[]>>;

/** The digits of a number; undefined for what is none. */
export function digitsOf(value: unknown): string | undefined {
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (typeof value === "object" && value !== null && "rawJSON" in value) return String(value.rawJSON);
  return undefined;
}

/** A whole number of the wire; 0 when it was left out. */
export function integerOf(value: unknown): bigint {
  const digits = digitsOf(value);
  return digits !== undefined && /^-?\d+$/.test(digits) ? BigInt(digits) : 0n;
}

const NANO_PER_USD = 1_000_000_000n;

/** Money of the wire in nanodollars. */
export function nanosOfMoney({ units, nanos }: WireMoney): bigint {
  return integerOf(units) * NANO_PER_USD + integerOf(nanos);
}

/** A row's cost in nanodollars; undefined when the server gave none. */
export function costNanosOf({ cost, costNanoUsd }: WireRow): bigint | undefined {
  if (cost) return nanosOfMoney(cost);
  return costNanoUsd === undefined ? undefined : integerOf(costNanoUsd);
}

/** True when the server put prices on these rows: one that does not leaves every cost out or 0. */
export function isPriced(rows: readonly WireRow[]): boolean {
  return rows.some((row) => row.cost !== undefined || (costNanosOf(row) ?? 0n) !== 0n);
}

/** The grouping's dimensions, in the order in which the rows have them. */
export function groupColumns(rows: readonly WireRow[]): string[] {
  const names = new Set<string>();
  for (const { group } of rows) for (const name of Object.keys(group ?? {})) names.add(name);
  return [...names];
}

/** Nanodollars as plain dollars with 9 decimals: "-1.750000000". */
export function dollarsOfNanos(nanos: bigint): string {
  const magnitude = nanos < 0n ? -nanos : nanos;
  const fraction = (magnitude % NANO_PER_USD).toString().padStart(9, "0");
  return `${nanos < 0n ? "-" : ""}${magnitude / NANO_PER_USD}.${fraction}`;
}

/** Nanodollars as Money of the wire: units and nanos never have opposite signs. */
export function moneyOfNanos(nanos: bigint): { currencyCode: string; units: string; nanos: number } {
  return { currencyCode: "USD", units: (nanos / NANO_PER_USD).toString(), nanos: Number(nanos % NANO_PER_USD) };
}
