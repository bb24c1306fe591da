/** billingUsage: who used what, and what did it cost, by day and group (contract, section 2). */

import type { Instant } from "../domain/time.ts";
import type { Stream } from "../domain/usage.ts";
import type { UsageQuery } from "../domain/usage-query.ts";
import type { SumRows } from "../ledger/ledger.ts";
import { priceEdges } from "../rating/rate.ts";
import { type ReportSources, readSums } from "./priced-sums.ts";
import { planUsage, type UsagePlan } from "./usage-plan.ts";
import { type FoldFacts, foldRows, type UsageRows } from "./usage-rows.ts";

export interface UsageReport {
  readonly question: UsageQuery;
  readonly account: string;
  readonly rows: Readonly<Record<Stream, UsageRows>>;
  /** Whether a contract bears on the account, so that its list costs are told too. */
  readonly contracted: boolean;
  /** The state of the ledger that all rows are from. */
  readonly position: number;
}

/**
 * Answers a question for one account. Deployments that run are counted up to `now`.
 * Rows come in the order of their start, then group values (by code unit), then usage type.
 */
export async function billingUsage(
  sources: ReportSources,
  account: string,
  question: UsageQuery,
  now: Instant,
): Promise<UsageReport> {
  const { plan, sums, position, facts } = await readUsage(sources, account, question, now);
  const rows: Record<Stream, UsageRows> = { SERVERLESS: [], DEDICATED_DEPLOYMENT: [], TRAINING: [] };
  for (const [at, stream] of plan.streams.entries()) rows[stream.stream] = foldRows(sums[at]!, plan, stream, facts);
  return { question, account, rows, contracted: sources.tariff.contract !== undefined, position };
}

/** What the rows of a question are made of, from one state of the ledger. */
export interface UsageReading {
  readonly plan: UsagePlan;
  /** For each of the plan's streams. */
  readonly sums: readonly SumRows[];
  readonly position: number;
  /** The instant up to which raw events were dropped. */
  readonly keptFrom: Instant | undefined;
  readonly facts: FoldFacts;
}

/** Reads what a question is about. Deployments that run are counted up to `now`. */
export async function readUsage(
  sources: ReportSources,
  account: string,
  question: UsageQuery,
  now: Instant,
): Promise<UsageReading> {
  const { tariff } = sources;
  const plan = planUsage(question, account, priceEdges(tariff, question.range));
  const questions = plan.streams.map((stream) => stream.question);
  const [{ rows: sums, position, keptFrom }, keyNames] = await Promise.all([
    readSums(sources, account, questions, now),
    sources.accounts.keyNames(account),
  ]);
  return { plan, sums, position, keptFrom, facts: { account, keyNames, tariff } };
}
