/**
 * Checks a ledger.db against itself: every sum is made again from raw events, every event is held against its
 * identity.
 * It reads in bounded pieces and shares no arithmetic with the writer.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { DAY_MS, type Instant, SLOT_MS } from "../../domain/time.ts";
import { METER_WIRE_FIELD, METERS } from "../../domain/usage.ts";
import { openFile } from "../../sqlite/file.ts";
import { DroppedEvents } from "./dropped-events.ts";
import { LEDGER_FILE, METER_COLUMNS } from "./schema.ts";
import { arrayStatements } from "./statements.ts";
import { DroppedCheck } from "./verify-dropped.ts";
import { IdentityCheck } from "./verify-identities.ts";
import { packChecker } from "./verify-packs.ts";

/** One thing that is not as it must be. */
export type Difference =
  /** What SQLite says of the file's own structure. */
  | { readonly kind: "file"; readonly message: string }
  /** A sum that is kept is not what its events add up to. `field` is a wire field, or "events" for their number. */
  | {
      readonly kind: "sum";
      readonly account: string;
      readonly slot: Instant;
      readonly series: number;
      readonly field: string;
      readonly kept: bigint;
      readonly recomputed: bigint;
    }
  /** An event to which not just one entry of the identities leads. */
  | { readonly kind: "identity"; readonly account: string; readonly id: string }
  /** Two events of one identity. */
  | { readonly kind: "twice"; readonly account: string; readonly id: string }
  /** An entry of the identities that leads to no event. */
  | { readonly kind: "entry"; readonly slot: Instant; readonly arrival: number }
  /** An event that was dropped and that not just one entry of the identities leads to: it could be counted again. */
  | { readonly kind: "dropped"; readonly slot: Instant; readonly arrival: number }
  /** What is kept of dropped events of a slot is not what was written. */
  | { readonly kind: "dropped_row"; readonly account: string; readonly slot: Instant }
  /** A part of the identities whose filter is damaged or does not know all of them. */
  | { readonly kind: "filter"; readonly part: number }
  /** An event that stands in another slot than its time's, or of a series that the account does not have. */
  | { readonly kind: "event"; readonly account: string; readonly id: string; readonly wrong: "slot" | "series" }
  /** A day with sums and without a version: readers would not see it. */
  | { readonly kind: "day"; readonly account: string; readonly day: Instant }
  /** A day whose pack is not what its sums are: readers would answer from the pack. */
  | { readonly kind: "pack"; readonly account: string; readonly day: Instant }
  /** A counter behind what it counts: it would give a number out twice. */
  | { readonly kind: "counter"; readonly name: string; readonly kept: bigint; readonly used: bigint };

export interface Verification {
  readonly events: number;
  /** Sums by slot and series. */
  readonly sums: number;
  /** Days of accounts whose sums were held against raw events. */
  readonly days: number;
  /** Days whose raw events were dropped: their sums could not be. */
  readonly daysDropped: number;
  /** The first 1,000. */
  readonly differences: readonly Difference[];
  readonly differencesTotal: number;
}

