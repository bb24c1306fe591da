/**
 * The writer of one lane. Calls that wait while a commit is on its way share the next one. Writers of other processes
 * write the same lane: who inserts first under the number of a commit has it, and the others look and plan again. Those
 * that know of each other take turns.
 */

import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { Fault, unavailable } from "../../domain/fault.ts";
import { type AppendCall, type Plan, planCommit, type VoidCall, type WriterCall, type WriterReply } from "./commit.ts";
import { isDropped, planDrop, readDrops } from "./drops.ts";
import type { Engine } from "./engine.ts";
import { type Entry, findEvents, identityKey } from "./entries.ts";
import type { SeriesLabels } from "./labels.ts";
import { ENTRY_COLUMNS } from "./schema.ts";
import { sql } from "./statement.ts";

/** Entries of a commit; a single call may bring more. They go into one block of the engine's. */
const ENTRIES_PER_COMMIT = 50_000;
/** How often a commit is planned anew because another process was first. */
const TRIES_MAX = 100;
/** How often an insert is sent again whose fate nobody told. */
const SENDS_MAX = 4;
const FIRST_PAUSE_MS = 20;
/** How long is waited between two looks for another process's commit. */
const TURN_POLL_MS = 10;
/** How long another process has for its commit, in times that the own one took. */
const TURN = 3;
/**
 * How long after its number was seen to be free an insert may be sent. The engine remembers a bounded number of inserts,
 * so one that a stopped process sends long after would be taken although its number is not free any more.
 */
const FREE_FOR_MS = 30_000;

/** What became of an insert: it is there, another one has its number, or nobody can ever have that number. */
type Fate = "won" | "lost" | "burned";

interface Waiting {
  readonly call: WriterCall;
  readonly resolve: (reply: WriterReply) => void;
  readonly reject: (error: unknown) => void;
}

export class Lane {
  readonly #engine: Engine;
  readonly #labels: SeriesLabels;
  readonly #lane: number;
  #waiting: Waiting[] = [];
  #draining: Promise<void> | undefined;
  /** The last commit as far as this process knows, and when that was so. Knowing too little costs a try, never an event. */
  #head: { readonly commit: number; readonly at: number } | undefined;
  /** Whether another process was first lately. */
  #isContended = false;
  /** Until when others go first, on the clock of performance.now(). */
  #othersUntil = 0;

  constructor(engine: Engine, labels: SeriesLabels, lane: number) {
    this.#engine = engine;
    this.#labels = labels;
    this.#lane = lane;
  }

  /** Resolves when the call's entries are durable and every read sees them. */
  async run(call: WriterCall): Promise<WriterReply> {
    const { promise, resolve, reject } = Promise.withResolvers<WriterReply>();
    this.#waiting.push({ call, resolve, reject });
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
    return promise;
  }

  /** Waits for the calls that were taken on. */
  async close(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    // Calls of the same turn of the event loop come together.
    await wait(0);
    while (this.#waiting.length > 0) {
      await this.#letOthers();
      await this.#settle(this.#nextGroup());
    }
  }

