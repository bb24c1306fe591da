/** A ledger beside its oracle: written, voided, asked, restarted and cut off, through the interface of ledger.ts alone. */

import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Fault, type FaultCode } from "../../../src/domain/fault.ts";
import { batchOf, METERS, SERIES_FIELDS, USAGE_TYPE_NAMES, type UsageEvent } from "../../../src/domain/usage.ts";
import type { EventCursor, Ledger, SumQuestion, SumRows } from "../../../src/ledger/ledger.ts";
import { assertEqual, assertLines, assertOrdered, text } from "../lines.ts";
import { localEdges } from "../local-days.ts";
import { readFiles, writeRemains } from "../power-cut.ts";
import type { Random } from "../random.ts";
import type { World, WorldKind, WorldOptions } from "../world.ts";
import { ZONES } from "../zones.ts";
import { drawEvent, drawFilters, drawHabits, drawOther, drawQuestion, type Habits } from "./draw.ts";
import type { Engine, TendedLedger } from "./engines.ts";
import { type Call, Oracle, type Reply } from "./oracle.ts";
import { orders } from "./orders.ts";
import type { Processes } from "./processes.ts";
import { keptLine, lineOf, secondOf, shown, total } from "./told.ts";

const DAY = 86_400_000;
const ACCOUNTS = ["acme", "umbra", "zero"];
const EVER = { start: Date.UTC(2000, 0, 1), end: Date.UTC(2040, 0, 1) };
const FIRST_START = Date.UTC(2025, 0, 1);
const FIELD_TEAM = SERIES_FIELDS.indexOf("team");
const FIELD_KEY = SERIES_FIELDS.indexOf("apiKeyId");

/** A world of ledgers of this engine. */
export function ledgerWorld(engine: Engine): WorldKind {
  return { name: engine.name, stepsMax: engine.stepsMax, open: (options) => LedgerWorld.open(engine, options) };
}

class LedgerWorld implements World {
  readonly #engine: Engine;
  readonly #options: WorldOptions;
  #oracle = new Oracle();
  readonly #habits: Habits;
  /** The tag that each key gives, as it is now. */
  readonly #keyTeams = new Map<string, string>();
  /** The last position of each account that was told, and the changes that its usage had seen by then. */
  readonly #positions = new Map<string, { readonly position: number; readonly changes: number }>();
  /** With an engine that several share: the ledger is that of one of them, of another one in each step. */
  readonly #processes: Processes | undefined;
  #ledger: TendedLedger;
  #folder: string;
  readonly #recentMax: number;
  #lives = 0;
  #made = 0;
  #now: number;

  private constructor(
    engine: Engine,
    options: WorldOptions,
    start: { ledger: TendedLedger; processes: Processes | undefined; folder: string; recentMax: number },
  ) {
    this.#engine = engine;
    this.#options = options;
    this.#processes = start.processes;
    this.#ledger = start.ledger;
    this.#folder = start.folder;
    this.#recentMax = start.recentMax;
    this.#habits = drawHabits(options.random, ZONES);
    this.#now = FIRST_START + options.random.int(0, 700) * DAY + options.random.int(0, DAY);
  }

  static async open(engine: Engine, options: WorldOptions): Promise<LedgerWorld> {
    const recentMax = options.random.pick([1, 10, 100, 1_000_000]);
    const { folder } = options;
    const processes = await engine.begin?.();
    const ledger = processes?.pick(options.random) ?? (await engine.open!(folder, recentMax));
    return new LedgerWorld(engine, options, { ledger, processes, folder, recentMax });
  }

