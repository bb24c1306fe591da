/** `daybook prices diff`: what another price book would change, account by account and day by day. */

import { attoPerUnit, moneyOfAtto, parseDecimal, usdTextOfAtto } from "../../domain/money.ts";
import { formatInstant, type TimeRange } from "../../domain/time.ts";
import { snakeCased } from "../../render/snake-json.ts";
import { type TableColumn, textTable } from "../../render/text-table.ts";
import { grouped } from "../../render/usage-text.ts";
import type { ApiRequest } from "../client.ts";
import { type Context, lastSegment } from "../context.ts";
import { showProgress } from "../progress.ts";
import { styleOf } from "../style.ts";
import { piecesOf, type RangeFlags, readRange } from "../time.ts";
import { readBook } from "./prices.ts";

interface DiffFlags extends RangeFlags {
  readonly account?: string;
  readonly only?: readonly string[];
}

interface Amounts {
  readonly beforeUsd: string;
  readonly afterUsd: string;
  readonly differenceUsd: string;
  readonly unpricedBefore: readonly Unpriced[];
  readonly unpricedAfter: readonly Unpriced[];
}

interface Unpriced {
  readonly quantity: string;
  /** A plain decimal. */
  readonly amount: string;
}

interface Row extends Amounts {
  readonly account: string;
  readonly startTime: string;
  readonly usageType: string;
  readonly model: string;
  readonly acceleratorType: string;
  readonly baseModel: string;
}

interface AccountTotal extends Amounts {
  readonly account: string;
}

interface Answer {
  readonly account: string;
  readonly from: string;
  readonly to: string;
  readonly rows: readonly Row[];
  readonly accounts: readonly AccountTotal[];
  readonly total: Amounts;
}

export async function diffPriceBooks(context: Context, flags: DiffFlags, books: readonly string[]): Promise<void> {
  const range = readRange(flags, "UTC", context.now());
  const [from, to] = books.length === 1 ? [undefined, books[0]!] : [books[0]!, books[1]!];
  // A version may be a contract's; what is wrong in a contract is wrong in a list too.
  const kind = flags.account === undefined && !books.some((book) => VERSION.test(book)) ? "list" : "contract";
  const body = {
    ...(from !== undefined && { from: await pickOf(context, from, kind) }),
    to: await pickOf(context, to, kind),
    ...(flags.account !== undefined && { account: flags.account }),
    ...(flags.only && { accounts: flags.only }),
  };
  const requests = piecesOf(range, "UTC").map(({ start, end }): ApiRequest => {
    const times = { startTime: formatInstant(start), endTime: formatInstant(end) };
    return { method: "POST", path: "/v1/priceBooks:diff", body: { ...body, ...times } };
  });
  if (context.showDry(requests)) return;
  const diff = joined(await fetchAll(context, requests), range);
  if (context.output === "json") context.print(JSON.stringify(snakeCased(diff), null, 2));
  else printDiff(context, diff, { from, to, range });
}

/** A number, or the name of a version; anything else is a file. */
const VERSION = /^(?:priceBooks\/)?(\d+)$/;

async function pickOf(context: Context, book: string, kind: "list" | "contract"): Promise<object> {
  const version = VERSION.exec(book)?.[1];
  return version === undefined ? { document: await readBook(context, book, kind) } : { version };
}

async function fetchAll(context: Context, requests: readonly ApiRequest[]): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  const progress = showProgress(context.streams.stderr, requests.length > 1 ? requests.length : 0, "Comparing");
  try {
    for (const request of requests) {
      answers.push((await context.client.call(request)).json as unknown as Answer);
      progress.step();
    }
  } finally {
    progress.end();
  }
  return answers;
}

/** Pieces meet at UTC midnights, so no day is in two of them; totals are added exactly. */
function joined(answers: readonly Answer[], range: TimeRange): Answer & { startTime: string; endTime: string } {
  const { account, from, to } = answers[0]!;
  const names = [...new Set(answers.flatMap(({ accounts }) => accounts.map((one) => one.account)))].sort();
  const rowsOf = (name: string): Row[] => answers.flatMap(({ rows }) => rows.filter((row) => row.account === name));
  return {
    account,
    from,
    to,
    startTime: formatInstant(range.start),
    endTime: formatInstant(range.end),
    rows: names.flatMap(rowsOf),
    accounts: names.map((name) => ({
      account: name,
      ...summed(answers.flatMap(({ accounts }) => accounts.filter((one) => one.account === name))),
    })),
    total: summed(answers.map(({ total }) => total)),
  };
}

