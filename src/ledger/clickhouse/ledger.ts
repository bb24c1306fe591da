/** The ledger on ClickHouse: one journal for any number of processes. README.md says why each part is as it is. */

import { overloaded } from "../../domain/fault.ts";
import { type Instant, SLOT_MS } from "../../domain/time.ts";
import { EVENTS_PER_CALL_MAX, type KeptEvent, type UsageBatch } from "../../domain/usage.ts";
import {
  type AppendOutcome,
  type ChangesPage,
  type ChangesQuestion,
  type DropAsk,
  type EventCount,
  type EventsPage,
  type EventsQuestion,
  eventDropped,
  type Ledger,
  refuseDroppedCopy,
  refuseDroppedEdges,
  refuseDroppedPage,
  type SumQuestion,
  type SumRow,
  type Sums,
  type VoidOutcome,
} from "../ledger.ts";
import { changedEvents, countEvents } from "./changes.ts";
import type { WriterCall } from "./commit.ts";
import { isDropped, keptFromOf, readDrops } from "./drops.ts";
import { Engine, type EngineConnection } from "./engine.ts";
import { findEvents, identityKey, keptOf, STORED_COLUMNS, type StoredEvent, storedEvents } from "./entries.ts";
import { asUnusable, unusable } from "./failures.ts";
import { SeriesLabels, seriesName } from "./labels.ts";
import { Lane } from "./lane.ts";
import { laneOf, migrate } from "./schema.ts";
import { sql } from "./statement.ts";
import { seriesStatement, sumRows, sumStatement } from "./sums.ts";

export interface ClickHouseLedgerOptions extends EngineConnection {
  /** The name of the cluster to keep the tables on, replicated; one node when left out. */
  readonly cluster?: string;
}

/** Events that may wait for the engine; more are refused before any work, with Retry-After. */
const EVENTS_WAITING_MAX = 20 * EVENTS_PER_CALL_MAX;
/** How often sums are read between two equal positions before they are read up to a commit. */
const QUIET_READS_MAX = 4;
const VERSION_MIN = [24, 8] as const;

export class ClickHouseLedger implements Ledger {
  readonly #engine: Engine;
  readonly #labels: SeriesLabels;
  readonly #lanes = new Map<number, Lane>();
  #eventsWaiting = 0;

  private constructor(engine: Engine) {
    this.#engine = engine;
    this.#labels = new SeriesLabels(engine);
  }

