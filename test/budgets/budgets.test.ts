/**
 * Budgets against a naive model, whatever the order in which calls, the ledger's carrier and its reader get their turns:
 * no budget is ever overspent, and no call is refused while money is left beside the open reservations.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Budget, BudgetScope, Limits } from "../../src/accounts/records.ts";
import { Budgets, type Decision } from "../../src/budgets/budgets.ts";
import { ATTO_PER_USD } from "../../src/domain/money.ts";

const ACCOUNT = "a";
const USD = ATTO_PER_USD;
const MONTH = Date.UTC(2026, 4, 1);

interface Call {
  readonly key: number;
  readonly team: number;
  readonly worst: number;
  /** At most the worst; the call fails without usage where it is undefined. */
  readonly actual: number | undefined;
}

interface Spent {
  readonly id: string;
  readonly usd: bigint;
  readonly key: string;
  readonly team: string;
}

const callOf: fc.Arbitrary<Call> = fc
  .record({ key: fc.nat(1), team: fc.nat(1), worst: fc.integer({ min: 1, max: 6 }), part: fc.nat(7) })
  .map(({ key, team, worst, part }) => ({ key, team, worst, actual: part === 7 ? undefined : Math.min(part, worst) }));

const scopes: readonly { readonly id: string; readonly scope: BudgetScope }[] = [
  { id: "k0", scope: { kind: "apiKey", apiKeyId: "key0" } },
  { id: "t1", scope: { kind: "tag", tag: "team", value: "team1" } },
];

function isOf(scope: BudgetScope, { key, team }: Pick<Spent, "key" | "team">): boolean {
  if (scope.kind === "apiKey") return scope.apiKeyId === key;
  return scope.kind === "account" || scope.value === team;
}

function limitsOf(limits: readonly [number, number, number]): Limits {
  const [all, ...own] = limits;
  const budgets = scopes.map(({ id, scope }, at): Budget => {
    return { account: ACCOUNT, id, scope, monthlyUsd: BigInt(own[at]!), createTime: 0, updateTime: 0 };
  });
  return { timezone: "UTC", monthlySpendUsd: BigInt(all), requestsPerMinute: undefined, budgets };
}

/** The world that the budgets look at: a ledger, a spool before it, and the truth about both. */
class World {
  clock = MONTH + 1;
  readonly ledger = new Map<string, Spent>();
  spool: Spent[] = [];
  /** Settled calls, wherever their usage is, and what is reserved. */
  readonly settled: Spent[] = [];
  readonly open = new Set<Spent>();
  readonly schedule: <T>(value: T) => Promise<T>;
  readonly rules: readonly { readonly name: string; readonly scope: BudgetScope; readonly limit: bigint }[];
  readonly budgets: Budgets;
  #idle: (() => void)[] = [];
  isCarrying = false;

