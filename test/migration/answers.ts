/** What a server answers, so that it can be held against what another answers. */

import assert from "node:assert/strict";
import { start } from "../process/daybook.ts";
import { ask } from "../process/http.ts";

export interface Asked {
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly accounts: readonly string[];
  /** Milliseconds since the epoch; at most 31 days. */
  readonly range: readonly [start: number, end: number];
}

/** Starts a server and returns its answers to the same questions, each as the bytes it sent. */
export async function answersOf({ folder, env, accounts, range }: Asked): Promise<Map<string, string>> {
  const { daybook, url } = await start({ folder, ...(env && { env }) });
  const [from, to] = range.map((time) => new Date(time).toISOString());
  const between = `startTime=${from}&endTime=${to}`;
  const paths = accounts.flatMap((account) => [
    `/v1/accounts/${account}/billingUsage?${between}&groupBy=model_name&groupBy=annotations.team&granularity=HOURLY`,
    `/v1/accounts/${account}/billingUsage?${between}&timezone=Asia/Kathmandu`,
    `/v1/accounts/${account}/billing/summary?${between}`,
    `/v1/accounts/${account}/billing/metrics:export?${between}`,
    `/v1/accounts/${account}/quotas`,
    `/v1/accounts/${account}/users/-/apiKeys`,
  ]);
  const texts = new Map<string, string>();
  for (const path of [...paths, "/v1/accounts", "/v1/priceBooks"]) {
    const answer = await ask(url, { path });
    assert.ok(answer.kind === "answered" && answer.status === 200, `${path}: ${JSON.stringify(answer).slice(0, 300)}`);
    // Quotas tell when they were asked; a key's last use is this very call.
    texts.set(path, answer.body.replaceAll(/"(updateTime|lastUsed)":"[^"]*"/g, "$1"));
  }
  assert.equal((await daybook.stop()).code, 0);
  return texts;
}

/** The same answers, byte for byte; where they are not, the place of the first difference is told and not all of it. */
export function assertAlike(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): void {
  assert.deepEqual([...one.keys()], [...other.keys()]);
  for (const [path, text] of one) {
    const against = other.get(path)!;
    let at = 0;
    while (at < text.length && text[at] === against[at]) at += 1;
    const around = (of: string): string => of.slice(Math.max(0, at - 100), at + 100);
    assert.ok(text === against, `${path}, at ${at}:\n${around(text)}\n${around(against)}`);
  }
}
