/** What an answer was made of, so that two answers can be compared. */

import type { Instant } from "../domain/time.ts";
import type { BookRef, KnownTariff } from "./tariffs.ts";

/**
 * Two answers to the same question with the same basis, `evaluationTime` aside, are the same, unless deployments run or
 * keys were named anew. Invoices are also of their month: the one that runs becomes closed.
 */
export interface ReportBasis {
  readonly book: BookRef;
  /** Undefined where no contract bears on the account. */
  readonly contractBook: BookRef | undefined;
  readonly tzdbVersion: string;
  /** The state of the account's ledger. Of an export, which is read while it is sent, the state at its beginning. */
  readonly position: number;
  readonly evaluationTime: Instant;
}

/** A report with its basis. */
export interface Based<T> {
  readonly report: T;
  readonly basis: ReportBasis;
}

export function based<T extends { readonly position: number }>(
  report: T,
  { book, contractBook }: KnownTariff,
  made: Pick<ReportBasis, "tzdbVersion" | "evaluationTime">,
): Based<T> {
  return { report, basis: { book, contractBook, position: report.position, ...made } };
}
