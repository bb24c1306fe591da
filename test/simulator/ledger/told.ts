/** Calls and answers, each told in one line, so that two of them can be compared. */

import { METERS } from "../../../src/domain/usage.ts";
import type { SumRow, SumRows } from "../../../src/ledger/ledger.ts";
import type { Call, Kept } from "./oracle.ts";

const SECOND = 1_000;

export function lineOf({ segment, values, events, quantities }: SumRow): string {
  return `${JSON.stringify([segment, values])} ${[events, ...quantities].join(" ")}`;
}

export function total(rows: SumRows): bigint[] {
  const sums = [0n, ...METERS.map(() => 0n)];
  for (const { events, quantities } of rows)
    for (const [at, one] of [events, ...quantities].entries()) sums[at]! += one;
  return sums;
}

export function keptLine(kept: { readonly [Part in keyof Kept]: Kept[Part] | undefined }): string {
  const { id, time, sent, series, quantities, receivedAt, voidedAt } = kept;
  return JSON.stringify([id, time, sent, series, quantities, receivedAt, voidedAt]);
}

/** An engine keeps the second of an arrival. */
export function secondOf(kept: Kept): Kept {
  return { ...kept, receivedAt: Math.floor(kept.receivedAt / SECOND) * SECOND };
}

export function shown(call: Call): string {
  if (call.kind === "void") return `void ${call.account} ${call.ids.join(",")}`;
  return `append ${call.account} ${call.events.map(({ id, time }) => `${id}@${new Date(time).toISOString()}`).join(",")}`;
}
