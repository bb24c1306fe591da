/**
 * A process that spends budgets as a gateway does: its own budgets on the accounts that it shares, its own spool, and
 * the ledger of the process that started it. It does what it is told in messages, many at a time.
 */

import { setTimeout as wait } from "node:timers/promises";
import { Accounts } from "../../src/accounts/store.ts";
import { Budgets, type Decision, type Reservation } from "../../src/budgets/budgets.ts";
import { ATTO_PER_USD } from "../../src/domain/money.ts";
import { recordWriter } from "../../src/gateway/carry.ts";
import { Drainer } from "../../src/gateway/drainer.ts";
import { Spool } from "../../src/gateway/spool.ts";
import type { UsageBody } from "../../src/service.ts";
import { DOLLAR, type LedgerAsks, MILL, NOW } from "./ledger-owner.ts";

export interface Start {
  readonly url: string;
  readonly spoolFolder: string;
  readonly spool: string;
  readonly beatMs: number;
}

/** A call of the tests. */
export interface TestCall {
  readonly id: string;
  readonly account: string;
  readonly key: string;
  readonly team: string;
  readonly model: typeof DOLLAR | typeof MILL;
  /** In tokens of the model. */
  readonly worst: number;
}

/** What came of many calls. */
export interface Stormed {
  readonly paid: readonly string[];
  readonly refused: number;
  readonly waited: number;
}

/** What the process can be told to do. */
export interface Orders {
  reserve(call: TestCall): Promise<Decision>;
  /** Counts the usage and writes it to the spool. */
  settle(call: TestCall, tokens: number): Promise<void>;
  /** Counts the usage, and finds that it cannot be written. */
  lose(call: TestCall, tokens: number): Promise<void>;
  release(call: TestCall): Promise<void>;
  /** Makes as many calls as it is told of, each until it is paid or the budget is spent. Some fail and try again. */
  storm(account: string, name: string, calls: number): Promise<Stormed>;
  /** Requests of a key with a limit, all at once; how many were let through. */
  request(account: string, key: string, limit: bigint, count: number): Promise<number>;
  close(): Promise<void>;
}

const FAILS_EVERY = 7;
/** Calls begin within this time of each other. */
const START_MS_MAX = 2_000;

const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
let asked = 0;

function tell(message: object): void {
  process.send?.(message);
}

/** Asks the owner of the ledger. */
function ask(method: keyof LedgerAsks, args: readonly unknown[]): Promise<never> {
  asked += 1;
  const id = asked;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
    tell({ kind: "ask", id, method, args });
  });
}

