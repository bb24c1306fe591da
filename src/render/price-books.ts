/** Price books and their differences on the wire. */

import { moneyOfAtto, usdTextOfAtto } from "../domain/money.ts";
import { formatInstant } from "../domain/time.ts";
import type { BookDiff, PickedBook } from "../report/book-diff.ts";
import type { BookCheck, PriceBookDocument, PriceBookRecord } from "../report/price-books.ts";
import type { DiffRow, DiffTotal } from "../report/price-diff.ts";
import { unpricedQuantities } from "./unpriced.ts";

export function priceBookName(version: number): string {
  return `priceBooks/${version}`;
}

/** A version; its text only where it was read. */
export function priceBookJson(record: PriceBookRecord | PriceBookDocument): object {
  return {
    name: priceBookName(record.version),
    version: String(record.version),
    account: record.account && `accounts/${record.account}`,
    knownFrom: formatInstant(record.knownFrom),
    hash: record.hash,
    createdBy: record.createdBy,
    entryCount: record.entryCount,
    ...("document" in record && { document: record.document }),
  };
}

export function bookCheckJson({ entryCount, gaps }: BookCheck): object {
  return {
    entryCount,
    gaps: gaps.map(({ kind, match, lines, from, to }) => ({
      kind,
      match,
      lines,
      startTime: formatInstant(from),
      endTime: to === undefined ? null : formatInstant(to),
    })),
  };
}

export function bookDiffJson(diff: BookDiff): object {
  const { scope, from, to, range } = diff;
  return {
    account: scope && `accounts/${scope}`,
    from: pickedName(from),
    to: pickedName(to),
    startTime: formatInstant(range.start),
    endTime: formatInstant(range.end),
    rows: diff.rows.map(rowJson),
    accounts: diff.accounts.map((one) => ({ account: `accounts/${one.account}`, ...totalJson(one) })),
    total: totalJson(diff.total),
  };
}

/** "" for a book that was never put, or none. */
function pickedName(picked: PickedBook | undefined): string {
  return picked?.version === undefined ? "" : priceBookName(picked.version);
}

function rowJson(row: DiffRow): object {
  return {
    account: `accounts/${row.account}`,
    startTime: formatInstant(row.day.start),
    endTime: formatInstant(row.day.end),
    usageType: row.usageType,
    stream: row.stream,
    model: row.model,
    acceleratorType: row.acceleratorType,
    baseModel: row.baseModel,
    ...totalJson(row),
  };
}

/** Each amount as Money, rounded to the nano, and as an exact decimal, with what is in neither. */
function totalJson({ before, after }: DiffTotal): object {
  const [beforeAtto, afterAtto] = [before.atto, after.atto];
  const differenceAtto = afterAtto - beforeAtto;
  return {
    before: moneyOfAtto(beforeAtto),
    after: moneyOfAtto(afterAtto),
    difference: moneyOfAtto(differenceAtto),
    beforeUsd: usdTextOfAtto(beforeAtto),
    afterUsd: usdTextOfAtto(afterAtto),
    differenceUsd: usdTextOfAtto(differenceAtto),
    unpricedBefore: unpricedQuantities(before.unpriced),
    unpricedAfter: unpricedQuantities(after.unpriced),
  };
}