  async step(random: Random): Promise<void> {
    const filed = this.#engine.filed ? 1 : 0;
    const shared = this.#processes ? 1 : 0;
    if (this.#processes) this.#ledger = this.#processes.pick(random);
    const doing = random.weighted<() => Promise<void>>([
      [40, () => this.#write(random)],
      [2, () => this.#askBeside(random)],
      [25, () => this.#ask(random)],
      [6, () => this.#askDays(random)],
      [8, () => this.#find(random)],
      [6, () => this.#page(random)],
      [8, () => this.#moveClock(random)],
      [3, () => this.#drop(random)],
      [3, () => this.#retag(random)],
      [(filed + shared) * 2, () => this.#writeBad(random)],
      [filed * 2, async () => this.#options.note(this.#settle("checkpoint", random))],
      [filed * 6, async () => this.#options.note(this.#settle("tend", random))],
      [filed + shared, () => this.#restart(random)],
      [filed * 2, () => this.#cutPower(random)],
      [shared * 12, () => this.#writeApart(random)],
      [shared * 5, () => this.#killProcess(random)],
      [shared * 2, () => this.#killEngine(random)],
    ]);
    await doing();
  }

  async finish(): Promise<void> {
    await this.#audit();
    if (this.#processes) assertEqual("verify", await this.#processes.verify(), []);
    if (!this.#engine.verify) return;
    await this.#ledger.close();
    assertEqual("verify", await this.#engine.verify(this.#folder), []);
    this.#ledger = await this.#engine.open!(this.#folder, this.#recentMax);
  }

  close(): Promise<void> {
    return (this.#processes ?? this.#ledger).close();
  }

  /** One to four calls at once; what came of each is what comes of them one after the other. */
  async #write(random: Random): Promise<void> {
    const calls = random.times(1, random.pick([1, 1, 1, 4]), () => this.#drawCall(random));
    this.#options.note(calls.map(shown).join(" and "));
    const replies = await Promise.all(calls.map((call) => this.#send(call)));
    for (const [at, call] of calls.entries()) assertEqual(shown(call), replies[at], this.#oracle.apply(call));
    if (random.chance(0.3)) await this.#askWhole(random.pick(calls).account);
  }

  /** An answer that is asked for while a call is under way tells of all of it, or of nothing. */
  async #askBeside(random: Random): Promise<void> {
    const call = this.#drawCall(random);
    const { account } = call;
    const question = drawQuestion(random, this.#now, this.#habits, this.#oracle.events(account));
    this.#options.note(`${shown(call)} beside ${text(question)}`);
    if (this.#oracle.isRefused(account, question)) return;
    const before = this.#oracle.sum(account, question).sort();
    const [reply, sums] = await Promise.all([this.#send(call), this.#ledger.sum(account, [question])]);
    assertEqual(shown(call), reply, this.#oracle.apply(call));
    const got = Array.from(sums.rows[0]!, lineOf).sort();
    if (text(got) === text(before)) return;
    assertLines(`beside ${shown(call)}: ${text(question)}`, got, this.#oracle.sum(account, question));
  }

  #send(call: Call, ledger: Ledger = this.#ledger): Promise<Reply> {
    if (call.kind === "void") return ledger.void(call.account, call.ids, call.at);
    return ledger.append(call.account, batchOf(call.events), call.at);
  }

  /** Calls of several processes at once, and some of what they send is lost on the way. */
  async #writeApart(random: Random): Promise<void> {
    const calls = random.times(1, 4, () => this.#drawCall(random));
    const trouble = random.chance(0.5) ? this.#processes!.trouble(random) : "none";
    this.#options.note(`${calls.map(shown).join(" and ")}, lost: ${trouble}`);
    const replies = await Promise.all(calls.map((call) => this.#attempt(call, this.#processes!.pick(random))));
    await this.#processes!.calm();
    await this.#settleApart(calls, replies);
  }

  /** Undefined where the call was refused for now: whoever sent it does not know what became of it. */
  async #attempt(call: Call, ledger: Ledger): Promise<Reply | undefined> {
    try {
      return await this.#send(call, ledger);
    } catch (error) {
      if (error instanceof Fault && error.problems[0].code === "unavailable") return undefined;
      throw error;
    }
  }

  /**
   * The replies are those of the calls one after the other, in some order; a call without a reply was done wholly or not
   * at all, and is sent again.
   */
  async #settleApart(calls: readonly Call[], replies: readonly (Reply | undefined)[]): Promise<void> {
    const accounts = [...new Set(calls.map(({ account }) => account))];
    const pages = new Map<string, readonly string[]>();
    for (const account of accounts) {
      const range = { ...EVER, start: Math.max(EVER.start, this.#oracle.keptFrom(account)) };
      pages.set(account, await this.#linesOf(account, { range }, 500));
    }
    // What was not answered may have done something before the horizon of the pages.
    const found = new Map<string, string>();
    for (const call of calls.filter((_, at) => !replies[at])) {
      for (const id of call.kind === "void" ? call.ids : call.events.map((event) => event.id)) {
        found.set(JSON.stringify([call.account, id]), await this.#stateOf(call.account, id));
      }
    }
    const explained = (order: readonly number[]): Oracle | undefined => {
      const fork = this.#oracle.fork();
      for (const at of order) {
        const reply = fork.apply(calls[at]!);
        if (replies[at] && text(replies[at]) !== text(reply)) return undefined;
      }
      for (const [account, lines] of pages) {
        const range = { ...EVER, start: Math.max(EVER.start, fork.keptFrom(account)) };
        const want = fork.pages(account, { range }).map((kept) => keptLine(secondOf(kept)));
        if (text(want) !== text(lines)) return undefined;
      }
      for (const [key, state] of found) {
        const [account, id] = JSON.parse(key) as [string, string];
        const kept = fork.find(account, id);
        if (state !== (kept?.dropped ? DROPPED : text(kept && keptLine(secondOf(kept))))) return undefined;
      }
      return fork;
    };
    const oracle = orders(replies.map((reply) => reply !== undefined))
      .map(explained)
      .find(Boolean);
    if (!oracle)
      throw new Error(`no order of ${calls.map(shown).join(" and ")} gives ${text(replies)} and what is there`);
    this.#oracle = oracle;
    for (const [at, call] of calls.entries()) {
      if (!replies[at]) assertEqual(`again ${shown(call)}`, await this.#send(call), this.#oracle.apply(call));
    }
  }

  /** The event as it is told, or that it was dropped. */
  async #stateOf(account: string, id: string): Promise<string> {
    try {
      const kept = await this.#ledger.find(account, id);
      return text(kept && keptLine(kept));
    } catch (error) {
      if (error instanceof Fault && error.problems[0].code === "event_dropped") return DROPPED;
      throw error;
    }
  }

  /** A process is killed with calls under way. What it sent last may arrive when others have written meanwhile. */
  async #killProcess(random: Random): Promise<void> {
    const calls = random.times(1, 2, () => this.#drawCall(random));
    this.#options.note(`a process is killed in ${calls.map(shown).join(" and ")}`);
    this.#options.counts.crashes += 1;
    const { ledger, ended, end } = this.#processes!.kill(random);
    let dead = false;
    const replies: (Reply | undefined)[] = calls.map(() => undefined);
    const attempts = calls.map(async (call, at) => {
      const reply = await this.#attempt(call, ledger);
      // What a dead process hears, nobody knows.
      if (!dead) replies[at] = reply;
    });
    await Promise.race([ended, Promise.all(attempts)]);
    dead = true;
    end();
    this.#ledger = this.#processes!.pick(random);
    if (random.chance(0.5)) {
      const call = this.#drawCall(random);
      this.#options.note(`  meanwhile ${shown(call)}`);
      calls.push(call);
      replies.push(await this.#send(call));
    }
    await this.#processes!.replace();
    await this.#processes!.calm();
    await this.#settleApart(calls, replies);
    await Promise.all(attempts);
    if (random.chance(0.3)) await this.#audit();
  }

  /** The engine is killed with calls under way, and started on what it has. */
  async #killEngine(random: Random): Promise<void> {
    const calls = random.times(0, 3, () => this.#drawCall(random));
    this.#options.note(`the engine is killed in ${calls.map(shown).join(" and ") || "nothing"}`);
    this.#options.counts.crashes += 1;
    const attempts = calls.map((call) => this.#attempt(call, this.#processes!.pick(random)));
    await wait(random.int(0, random.pick([10, 100])));
    await this.#processes!.killEngine();
    const replies = await Promise.all(attempts);
    await this.#processes!.calm();
    await this.#settleApart(calls, replies);
    await this.#audit();
  }

  #drawCall(random: Random): Call {
    const account = this.#account(random);
    const known = this.#oracle.events(account);
    const at = this.#now;
    if (known.length > 0 && random.chance(0.2)) {
      const ids = random.times(1, 4, () =>
        random.chance(0.9) ? random.pick(known).id : `unheard-${random.int(0, 9)}`,
      );
      return { kind: "void", account, ids, at };
    }
    const events: UsageEvent[] = [];
    for (let left = random.int(1, random.pick([1, 3, 12, 30])); left > 0; left -= 1) {
      const seen = random.chance(0.8) ? known : events;
      const event = random.weighted<() => UsageEvent>([
        [7, () => this.#drawEvent(random)],
        [seen.length > 0 ? 2 : 0, () => random.pick(seen)],
        [seen.length > 0 ? 1 : 0, () => drawOther(random, random.pick(seen))],
      ])();
      events.push(this.#counted(event));
    }
    this.#options.counts.events += events.length;
    return { kind: "append", account, events, at };
  }

  #drawEvent(random: Random): UsageEvent {
    this.#made += 1;
    return drawEvent(random, this.#now, this.#habits, this.#made);
  }

  /** The event under the labels that its key gives it now; they are no part of its content. */
  #counted(event: UsageEvent): UsageEvent {
    const team = event.sent[FIELD_TEAM] || this.#keyTeams.get(event.sent[FIELD_KEY]!) || "";
    return { ...event, series: event.sent.with(FIELD_TEAM, team) };
  }

  #account(random: Random): string {
    return random.weighted([
      [12, ACCOUNTS[0]!],
      [6, ACCOUNTS[1]!],
      [1, ACCOUNTS[2]!],
    ]);
  }

  async #ask(random: Random): Promise<void> {
    const account = this.#account(random);
    const known = this.#oracle.events(account);
    const questions = random.times(1, 2, () => drawQuestion(random, this.#now, this.#habits, known));
    await this.#judge(account, questions);
  }

  /** Undefined where the questions are refused, as they must be. */
  async #judge(account: string, questions: readonly SumQuestion[]): Promise<readonly SumRows[] | undefined> {
    this.#options.counts.questions += questions.length;
    this.#options.note(`ask ${account} ${text(questions)}`);
    if (questions.some((question) => this.#oracle.isRefused(account, question))) {
      await assertRefused("edge_dropped", this.#ledger.sum(account, questions));
      return undefined;
    }
    const { rows, position } = await this.#ledger.sum(account, questions);
    for (const [at, question] of questions.entries()) {
      assertLines(`${account} ${text(question)}`, Array.from(rows[at]!, lineOf), this.#oracle.sum(account, question));
    }
    this.#judgePosition(account, position);
    return rows;
  }

  /** A position never goes back; it rises when the account's usage changed, and at no other time. */
  #judgePosition(account: string, position: number): void {
    const changes = this.#oracle.changes(account);
    const last = this.#positions.get(account) ?? { position: 0, changes: 0 };
    if (Math.sign(position - last.position) !== Math.sign(changes - last.changes)) {
      const rise = `${last.changes} to ${changes} changes`;
      throw new Error(`position of ${account} went from ${last.position} to ${position} with ${rise} of its usage`);
    }
    this.#positions.set(account, { position, changes });
  }

  async #askWhole(account: string): Promise<void> {
    await this.#judge(account, [{ ...WHOLE, edges: [floorDay(this.#now) - 500 * DAY, this.#now + 60 * DAY] }]);
  }

  /** Law 3: the days of a zone add up to their range, and finer groups to coarser ones. */
  async #askDays(random: Random): Promise<void> {
    const account = this.#account(random);
    const end = this.#now + random.int(0, DAY);
    const edges = localEdges(end - random.int(1, 31) * DAY - random.int(0, DAY), end, random.pick(this.#habits.zones));
    const filters = drawFilters(random, this.#habits);
    const whole = { usageTypes: USAGE_TYPE_NAMES, edges: [edges[0]!, end], fields: [], filters };
    const fine = { usageTypes: USAGE_TYPE_NAMES, edges, fields: ["usageType", "model", "team"] as const, filters };
    const answer = await this.#judge(account, [whole, fine]);
    if (answer) assertEqual(`${account}: days and groups add up`, total(answer[1]!), total(answer[0]!));
  }

  async #find(random: Random): Promise<void> {
    const account = this.#account(random);
    const known = this.#oracle.events(account);
    const id = known.length > 0 && random.chance(0.9) ? random.pick(known).id : "unheard";
    this.#options.counts.questions += 1;
    const kept = this.#oracle.find(account, id);
    if (kept?.dropped) return assertRefused("event_dropped", this.#ledger.find(account, id));
    const found = await this.#ledger.find(account, id);
    assertEqual(`find ${account} ${id}`, found && keptLine(found), kept && keptLine(secondOf(kept)));
  }

  async #page(random: Random): Promise<void> {
    const end = this.#now + random.int(-DAY, DAY);
    const range = random.chance(0.4) ? EVER : { start: end - random.pick([1, 900_000, DAY, 40 * DAY]), end };
    const usageTypes = random.chance(0.7) ? undefined : [random.pick(USAGE_TYPE_NAMES)];
    await this.#readPages(
      this.#account(random),
      { range, ...(usageTypes ? { usageTypes } : {}) },
      random.pick([3, 50]),
    );
  }

  async #readPages(
    account: string,
    question: Pick<Parameters<Ledger["events"]>[1], "range" | "usageTypes">,
    limit: number,
  ): Promise<void> {
    if (question.range.start < this.#oracle.keptFrom(account)) {
      return assertRefused("events_dropped", this.#ledger.events(account, { ...question, limit }));
    }
    const lines = await this.#linesOf(account, question, limit);
    this.#options.counts.questions += 1;
    const want = this.#oracle.pages(account, question).map((kept) => keptLine(secondOf(kept)));
    assertOrdered(`pages of ${account} ${text(question)}`, lines, want);
  }

  async #linesOf(
    account: string,
    question: Pick<Parameters<Ledger["events"]>[1], "range" | "usageTypes">,
    limit: number,
  ): Promise<string[]> {
    const lines: string[] = [];
    let after: EventCursor | undefined;
    do {
      const page = await this.#ledger.events(account, { ...question, limit, ...(after ? { after } : {}) });
      lines.push(...page.events.map(keptLine));
      after = page.next;
    } while (after);
    return lines;
  }

  /** Retention: raw events of old days are dropped, a piece at a time; no answer about whole slots changes. */
  async #drop(random: Random): Promise<void> {
    const account = this.#account(random);
    const before = floorDay(this.#now) - random.pick([0, 1, 3, 30, 100]) * DAY;
    const limit = random.pick([1, 5, 100_000]);
    this.#options.note(`drop ${limit} of ${account} before ${new Date(before).toISOString()}`);
    const dropped = await this.#ledger.dropEvents(account, { before, limit });
    assertEqual("dropped", dropped, this.#oracle.drop(account, { before, limit }));
    if (random.chance(0.5)) await this.#askWhole(account);
  }

  /** Mostly on, sometimes far, sometimes back. */
  async #moveClock(random: Random): Promise<void> {
    const by = random.weighted([
      [6, random.int(1, 10_000)],
      [3, random.int(1, DAY)],
      [1, random.int(1, 20) * DAY],
      [1, -random.int(1, 2 * DAY)],
    ]);
    this.#now += by;
    this.#options.note(`clock ${by} ms`);
  }

  async #retag(random: Random): Promise<void> {
    const key = random.pick(["key_1", "key_2", "key_3"]);
    this.#keyTeams.set(key, random.pick(["", "from-key", "search"]));
    this.#options.note(`${key} gives team ${this.#keyTeams.get(key)}`);
  }

  /** A call that the engine cannot take: it fails alone, and writes nothing. */
  async #writeBad(random: Random): Promise<void> {
    const good = this.#drawCall(random);
    const fresh = (id: string): UsageEvent => ({ ...this.#drawEvent(random), id: `${id}-${this.#made}` });
    const events = [fresh("beside-broken"), { ...fresh("broken"), quantities: METERS.map(() => 0.5) }];
    this.#options.note(`${shown(good)} beside a call that cannot be taken`);
    const bad = (): Promise<Reply> => this.#send({ kind: "append", account: "acme", events, at: this.#now });
    const first = random.chance(0.5);
    const [before, reply, after] = await Promise.allSettled([first && bad(), this.#send(good), !first && bad()]);
    assertEqual("a call that cannot be taken", (first ? before : after).status, "rejected");
    const got = reply.status === "fulfilled" ? reply.value : String(reply.reason);
    assertEqual(shown(good), got, this.#oracle.apply(good));
    for (const { id } of events) assertEqual("of a refused call", await this.#ledger.find("acme", id), undefined);
  }

  /** What an engine does at times of its own, and what nobody may see. */
  #settle(what: "checkpoint" | "tend", random: Random): string {
    if (what === "tend") return this.#ledger.tend?.(random) ?? "nothing to tend";
    this.#engine.checkpoint?.(this.#folder);
    return what;
  }

  async #restart(random: Random): Promise<void> {
    this.#options.note("restart");
    this.#options.counts.restarts += 1;
    if (this.#processes) {
      await this.#processes.restart(random);
      this.#ledger = this.#processes.pick(random);
    } else {
      await this.#ledger.close();
      this.#ledger = await this.#engine.open!(this.#folder, this.#recentMax);
    }
    if (random.chance(0.3)) await this.#audit();
  }

  /** Calls whose answer nobody got, or housekeeping, are under way when the power goes. */
  async #cutPower(random: Random): Promise<void> {
    const calls = random.chance(0.75) ? random.times(1, 3, () => this.#drawCall(random)) : [];
    const settled = calls.length === 0 ? random.pick(["checkpoint", "tend", undefined] as const) : undefined;
    this.#options.note(`power cut in ${calls.map(shown).join(" and ") || settled || "nothing"}`);
    this.#options.counts.crashes += 1;
    // After a whole checkpoint the next call begins the log anew.
    if (random.chance(0.3)) this.#settle("checkpoint", random);
    const before = readFiles(this.#folder);
    await Promise.all(calls.map((call) => this.#send(call)));
    if (settled) this.#settle(settled, random);
    const after = readFiles(this.#folder);
    await this.#ledger.close();
    this.#lives += 1;
    this.#folder = join(this.#options.folder, `life-${this.#lives}`);
    writeRemains(this.#folder, before, after, random);
    this.#ledger = await this.#engine.open!(this.#folder, this.#recentMax);
    const left = await this.#learn(calls);
    this.#options.note(`  of ${calls.length} calls ${left} are there`);
    await this.#audit();
  }

  /** Takes into the oracle what is there of unanswered calls: the first of them, each wholly, and nothing of the others. */
  async #learn(calls: readonly Call[]): Promise<number> {
    let there = 0;
    let lost = false;
    for (const call of calls) {
      const effects = this.#oracle.effectsOf(call);
      const found = await Promise.all(effects.map((id) => this.#ledger.find(call.account, id)));
      const done = found.filter((kept) => kept && (call.kind === "append" || kept.voidedAt !== undefined)).length;
      if (done > 0 && done < effects.length) throw new Error(`${done} of ${effects.length} of ${shown(call)} outlived`);
      if (done > 0 && lost) throw new Error(`${shown(call)} outlived, an earlier call did not`);
      if (done > 0) {
        this.#oracle.apply(call);
        there += 1;
      } else if (effects.length > 0) lost = true;
    }
    return there;
  }

  /** Every event, every sum. */
  async #audit(): Promise<void> {
    for (const account of ACCOUNTS) {
      const start = Math.max(EVER.start, this.#oracle.keptFrom(account));
      await this.#readPages(account, { range: { ...EVER, start } }, 500);
      await this.#judge(account, [{ ...WHOLE, fields: SERIES_FIELDS }]);
    }
  }
}

const DROPPED = "dropped";
const WHOLE: SumQuestion = { usageTypes: USAGE_TYPE_NAMES, edges: [EVER.start, EVER.end], fields: [], filters: [] };

function floorDay(instant: number): number {
  return Math.floor(instant / DAY) * DAY;
}

/** The answer is this refusal, and no other. */
async function assertRefused(code: FaultCode, answer: Promise<unknown>): Promise<void> {
  const told = await answer.then(
    () => "answered",
    (error) => (error instanceof Fault ? error.problems[0].code : String(error)),
  );
  assertEqual("refused", told, code);
}