export interface VerifyOptions {
  /** One account; all when left out. */
  readonly account?: string;
  /** Rows done of all there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

const DIFFERENCES_MAX = 1_000;
const CACHE_MIB = 64;
const ROWS_PER_READ = 5_000;
const SLOTS_PER_DAY = DAY_MS / SLOT_MS;
const COLUMNS = ["events", ...METERS.map((meter) => METER_WIRE_FIELD[meter])];

type Row = readonly (string | number | bigint | null)[];
interface Account {
  readonly number: number;
  readonly name: string;
}

/**
 * Verifies the file, which nobody else may be writing. A file of an earlier version is brought to today's before.
 * @throws Fault `folder_newer`, `folder_foreign` or `folder_unusable`.
 */
export async function verifyLedger(path: string, options: VerifyOptions = {}): Promise<Verification> {
  const database = openFile(path, LEDGER_FILE, { readOnly: false, cacheMiB: CACHE_MIB });
  try {
    database.exec("PRAGMA query_only = ON");
    const run = new Run(database, options);
    try {
      await run.all();
    } catch (error) {
      // A broken file can refuse to be read at any place: that is a finding like the others.
      run.found({ kind: "file", message: (error as Error).message });
    }
    return run.verification();
  } finally {
    database.close();
  }
}

class Run {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #database: DatabaseSync;
  readonly #options: VerifyOptions;
  readonly #differences: Difference[] = [];
  #differencesTotal = 0;
  #events = 0;
  #sums = 0;
  #days = 0;
  #daysDropped = 0;
  #done = 0;
  #total = 0;
  #arrivalMax = 0;
  #identities!: IdentityCheck;
  /** The slot up to which events of the account that is checked were dropped. */
  #keptFromSlot = 0;

  constructor(database: DatabaseSync, options: VerifyOptions) {
    this.#database = database;
    this.#statements = prepare(database);
    this.#options = options;
  }