async function open({ url, spoolFolder, spool: name, beatMs }: Start): Promise<Orders> {
  const accounts = await Accounts.open({ place: { url }, now: () => NOW, randomBytes: (count) => Buffer.alloc(count) });
  const limits = (account: string) => accounts.limits(account);
  const spent: LedgerAsks["spent"] = (...args) => ask("spent", args);
  const hasEvent: LedgerAsks["hasEvent"] = (...args) => ask("hasEvent", args);
  const budgets = new Budgets(
    { now: () => NOW, limits, spent },
    { ...accounts.shared!, spool: name, hasEvent, beatMs },
  );
  const writeUsage = (account: string, { bytes }: UsageBody) => {
    const lines = Buffer.from(bytes).toString().trim().split("\n");
    return ask("write", [account, lines.map((line) => JSON.parse(line))]);
  };
  const spool = Spool.open({ folder: spoolFolder, maxBytes: 1_000_000_000 });
  const hooks = { onWritten() {}, onDamaged() {}, onAway() {} };
  const drainer = new Drainer(spool, recordWriter({ budgets, writeUsage }), hooks);
  budgets.follow(() => drainer.caughtUp());
  const held = new Map<string, Reservation>();
  const attoOf = (model: string, tokens: number) => (BigInt(tokens) * ATTO_PER_USD) / (model === DOLLAR ? 1n : 1_000n);

  const reserve: Orders["reserve"] = async ({ id, account, key, team, model, worst }) => {
    const spender = { apiKeyId: key, annotations: { team } };
    const decision = await budgets.reserve({ account, time: NOW, worstAtto: attoOf(model, worst), ...spender });
    if (decision.kind === "held") held.set(id, decision.reservation);
    return decision;
  };
  const count = ({ id, account, key, team, model }: TestCall, tokens: number): Promise<void> => {
    const usage = {
      account,
      eventId: id,
      time: NOW,
      apiKeyId: key,
      annotations: { team },
      atto: attoOf(model, tokens),
    };
    return budgets.settle(usage, held.get(id));
  };
  const settle: Orders["settle"] = async (call, tokens) => {
    await count(call, tokens);
    const { id, account, key: apiKeyId, team, model } = call;
    const usage = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model, promptTokens: tokens, completionTokens: 0 };
    const event = { id, time: new Date(NOW).toISOString(), apiKeyId, annotations: { team }, ...usage };
    await spool.append({ account, event });
    budgets.release(held.get(id));
  };
  const release: Orders["release"] = async ({ id }) => budgets.release(held.get(id));

  async function callUntilSettled(call: TestCall, fails: boolean, stormed: { waited: number }): Promise<boolean> {
    let isFailing = fails;
    await wait(Math.random() * START_MS_MAX);
    for (;;) {
      const decision = await reserve(call);
      if (decision.kind === "held") {
        await wait(Math.random() * 5);
        if (!isFailing) {
          await settle(call, call.worst);
          return true;
        }
        await release(call);
        isFailing = false;
      } else if (decision.kind === "free") throw new Error("the budget holds every call");
      else {
        // Calls that all cost the same spend a budget, or keep it, to the last cent: one beyond it would be seen here.
        const { spent: gone, open: kept, limit } = decision.standing;
        const used = decision.kind === "spent" ? gone : gone + kept;
        if (used !== limit) throw new Error(`${decision.kind} at ${gone} + ${kept} of ${limit}`);
        if (decision.kind === "spent") return false;
        stormed.waited += 1;
        await wait(5 + Math.random() * 20);
      }
    }
  }

  return {
    reserve,
    settle,
    async lose(call, tokens) {
      await count(call, tokens);
      budgets.unsettle(call.account, call.id);
    },
    release,
    async storm(account, name, calls) {
      const stormed = { paid: [] as string[], refused: 0, waited: 0 };
      const all = Array.from({ length: calls }, async (_, at) => {
        const call = { id: `${name}-${at}`, account, key: "k", team: "t", model: MILL, worst: 1 } as const;
        if (!(await callUntilSettled(call, at % FAILS_EVERY === 0, stormed))) stormed.refused += 1;
        else {
          stormed.paid.push(call.id);
          tell({ kind: "paid", event: call.id });
        }
      });
      await Promise.all(all);
      return stormed;
    },
    async request(account, key, limit, count) {
      const answers = await Promise.all(Array.from({ length: count }, () => budgets.rates.take(account, key, limit)));
      return answers.filter(({ isAllowed }) => isAllowed).length;
    },
    async close() {
      await drainer.close();
      await spool.close();
      await budgets.close();
      await accounts.close();
    },
  };
}

let orders: Promise<Orders> | undefined;
process.on("message", async (message: Message) => {
  if (message.kind === "answer") {
    const { resolve, reject } = waiting.get(message.id)!;
    waiting.delete(message.id);
    return message.error === undefined ? resolve(message.value) : reject(new Error(message.error));
  }
  if (message.kind === "start") orders = open(message.start);
  const order = message.kind === "start" ? Promise.resolve(orders).then(() => {}) : obey(message);
  const answer = await order.then(
    (value) => ({ value }),
    (error: Error) => ({ error: error.stack ?? error.message }),
  );
  tell({ kind: "answer", id: message.id, ...answer });
  if (message.kind === "order" && message.order === "close") process.disconnect?.();
});

async function obey({ order, args }: Message & { kind: "order" }): Promise<unknown> {
  const known = (await orders)!;
  const method = known[order] as (...args: readonly unknown[]) => Promise<unknown>;
  return method(...args);
}

type Message =
  | { readonly kind: "start"; readonly id: number; readonly start: Start }
  | { readonly kind: "order"; readonly id: number; readonly order: keyof Orders; readonly args: readonly unknown[] }
  | { readonly kind: "answer"; readonly id: number; readonly value?: unknown; readonly error?: string };