  /**
   * Reaches the engine and brings its tables up to date.
   * @throws Fault `ledger_unusable` for an engine that is too old, that does not know the user, the password or the
   * database, and for tables that are too new; `unavailable` when the engine does not answer.
   */
  static async open({ cluster, ...connection }: ClickHouseLedgerOptions): Promise<ClickHouseLedger> {
    const engine = new Engine(connection, { replicated: cluster !== undefined });
    try {
      const [[version] = [""]] = await engine.rows(sql`SELECT version()`);
      const [major, minor] = version!.split(".").map(Number) as [number, number];
      if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) {
        throw unusable(`it is ClickHouse ${version}; it takes ${VERSION_MIN.join(".")} or newer`);
      }
      const unknown = await migrate(engine, cluster);
      if (unknown > 0)
        throw unusable(`its tables were made by a newer daybook (${unknown} steps more); upgrade daybook`);
      return new ClickHouseLedger(engine);
    } catch (error) {
      await engine.close();
      throw asUnusable(error);
    }
  }

  /** Resolves when the engine answers. @throws Fault `unavailable`. */
  async ready(): Promise<void> {
    await this.#engine.rows(sql`SELECT 1`);
  }

  async append(account: string, batch: UsageBatch, at: Instant): Promise<AppendOutcome> {
    if (batch.ids.length === 0) return { created: 0, duplicates: 0, conflicts: [] };
    const names = batch.labels.map((labels) => seriesName(account, labels));
    const call: WriterCall = { kind: "append", account, batch, names, at };
    return (await this.#write(call, batch.ids.length)) as AppendOutcome;
  }

  async void(account: string, ids: readonly string[], at: Instant): Promise<VoidOutcome[]> {
    if (ids.length === 0) return [];
    return (await this.#write({ kind: "void", account, ids, at }, ids.length)) as VoidOutcome[];
  }

  async #write(call: WriterCall, events: number) {
    if (this.#eventsWaiting > 0 && this.#eventsWaiting + events > EVENTS_WAITING_MAX) {
      throw overloaded();
    }
    this.#eventsWaiting += events;
    try {
      return await this.#lane(laneOf(call.account)).run(call);
    } finally {
      this.#eventsWaiting -= events;
    }
  }

  #lane(number: number): Lane {
    const known = this.#lanes.get(number);
    if (known) return known;
    const lane = new Lane(this.#engine, this.#labels, number);
    this.#lanes.set(number, lane);
    return lane;
  }

  async sum(account: string, questions: readonly SumQuestion[]): Promise<Sums> {
    const keptFrom = keptFromOf(await readDrops(this.#engine, laneOf(account), [account]));
    refuseDroppedEdges(questions, keptFrom);
    return { ...(await this.#sums(account, questions)), ...(keptFrom !== undefined && { keptFrom }) };
  }

  async #sums(account: string, questions: readonly SumQuestion[]): Promise<Omit<Sums, "keptFrom">> {
    // A commit becomes visible at once, so what is read between two equal positions is one state.
    let position = await this.#position(account);
    for (let reads = 0; reads < QUIET_READS_MAX; reads += 1) {
      const rows = await this.#answers(account, questions);
      const after = await this.#position(account);
      if (after === position) return { rows, position };
      position = after;
    }
    // Somebody writes all the time: the journal itself is read, up to that commit.
    return { rows: await this.#answers(account, questions, position), position };
  }

  async #position(account: string): Promise<number> {
    const [[position] = ["0"]] = await this.#engine.rows(
      sql`SELECT maxIf(\`commit\`, counted != 0) FROM entries WHERE lane = ${laneOf(account)} AND account = ${account}`,
    );
    return Number(position);
  }

  #answers(account: string, questions: readonly SumQuestion[], upTo?: number): Promise<SumRow[][]> {
    const scope = { lane: laneOf(account), account, ...(upTo === undefined ? {} : { upTo }) };
    return Promise.all(
      questions.map(async (question) => {
        const statement = sumStatement(scope, question);
        return statement ? sumRows(await this.#engine.rows(statement), question) : [];
      }),
    );
  }

  async find(account: string, id: string): Promise<KeptEvent | undefined> {
    const key = identityKey(account, id);
    const found = await findEvents(this.#engine, laneOf(account), new Map([[key, { account, id }]]));
    const event = found.get(key);
    if (!event) return undefined;
    if (isDropped(await readDrops(this.#engine, laneOf(account), [account]), event)) throw eventDropped(id);
    return (await this.#kept(account, [event]))[0];
  }

  async events(account: string, question: EventsQuestion): Promise<EventsPage> {
    const { range, usageTypes, filters = [], after, limit } = question;
    refuseDroppedPage(question, keptFromOf(await readDrops(this.#engine, laneOf(account), [account])));
    const narrow = usageTypes !== undefined || filters.length > 0;
    const wanted = narrow ? sql` AND series IN (${seriesStatement(account, question, [])})` : sql``;
    const from = after ? sql` AND (slot, arrival) > (${after.slot}, ${after.arrival})` : sql``;
    // An event has two entries at most, and one event more than the page tells whether there is another page.
    const rows = await this.#engine.rows(
      sql`SELECT ${STORED_COLUMNS} FROM entries
          WHERE lane = ${laneOf(account)} AND account = ${account} AND counted != 0
            AND slot >= ${Math.floor(range.start / SLOT_MS)} AND slot <= ${Math.floor(range.end / SLOT_MS)}${from}
            AND time >= ${range.start} AND time < ${range.end}${wanted}
          ORDER BY slot, arrival, counted LIMIT ${2 * (limit + 1)}`,
    );
    const found = storedEvents(rows);
    const page = found.slice(0, limit);
    const events = await this.#kept(account, page);
    if (found.length <= limit) return { events };
    const { slot, arrival } = page.at(-1)!;
    return { events, next: { slot, arrival } };
  }

  async changes(account: string, question: ChangesQuestion): Promise<ChangesPage> {
    const scope = { lane: laneOf(account), account };
    const mark = String(await this.#position(account));
    const page = await changedEvents(this.#engine, scope, question);
    // After the reading: what was dropped meanwhile may be missing from it.
    refuseDroppedCopy(account, keptFromOf(await readDrops(this.#engine, scope.lane, [account])));
    const events = await this.#kept(account, page.events);
    if (page.isLast) return { events, mark };
    const { slot, arrival } = page.events.at(-1)!;
    return { events, mark, next: { slot, arrival } };
  }

  async count(account: string): Promise<EventCount> {
    const scope = { lane: laneOf(account), account };
    refuseDroppedCopy(account, keptFromOf(await readDrops(this.#engine, scope.lane, [account])));
    return countEvents(this.#engine, scope);
  }

  async #kept(account: string, events: readonly StoredEvent[]): Promise<KeptEvent[]> {
    const names = events.flatMap(({ series, sent }) => [series, sent]);
    const labels = await this.#labels.read([account], names);
    return events.map((event) => keptOf(event, labels));
  }

  async dropEvents(account: string, ask: DropAsk): Promise<number> {
    return (await this.#write({ ...ask, kind: "drop", account }, 1)) as number;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.close()));
    await this.#engine.close();
  }
}