  found(difference: Difference): void {
    this.#differencesTotal += 1;
    if (this.#differences.length < DIFFERENCES_MAX) this.#differences.push(difference);
  }

  verification(): Verification {
    const [differences, differencesTotal] = [this.#differences, this.#differencesTotal];
    const [days, daysDropped] = [this.#days, this.#daysDropped];
    return { events: this.#events, sums: this.#sums, days, daysDropped, differences, differencesTotal };
  }

  async all(): Promise<void> {
    const all = this.#options.account === undefined;
    this.#identities = new IdentityCheck(this.#database, (difference) => this.found(difference));
    const accounts = this.#accounts();
    for (const { number } of accounts) this.#total += first(this.#statements.countEvents.get(number)) as number;
    if (all) this.#total += this.#identities.count;
    for (const message of this.#statements.integrity.all() as unknown as readonly Row[]) {
      if (message[0] !== "ok") this.found({ kind: "file", message: String(message[0]) });
    }
    await this.#step(0);
    for (const account of accounts) {
      this.#events += await this.#checkEvents(account);
      this.#checkDays(account);
      await this.#checkPacks(account);
    }
    const dropped = new DroppedCheck(this.#database, (difference) => this.found(difference));
    this.#arrivalMax = Math.max(this.#arrivalMax, dropped.seqMax);
    if (all) await this.#identities.entries(dropped, (entries) => this.#step(entries));
    this.#checkCounters();
  }

  #accounts(): Account[] {
    const rows = this.#statements.accounts.all() as unknown as readonly (readonly [number, string])[];
    const all = rows.map(([number, name]) => ({ number, name }));
    return all.filter(({ name }) => this.#options.account === undefined || name === this.#options.account);
  }

  /** Tells how far it is, and lets others of this thread run. */
  async #step(rows: number): Promise<void> {
    this.#done += rows;
    this.#options.onProgress?.(this.#done, this.#total);
    await new Promise((resolve) => setImmediate(resolve));
  }

  /**
   * Adds the events up slot by slot and holds each slot against the sums that are kept, and each event against the
   * identities. Returns the events.
   */
  async #checkEvents(account: Account): Promise<number> {
    const series = new Set(this.#statements.series.all(account.number).map((row) => first(row) as number));
    const kept = this.#keptSums(account);
    this.#keptFromSlot = Math.ceil((new DroppedEvents(this.#database).keptFrom(account.number) ?? 0) / SLOT_MS);
    let sums = new Map<number, Exact>();
    let slot = -1;
    let arrival = -1;
    let events = 0;
    let stored = kept.next();
    /** The slot is whole: what is kept before it has no events, what is kept of it must agree. */
    const settle = (): void => {
      for (; !stored.done && stored.value.slot < slot; stored = kept.next()) this.#compare(account, stored.value, NONE);
      const same = !stored.done && stored.value.slot === slot;
      this.#compare(account, same ? stored.value! : { slot, sums: NONE }, sums);
      if (same) stored = kept.next();
    };
    for (;;) {
      const rows = readExact(this.#statements.events, this.#statements.bigEvents, [account.number, slot, arrival]);
      for (const row of rows) {
        const own = Number(row[0]);
        if (own !== slot) {
          settle();
          sums = new Map();
          slot = own;
        }
        arrival = Number(row[1]);
        if (arrival > this.#arrivalMax) this.#arrivalMax = arrival;
        this.#checkEvent(account, row, series);
        if (row[6] !== null) continue;
        const number = Number(row[4]);
        let sum = sums.get(number);
        if (!sum) {
          sum = new Exact();
          sums.set(number, sum);
        }
        sum.add(row, 7);
      }
      const standing = rows.map((row) => ({ id: String(row[2]), slot: Number(row[0]), seq: Number(row[1]) }));
      this.#identities.events(account, standing);
      events += rows.length;
      await this.#step(rows.length);
      if (rows.length < ROWS_PER_READ) break;
    }
    settle();
    for (; !stored.done; stored = kept.next()) this.#compare(account, stored.value, NONE);
    return events;
  }

  #checkEvent(account: Account, row: Row, series: ReadonlySet<number>): void {
    const id = String(row[2]);
    if (Math.floor(Number(row[3]) / SLOT_MS) !== Number(row[0])) {
      this.found({ kind: "event", account: account.name, id, wrong: "slot" });
    }
    if (!series.has(Number(row[4])) || (row[5] !== null && !series.has(Number(row[5])))) {
      this.found({ kind: "event", account: account.name, id, wrong: "series" });
    }
  }

  /** The sums that are kept, slot by slot, the parts of each added. */
  *#keptSums(account: Account): Generator<SlotSums> {
    let open: { slot: number; sums: Map<number, readonly bigint[]> } | undefined;
    for (const row of this.#statements.sums.iterate(account.number) as unknown as Iterable<readonly bigint[]>) {
      const slot = Number(row[0]);
      if (open?.slot !== slot) {
        if (open) yield open;
        open = { slot, sums: new Map() };
      }
      const series = Number(row[1]);
      const known = open.sums.get(series);
      const parts = row.slice(2);
      open.sums.set(series, known ? known.map((sum, at) => sum + parts[at]!) : parts);
    }
    if (open) yield open;
  }

  /** Holds what is kept of a slot against what its events add up to. */
  #compare({ name }: Account, { slot, sums }: SlotSums, recomputed: ReadonlyMap<number, Exact>): void {
    if (slot < this.#keptFromSlot) return;
    for (const series of new Set([...sums.keys(), ...recomputed.keys()])) {
      this.#sums += 1;
      const kept = sums.get(series);
      const own = recomputed.get(series)?.values();
      for (const [at, field] of COLUMNS.entries()) {
        const [is, must] = [kept?.[at] ?? 0n, own?.[at] ?? 0n];
        if (is === must) continue;
        const place = { account: name, slot: slot * SLOT_MS, series };
        this.found({ kind: "sum", ...place, field, kept: is, recomputed: must });
      }
    }
  }

  #checkDays({ number, name }: Account): void {
    const keptFromDay = this.#keptFromSlot / SLOTS_PER_DAY;
    this.#days += first(this.#statements.daysFrom.get(number, keptFromDay)) as number;
    this.#daysDropped += first(this.#statements.daysBefore.get(number, keptFromDay)) as number;
    for (const row of this.#statements.daysWithout.all(number) as unknown as readonly Row[]) {
      this.found({ kind: "day", account: name, day: (row[0] as number) * DAY_MS });
    }
  }

  async #checkPacks({ number, name }: Account): Promise<void> {
    for (const day of this.#statements.wrongPacks(number))
      this.found({ kind: "pack", account: name, day: day * DAY_MS });
    await this.#step(0);
  }

  #checkCounters(): void {
    const used = {
      seq: BigInt(this.#arrivalMax),
      commit: BigInt((first(this.#statements.versionMax.get()) as number) ?? 0),
    };
    for (const [name, most] of Object.entries(used)) {
      const kept = BigInt((first(this.#statements.counter.get(name)) as number | null) ?? 0);
      if (kept < most) this.found({ kind: "counter", name, kept, used: most });
    }
  }
}

interface SlotSums {
  /** The number of the slot since the epoch. */
  readonly slot: number;
  readonly sums: ReadonlyMap<number, readonly bigint[]>;
}

const NONE: ReadonlyMap<number, never> = new Map<number, never>();

/** Sums of one series in one slot: in doubles as long as they are exact, carried over into bigints before they are not. */
class Exact {
  readonly #open = new Float64Array(COLUMNS.length);
  readonly #carried: bigint[] = COLUMNS.map(() => 0n);

  /** Adds one event, whose quantities begin at `from`. */
  add(row: Row, from: number): void {
    this.#open[0]! += 1;
    for (let column = 1; column < COLUMNS.length; column += 1) {
      const quantity = row[from + column - 1]!;
      const sum = this.#open[column]! + Number(quantity);
      if (typeof quantity === "number" && Number.isSafeInteger(sum)) {
        this.#open[column] = sum;
        continue;
      }
      this.#carried[column]! += BigInt(this.#open[column]!) + BigInt(quantity);
      this.#open[column] = 0;
    }
  }

  values(): bigint[] {
    return this.#carried.map((carried, column) => carried + BigInt(this.#open[column]!));
  }
}

/** Reads rows as numbers; where one is past the safe integers, again as bigints. */
function readExact(plain: StatementSync, big: StatementSync, values: readonly number[]): readonly Row[] {
  try {
    return plain.all(...values) as unknown as readonly Row[];
  } catch (error) {
    if ((error as { code?: string }).code !== "ERR_OUT_OF_RANGE") throw error;
    return big.all(...values) as unknown as readonly Row[];
  }
}

function first(row: unknown): Row[number] {
  return (row as Row | undefined)?.[0] ?? null;
}

function prepare(database: DatabaseSync) {
  const arrays = arrayStatements(database);
  const meters = METER_COLUMNS.join(", ");
  const events = `SELECT slot, seq, id, time, series, sent, voided_at, ${meters} FROM events
     WHERE account = ? AND (slot, seq) > (?, ?) ORDER BY slot, seq LIMIT ${ROWS_PER_READ}`;
  return {
    integrity: arrays("PRAGMA integrity_check"),
    accounts: arrays("SELECT account, name FROM accounts ORDER BY name"),
    countEvents: arrays("SELECT count(*) FROM events WHERE account = ?"),
    series: arrays("SELECT series FROM series WHERE account = ?"),
    events: arrays(events),
    bigEvents: arrays(events, true),
    sums: arrays(
      `SELECT slot, series, events, ${meters} FROM sums WHERE account = ? ORDER BY slot, series, part`,
      true,
    ),
    daysWithout: arrays(
      `SELECT DISTINCT slot / ${SLOTS_PER_DAY} AS day FROM sums s WHERE account = ?
       AND NOT EXISTS (SELECT 1 FROM days d WHERE d.account = s.account AND d.day = s.slot / ${SLOTS_PER_DAY})`,
    ),
    daysFrom: arrays("SELECT count(*) FROM days WHERE account = ? AND day >= ?"),
    daysBefore: arrays("SELECT count(*) FROM days WHERE account = ? AND day < ?"),
    wrongPacks: packChecker(database),
    versionMax: arrays("SELECT max(version) FROM days"),
    counter: arrays("SELECT value FROM counters WHERE name = ?"),
  };
}