function summed(list: readonly Amounts[]): Amounts {
  const sum = (name: "beforeUsd" | "afterUsd" | "differenceUsd"): bigint =>
    list.reduce((total, one) => total + attoOf(one[name]), 0n);
  const [before, after, difference] = [sum("beforeUsd"), sum("afterUsd"), sum("differenceUsd")];
  const money = { before: moneyOfAtto(before), after: moneyOfAtto(after), difference: moneyOfAtto(difference) };
  const exact = {
    beforeUsd: usdTextOfAtto(before),
    afterUsd: usdTextOfAtto(after),
    differenceUsd: usdTextOfAtto(difference),
  };
  return {
    ...money,
    ...exact,
    unpricedBefore: unpricedSum(list.flatMap((one) => one.unpricedBefore)),
    unpricedAfter: unpricedSum(list.flatMap((one) => one.unpricedAfter)),
  };
}

/** Quantities by their names. They have decimals as amounts of money do, and are added like them. */
function unpricedSum(list: readonly Unpriced[]): Unpriced[] {
  const sums = new Map<string, bigint>();
  for (const { quantity, amount } of list) sums.set(quantity, (sums.get(quantity) ?? 0n) + attoOf(amount));
  return [...sums].map(([quantity, atto]) => ({ quantity, amount: usdTextOfAtto(atto) }));
}

/** A decimal of the wire, which has at most 18 digits behind its point. */
function attoOf(usd: string): bigint {
  const decimal = parseDecimal(usd);
  return decimal ? attoPerUnit(decimal, 1n) : 0n;
}

interface Asked {
  readonly from: string | undefined;
  readonly to: string;
  readonly range: TimeRange;
}

const AMOUNT_COLUMNS: readonly TableColumn[] = [
  { title: "BEFORE", align: "right" },
  { title: "AFTER", align: "right" },
  { title: "DIFFERENCE", align: "right" },
];

function printDiff(context: Context, diff: Answer, { from, to, range }: Asked): void {
  const { stdout } = context.streams;
  const style = styleOf(stdout);
  const before = from ?? (diff.from === "" ? "no contract" : lastSegment(diff.from));
  const days = [range.start, range.end].map((edge) => formatInstant(edge).slice(0, 10)).join(" to ");
  context.print(`${style.emphasize(`${before} -> ${to}, ${days}, days of UTC`)}\n`);
  if (diff.rows.length === 0) {
    context.print("Nothing would cost something else.");
    return;
  }
  const rows = diff.rows.map((row) => [
    lastSegment(row.account),
    row.startTime.slice(0, 10),
    row.model || [row.acceleratorType, row.baseModel].filter((one) => one !== "").join(" "),
    typeText(row.usageType),
    ...amountCells(row),
  ]);
  const columns = [{ title: "ACCOUNT", shortens: true }, { title: "DAY" }, { title: "MODEL", shortens: true }];
  const typed = { title: "USAGE TYPE", shortens: true, expendable: true };
  stdout.write(textTable([...columns, typed, ...AMOUNT_COLUMNS], rows, style));
  context.print(`\n${style.emphasize("All usage of the range")}\n`);
  const totals = diff.accounts.map((one) => [lastSegment(one.account), ...amountCells(one)]);
  const total = ["TOTAL", ...amountCells(diff.total)];
  stdout.write(textTable([{ title: "ACCOUNT", shortens: true }, ...AMOUNT_COLUMNS], totals, { ...style, total }));
  if (diff.total.unpricedBefore.length + diff.total.unpricedAfter.length > 0) {
    context.print("\nWhere a + or no price stands, a part or all of the usage has no price; -o json lists it.");
  }
}

function amountCells(amounts: Amounts): string[] {
  const { beforeUsd, afterUsd, differenceUsd, unpricedBefore, unpricedAfter } = amounts;
  const sign = differenceUsd.startsWith("-") || differenceUsd === "0" ? "" : "+";
  return [sideText(beforeUsd, unpricedBefore), sideText(afterUsd, unpricedAfter), `${sign}${usdText(differenceUsd)}`];
}

function sideText(usd: string, unpriced: readonly Unpriced[]): string {
  if (unpriced.length === 0) return usdText(usd);
  return usd === "0" ? "no price" : `${usdText(usd)}+`;
}

/** An exact decimal as dollars, cents at least: "-$1,234.50", "$0.000000028". */
function usdText(usd: string): string {
  const [, sign = "", whole = "0", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(usd) ?? [];
  return `${sign}$${grouped(whole)}.${fraction.padEnd(2, "0")}`;
}

function typeText(usageType: string): string {
  return usageType
    .replace(/(_INFERENCE)?_USAGE$/, "")
    .toLowerCase()
    .replaceAll("_", " ");
}