  /**
   * Waits until another process has had the next number, or none wanted it in the time that it takes. Who won one number
   * is always sooner ready for the next than who lost it: without turns, calls would wait for many seconds.
   */
  async #letOthers(): Promise<void> {
    const own = this.#head?.commit ?? 0;
    while (performance.now() < this.#othersUntil && !this.#isContended) {
      await wait(TURN_POLL_MS);
      // What keeps the engine from answering is told to the calls by their commit.
      const head = await this.#lookAtHead().catch(() => undefined);
      if (!head) return;
      this.#isContended = head.commit > own;
    }
  }

  async #lookAtHead(): Promise<{ readonly commit: number; readonly at: number }> {
    const at = Date.now();
    this.#head = { at, commit: await this.#readHead() };
    return this.#head;
  }

  async #settle(group: readonly Waiting[]): Promise<void> {
    try {
      const replies = await this.#commit(group.map(({ call }) => call));
      for (const [at, { resolve }] of group.entries()) resolve(replies[at]!);
    } catch (error) {
      this.#head = undefined;
      // What the engine cannot take fails alone.
      if (group.length > 1 && !(error instanceof Fault)) for (const one of group) await this.#settle([one]);
      else for (const { reject } of group) reject(asFault(error));
    }
  }

  /** The first calls that go into one commit; a drop goes alone. */
  #nextGroup(): Waiting[] {
    let entries = 0;
    const end = this.#waiting.findIndex(({ call }, at) => {
      if (at === 0) {
        entries = sizeOf(call);
        return false;
      }
      entries += sizeOf(call);
      return entries > ENTRIES_PER_COMMIT || call.kind === "drop" || this.#waiting[0]!.call.kind === "drop";
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  async #commit(calls: readonly WriterCall[]): Promise<readonly WriterReply[]> {
    await this.#labels.write(labelsOf(calls));
    for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
      // The head first: what stands by the time of the search includes at least all commits up to it. If there is one
      // more, its number is taken, and this insert is dropped.
      const began = performance.now();
      const { at, commit: last } = this.#head && isFresh(this.#head.at) ? this.#head : await this.#lookAtHead();
      const commit = last + 1;
      const { entries, replies } = await this.#plan(calls, commit);
      if (entries.length === 0) return replies;
      const fate = isFresh(at) ? await this.#write(commit, entries) : "lost";
      this.#head = fate === "lost" ? undefined : { at: Date.now(), commit };
      if (fate === "won") {
        const now = performance.now();
        this.#othersUntil = this.#isContended ? now + TURN * (now - began) : now;
        this.#isContended = false;
        return replies;
      }
      this.#isContended = true;
      // Whoever lost waits a little, each for another while.
      await wait(Math.random() * FIRST_PAUSE_MS);
    }
    throw unavailable(`nothing was written: other processes were first ${TRIES_MAX} times`);
  }

  async #plan(calls: readonly WriterCall[], commit: number): Promise<Plan> {
    const [first] = calls;
    if (first?.kind === "drop") {
      const drop = await planDrop(this.#engine, this.#lane, first.account, first);
      return drop ? { entries: [drop.entry], replies: [drop.events] } : { entries: [], replies: [0] };
    }
    const writes = calls.filter((call) => call.kind !== "drop");
    const known = await findEvents(this.#engine, this.#lane, identitiesOf(writes));
    const events = [...known.values()];
    const accounts = [...new Set(events.map(({ account }) => account))];
    const drops = events.length === 0 ? [] : await readDrops(this.#engine, this.#lane, accounts);
    const labels = await this.#labels.read(
      accounts,
      events.map(({ sent }) => sent),
    );
    return planCommit(writes, { known, labels, commit, dropped: (event) => isDropped(drops, event) });
  }

  async #readHead(): Promise<number> {
    const [[head] = ["0"]] = await this.#engine.rows(
      sql`SELECT max(\`commit\`) FROM entries WHERE lane = ${this.#lane}`,
    );
    return Number(head);
  }

  /** Inserts the entries as this commit, and finds out what became of them. */
  async #write(commit: number, entries: readonly Entry[]): Promise<Fate> {
    const batch = randomUUID();
    const lines = entries.map((entry) => lineOf(this.#lane, entry, commit, batch));
    const token = `${this.#lane}/${commit}`;
    for (let sends = 1; ; sends += 1) {
      let failure: unknown;
      try {
        await this.#engine.insert("entries", { columns: ENTRY_COLUMNS, lines }, token);
      } catch (error) {
        failure = error;
      }
      try {
        const fate = await this.#fateOf(commit, batch, entries[0]!);
        if (fate) return fate;
        if (failure === undefined) return await this.#fateOfDropped(commit, batch, entries[0]!);
      } catch (error) {
        failure ??= error;
      }
      // Nobody has the number yet, and the insert may still be on its way. The same insert under the same token is
      // taken once, whichever of the two comes first.
      if (sends === SENDS_MAX) throw failure;
      await wait(FIRST_PAUSE_MS * 4 ** sends);
    }
  }

  async #fateOf(commit: number, batch: string, first: Entry): Promise<"won" | "lost" | undefined> {
    if (await this.#isOurs(commit, batch, first)) return "won";
    if ((await this.#readHead()) < commit) return undefined;
    // An insert of unknown fate may have come to its end between the two.
    return (await this.#isOurs(commit, batch, first)) ? "won" : "lost";
  }

  async #isOurs(commit: number, batch: string, first: Entry): Promise<boolean> {
    const [row] = await this.#engine.rows(
      sql`SELECT batch FROM entries WHERE lane = ${this.#lane} AND account = ${first.account} AND slot = ${first.slot}
          AND arrival = ${first.arrival} AND counted = ${first.counted} AND \`commit\` = ${commit}`,
    );
    return row?.[0] === batch;
  }

  /**
   * The engine took the insert without an error, yet nobody's entries are there: the number was noted for an insert that
   * did not come to its end, as when the engine is killed between the two. It can never be used, so it is passed over.
   */
  async #fateOfDropped(commit: number, batch: string, first: Entry): Promise<Fate> {
    for (let pause = FIRST_PAUSE_MS; pause < 1_000; pause *= 2) {
      await wait(pause);
      const fate = await this.#fateOf(commit, batch, first);
      if (fate) return fate;
    }
    return "burned";
  }
}

function isFresh(at: number): boolean {
  return Math.abs(Date.now() - at) < FREE_FOR_MS;
}

function sizeOf(call: WriterCall): number {
  if (call.kind === "drop") return 1;
  return call.kind === "append" ? call.batch.ids.length : call.ids.length;
}

function identitiesOf(
  calls: readonly (AppendCall | VoidCall)[],
): Map<string, { readonly account: string; readonly id: string }> {
  const identities = new Map<string, { readonly account: string; readonly id: string }>();
  for (const call of calls) {
    const { account } = call;
    for (const id of call.kind === "append" ? call.batch.ids : call.ids) {
      identities.set(identityKey(account, id), { account, id });
    }
  }
  return identities;
}

function labelsOf(calls: readonly WriterCall[]) {
  const appends = calls.filter((call): call is AppendCall => call.kind === "append");
  return new Map(
    appends.flatMap(({ account, batch, names }) =>
      batch.labels.map((labels, at) => [names[at]!, { account, labels }] as const),
    ),
  );
}

/** One row for the insert, in the order of ENTRY_COLUMNS. */
function lineOf(lane: number, entry: Entry, commit: number, batch: string): string {
  const { account, slot, arrival, counted, id, time, series, sent, quantities, at } = entry;
  return JSON.stringify([
    ...[lane, account, slot, arrival, counted, id, time, series, sent],
    ...quantities,
    ...[at, commit, batch],
  ]);
}

function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  // Not in the engine's words: they show rows, and a commit holds those of several accounts.
  const { type = "" } = error as { readonly type?: string };
  const refused = unavailable(`the ledger's engine refused${type && ` (${type})`}; what was sent may be sent again`);
  return Object.assign(refused, { cause: error });
}