  constructor(scheduler: fc.Scheduler, limits: Limits, earlier: readonly Spent[]) {
    this.schedule = (value) => scheduler.schedule(Promise.resolve(value));
    this.rules = [
      { name: "monthly-spend-usd", scope: { kind: "account" }, limit: limits.monthlySpendUsd! * USD },
      ...limits.budgets.map(({ id, scope, monthlyUsd }) => ({ name: id, scope, limit: monthlyUsd * USD })),
    ];
    // What an earlier process left: some in the ledger, some still on its way.
    for (const [at, one] of earlier.entries()) {
      this.settled.push(one);
      if (at % 2 === 0) this.ledger.set(one.id, one);
      else this.spool.push(one);
    }
    this.budgets = new Budgets({
      now: () => this.clock,
      limits: () => this.schedule(limits),
      spent: async (_account, _month, asked) => {
        await this.schedule("reading begins");
        const sums = asked.map((scope) => sumOf([...this.ledger.values()].filter((one) => isOf(scope, one))));
        return this.schedule(sums);
      },
    });
    this.budgets.follow(() => {
      if (this.spool.length === 0 && !this.isCarrying) return Promise.resolve();
      return new Promise((resolve) => this.#idle.push(resolve));
    });
  }

  async carry(rounds: number): Promise<void> {
    for (let round = 0; round < rounds || this.spool.length > 0; round += 1) {
      await this.schedule("carrier");
      this.isCarrying = true;
      const batch = this.spool;
      this.spool = [];
      const ids = batch.map(({ id }) => id);
      await this.budgets.carry(ACCOUNT, ids, async () => {
        await this.schedule("carrying");
        for (const one of batch) this.ledger.set(one.id, one);
        await this.schedule("carried");
      });
      this.isCarrying = false;
      if (this.spool.length === 0) for (const resolve of this.#idle.splice(0)) resolve();
      this.clock += 400;
    }
  }

  async call(id: string, { key, team, worst, actual }: Call): Promise<void> {
    await this.schedule(`call ${id}`);
    const [apiKeyId, annotations] = [`key${key}`, { team: `team${team}` }];
    const spender = { apiKeyId, annotations };
    const worstCase: Spent = { id, usd: BigInt(worst) * USD, key: apiKeyId, team: annotations.team };
    const call = { account: ACCOUNT, ...spender, time: this.clock, worstAtto: worstCase.usd };
    const decision = await this.budgets.reserve(call).then((made) => {
      // At once: every decision comes here as many turns after it was made.
      this.judge(made, worstCase);
      if (made.kind === "held") this.open.add(worstCase);
      this.#refuseOverspent();
      return made;
    });
    if (decision.kind !== "held") return;
    await this.schedule(`answer ${id}`);
    this.open.delete(worstCase);
    if (actual === undefined) return this.budgets.release(decision.reservation);
    const used = { ...worstCase, usd: BigInt(actual) * USD };
    const usage = { account: ACCOUNT, eventId: id, ...spender, time: call.time, atto: used.usd };
    this.budgets.settle(usage, decision.reservation);
    this.settled.push(used);
    this.spool.push(used);
  }

  /** A refusal must have had its reason at the moment of the decision, by the truth and not by what the budgets think. */
  judge(decision: Decision, call: Spent): void {
    if (decision.kind === "held" || decision.kind === "free") return;
    const { name } = decision.standing;
    const { scope, limit } = this.rules.find((rule) => rule.name === name)!;
    const spent = sumOf(this.settled.filter((one) => isOf(scope, one)));
    const open = sumOf([...this.open].filter((one) => isOf(scope, one)));
    const needed = decision.kind === "spent" ? spent + call.usd : spent + open + call.usd;
    assert.ok(needed > limit, `${decision.kind} ${name}: ${needed / USD} of ${limit / USD} USD at ${call.id}`);
  }

  #refuseOverspent(): void {
    for (const { name, scope, limit } of this.rules) {
      const all = [...this.settled, ...this.open].filter((one) => isOf(scope, one));
      assert.ok(sumOf(all) <= limit, `${name} holds ${sumOf(all) / USD} of ${limit / USD} USD`);
    }
  }
}

function sumOf(spents: readonly Spent[]): bigint {
  return spents.reduce((sum, { usd }) => sum + usd, 0n);
}

test("no interleaving overspends a budget, or refuses a call that it has money for", async () => {
  const limit = fc.integer({ min: 4, max: 30 });
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(callOf, { minLength: 1, maxLength: 24 }),
      fc.tuple(limit, limit, limit),
      fc.nat(2),
      async (scheduler, calls, limits, earlier) => {
        const left = Array.from({ length: earlier }, (_, at): Spent => {
          return { id: `earlier${at}`, usd: USD, key: `key${at % 2}`, team: `team${at % 2}` };
        });
        const world = new World(scheduler, limitsOf(limits), left);
        const all = [world.carry(6), ...calls.map((call, at) => world.call(`c${at}`, call))];
        const ended = Promise.all(all);
        await scheduler.waitFor(ended);
      },
    ),
    { numRuns: 400 },
  );
});
