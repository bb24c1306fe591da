/**
 * The one writer of ledger.db. Identity check, raw event and slot sums commit in ONE transaction, which makes laws 1
 * and 2 plain: what is committed is counted, once. Runs in its own thread; every call here is synchronous.
 */

import type { DatabaseSync } from "node:sqlite";
import { DAY_MS, type Instant, SECOND_MS, SLOT_MS } from "../../domain/time.ts";
import { differingField, type Labels, labelsKey, METERS, type UsageBatch } from "../../domain/usage.ts";
import { inTransaction, openFile } from "../../sqlite/file.ts";
import type { AppendOutcome, DropAsk, VoidOutcome } from "../ledger.ts";
import type { DayPack, DayRef } from "./days.ts";
import { DroppedEvents } from "./dropped-events.ts";
import { Identities, type IdentityOptions } from "./identities.ts";
import type { Place } from "./identity-entries.ts";
import { LABEL_COLUMNS, LEDGER_FILE, METER_COLUMNS } from "./schema.ts";
import { arrayStatements } from "./statements.ts";

/** What the writer is asked to do; many of them share a transaction. */
export type WriterCall =
  | { readonly kind: "append"; readonly account: string; readonly batch: UsageBatch; readonly at: Instant }
  | { readonly kind: "void"; readonly account: string; readonly ids: readonly string[]; readonly at: Instant }
  | ({ readonly kind: "drop"; readonly account: string } & DropAsk);
export type WriterReply = AppendOutcome | VoidOutcome[] | number;

const CACHE_MIB = 16;
const SERIES_REMEMBERED_MAX = 200_000;
const SLOTS_PER_DAY = DAY_MS / SLOT_MS;
const METER_COUNT = METERS.length;
/** Room for the slot number in a map key made of series and slot: slots reach 2^23 in the year 2209. */
const SLOT_SPAN = 2 ** 23;
/** 128 MiB of log: fewer, larger checkpoints write a page that many random ids touch once instead of often. */
const WAL_PAGES_BEFORE_CHECKPOINT = 32_000;

interface Delta {
  readonly account: number;
  readonly slot: number;
  readonly series: number;
  /** Events, then the quantities in the order of METERS; each stays a safe integer. */
  readonly sums: Float64Array;
}

type Row = readonly (string | number | bigint | null)[];

/** An event of the file: its time, series, series as sent, time of voiding and quantities, and where it stands. */
interface KnownEvent extends Place {
  readonly row: Row;
}

export class Writer {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #identities: Identities;
  readonly #dropped: DroppedEvents;
  readonly #accounts = new Map<string, number>();
  readonly #series = new Map<string, number>();
  #deltas = new Map<number, Delta>();
  /** Days that commits touched, by account and day, until somebody asks for them. */
  #touched = new Map<string, DayRef>();
  #seq = 0;
  #commit = 0;
  /** The second that the last event was received in. */
  #arrival: Instant | undefined;

  constructor(path: string, options: IdentityOptions = {}) {
    this.#database = openFile(path, LEDGER_FILE, { readOnly: false, cacheMiB: CACHE_MIB });
    this.#database.exec(`PRAGMA wal_autocheckpoint = ${WAL_PAGES_BEFORE_CHECKPOINT}`);
    this.#statements = prepare(this.#database);
    this.#identities = new Identities(this.#database, options);
    this.#dropped = new DroppedEvents(this.#database);
    this.#forget();
  }

  /** Runs all calls in one transaction; when it returns, they are on disk. When it throws, nothing was written. */
  run(calls: readonly WriterCall[]): WriterReply[] {
    this.#identities.prepare(this.#seq);
    try {
      const replies = inTransaction(this.#database, () => {
        const made = calls.map((call) => this.#run(call));
        this.#identities.write();
        this.#writeSums();
        return made;
      });
      this.#identities.commit();
      return replies;
    } catch (error) {
      this.#identities.rollback();
      this.#forget();
      throw error;
    }
  }

  #run(call: WriterCall): WriterReply {
    switch (call.kind) {
      case "append":
        return this.#append(call.account, call.batch, call.at);
      case "void":
        return call.ids.map((id) => this.#void(call.account, id, call.at));
      case "drop":
        return this.#drop(call.account, call);
      default:
        return call satisfies never;
    }
  }

  /** The days that commits touched since the last call. */
  takeTouched(): DayRef[] {
    const touched = [...this.#touched.values()];
    this.#touched = new Map();
    return touched;
  }

  /** Keeps packs of days in place of older ones, in one transaction; one that a commit has passed by is dropped. */
  keepPacks(packs: readonly DayPack[]): void {
    const { dropPacks, insertPack } = this.#statements;
    inTransaction(this.#database, () => {
      for (const { account, day, version, columns } of packs) {
        dropPacks.run(account, day);
        insertPack.run(columns, account, day, version);
      }
    });
  }

  close(): void {
    this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#database.close();
  }

  /** Drops all that is remembered of the file, after a rollback took some of it back. */
  #forget(): void {
    this.#accounts.clear();
    this.#series.clear();
    this.#deltas.clear();
    this.#seq = this.#counter("seq");
    this.#commit = this.#counter("commit");
    this.#arrival = (this.#statements.lastArrival.get() as unknown as readonly number[] | undefined)?.[0];
  }

  #counter(name: string): number {
    return (this.#statements.readCounter.get(name) as unknown as Row)[0] as number;
  }

  #append(accountName: string, batch: UsageBatch, receivedAt: Instant): AppendOutcome {
    const { insertEvent } = this.#statements;
    const account = this.#accountOf(accountName);
    const seriesOf = batch.labels.map(() => 0);
    const series = (place: number): number => {
      seriesOf[place] ||= this.#seriesOf(account, batch.labels[place]!);
      return seriesOf[place];
    };
    const conflicts: { at: number; field: string }[] = [];
    let created = 0;
    let duplicates = 0;
    const { ids, times, quantities } = batch;
    const hashes = this.#identities.hashes(account, ids);
    for (let at = 0; at < ids.length; at += 1) {
      const id = ids[at]!;
      const time = times[at]!;
      const [low, high] = [hashes[2 * at]!, hashes[2 * at + 1]!];
      const known = this.#eventAmong(this.#identities.find(low, high), account, id);
      if (known) {
        const field = known === "dropped" ? undefined : this.#differs(known, batch, at);
        if (field === undefined) duplicates += 1;
        else conflicts.push({ at, field });
        continue;
      }
      const slot = Math.floor(time / SLOT_MS);
      const seq = this.#seq + 1;
      this.#seq = seq;
      this.#identities.add(low, high, { slot, seq });
      if (batch.receivedAt) this.#arrive(seq, batch.receivedAt[at]!);
      else if (created === 0) this.#arrive(seq, receivedAt);
      const own = series(batch.series[at]!);
      const sent = batch.sent[at] === batch.series[at] ? null : series(batch.sent[at]!);
      const q = at * METER_COUNT;
      // The seven meters are written out: spreading them costs a quarter of the loop.
      insertEvent.run(
        account,
        slot,
        seq,
        id,
        time,
        own,
        sent,
        quantities[q]!,
        quantities[q + 1]!,
        quantities[q + 2]!,
        quantities[q + 3]!,
        quantities[q + 4]!,
        quantities[q + 5]!,
        quantities[q + 6]!,
      );
      this.#count(account, slot, own, quantities.subarray(q, q + METER_COUNT), 1);
      created += 1;
    }
    return { created, duplicates, conflicts };
  }

  /** Writes down that events from number `seq` on were received in another second than those before. */
  #arrive(seq: number, receivedAt: Instant): void {
    const second = Math.floor(receivedAt / SECOND_MS) * SECOND_MS;
    if (second === this.#arrival) return;
    this.#statements.insertArrival.run(seq, second);
    this.#arrival = second;
  }

  /** The first field in which event `at` differs from the kept one of the same id. */
  #differs({ row }: KnownEvent, batch: UsageBatch, at: number): string | undefined {
    const kept = {
      time: row[0] as number,
      sent: this.#labelsOf((row[2] ?? row[1]) as number),
      quantities: row.slice(4) as number[],
    };
    const quantities = [...batch.quantities.subarray(at * METER_COUNT, (at + 1) * METER_COUNT)];
    return differingField(kept, { time: batch.times[at]!, sent: batch.labels[batch.sent[at]!]!, quantities });
  }

  #void(accountName: string, id: string, at: Instant): VoidOutcome {
    const account = this.#accountOf(accountName);
    const [low, high] = this.#identities.hashes(account, [id]) as unknown as readonly [number, number];
    const known = this.#eventAmong(this.#identities.find(low, high), account, id);
    if (!known) return "not_found";
    if (known === "dropped") return "dropped";
    const { row, slot, seq } = known;
    if (row[3] !== null) return "already_voided";
    this.#statements.voidEvent.run(at, account, slot, seq);
    this.#count(account, slot, row[1] as number, Float64Array.from(row.slice(4) as number[]), -1);
    return "voided";
  }

  #drop(accountName: string, { before, limit }: DropAsk): number {
    const found = this.#statements.findAccount.get(accountName) as unknown as Row | undefined;
    return found ? this.#dropped.drop(found[0] as number, Math.floor(before / SLOT_MS), limit) : 0;
  }

  /** The event of this account and id, if it stands in one of the places, or stood there until it was dropped. */
  #eventAmong(places: readonly Place[], account: number, id: string): KnownEvent | "dropped" | undefined {
    for (let at = 0; at < places.length; at += 1) {
      const { slot, seq } = places[at]!;
      const row = this.#statements.findEvent.get(account, slot, seq, id) as unknown as Row | undefined;
      if (row) return { row, slot, seq };
      if (this.#dropped.has(account, id, places[at]!)) return "dropped";
    }
    return undefined;
  }

  #labelsOf(series: number): Labels {
    return this.#statements.findLabels.get(series) as unknown as Labels;
  }

  #accountOf(name: string): number {
    const known = this.#accounts.get(name);
    if (known !== undefined) return known;
    this.#statements.insertAccount.run(name);
    const account = (this.#statements.findAccount.get(name) as unknown as Row)[0] as number;
    this.#accounts.set(name, account);
    return account;
  }

  #seriesOf(account: number, labels: Labels): number {
    const key = `${account}\u0000${labelsKey(labels)}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    this.#statements.insertSeries.run(account, ...labels);
    const series = (this.#statements.findSeries.get(account, ...labels) as unknown as Row)[0] as number;
    if (this.#series.size >= SERIES_REMEMBERED_MAX) this.#series.clear();
    this.#series.set(key, series);
    return series;
  }

  /** Adds one event to the sums of this transaction, or takes it away. */
  #count(account: number, slot: number, series: number, quantities: Float64Array, sign: 1 | -1): void {
    const key = series * SLOT_SPAN + slot;
    let delta = this.#deltas.get(key);
    if (!delta) {
      delta = { account, slot, series, sums: new Float64Array(METER_COUNT + 1) };
      this.#deltas.set(key, delta);
    }
    const { sums } = delta;
    for (let meter = 0; meter < METER_COUNT; meter += 1) {
      if (Math.abs(sums[meter + 1]! + sign * quantities[meter]!) > Number.MAX_SAFE_INTEGER) {
        this.#writeSum(delta);
        sums.fill(0);
      }
    }
    sums[0]! += sign;
    for (let meter = 0; meter < METER_COUNT; meter += 1) sums[meter + 1]! += sign * quantities[meter]!;
  }

  #writeSums(): void {
    if (this.#deltas.size === 0) return;
    this.#commit += 1;
    const days = new Map<string, DayRef>();
    for (const delta of this.#deltas.values()) {
      this.#writeSum(delta);
      const day = Math.floor(delta.slot / SLOTS_PER_DAY);
      days.set(`${delta.account}/${day}`, { account: delta.account, day });
    }
    for (const [key, ref] of days) {
      this.#statements.raiseDay.run(ref.account, ref.day, this.#commit);
      this.#touched.set(key, ref);
    }
    this.#statements.writeCounter.run(this.#seq, "seq");
    this.#statements.writeCounter.run(this.#commit, "commit");
    this.#deltas = new Map();
  }

  #writeSum({ account, slot, series, sums }: Delta): void {
    for (let part = 0; ; part += 1) {
      try {
        this.#statements.addSum.run(account, slot, series, part, ...sums);
        return;
      } catch (error) {
        // An int64 sum that overflows becomes a REAL, which a STRICT column refuses: the next part takes the delta.
        if (!(error as Error).message.includes("cannot store REAL")) throw error;
      }
    }
  }
}

function prepare(database: DatabaseSync) {
  const arrays = arrayStatements(database);
  const labels = LABEL_COLUMNS.map((name) => `"${name}"`);
  const marks = (count: number): string => Array(count).fill("?").join(", ");
  const summed = ["events", ...METER_COLUMNS];
  return {
    readCounter: arrays("SELECT value FROM counters WHERE name = ?"),
    writeCounter: database.prepare("UPDATE counters SET value = ? WHERE name = ?"),
    lastArrival: arrays("SELECT at FROM arrivals ORDER BY seq DESC LIMIT 1"),
    insertArrival: database.prepare("INSERT INTO arrivals (seq, at) VALUES (?, ?)"),
    insertAccount: database.prepare("INSERT OR IGNORE INTO accounts (name) VALUES (?)"),
    findAccount: arrays("SELECT account FROM accounts WHERE name = ?"),
    insertSeries: database.prepare(
      `INSERT OR IGNORE INTO series (account, ${labels.join(", ")}) VALUES (${marks(labels.length + 1)})`,
    ),
    findSeries: arrays(
      `SELECT series FROM series WHERE account = ? AND ${labels.map((name) => `${name} = ?`).join(" AND ")}`,
    ),
    findLabels: arrays(`SELECT ${labels.join(", ")} FROM series WHERE series = ?`),
    insertEvent: database.prepare(
      `INSERT INTO events (account, slot, seq, id, time, series, sent, ${METER_COLUMNS.join(", ")})
       VALUES (${marks(7 + METER_COUNT)})`,
    ),
    findEvent: arrays(
      `SELECT time, series, sent, voided_at, ${METER_COLUMNS.join(", ")} FROM events
       WHERE account = ? AND slot = ? AND seq = ? AND id = ?`,
    ),
    voidEvent: database.prepare("UPDATE events SET voided_at = ? WHERE account = ? AND slot = ? AND seq = ?"),
    addSum: database.prepare(
      `INSERT INTO sums (account, slot, series, part, ${summed.join(", ")}) VALUES (${marks(4 + summed.length)})
       ON CONFLICT DO UPDATE SET ${summed.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")}`,
    ),
    dropPacks: database.prepare("DELETE FROM packed_days WHERE account = ? AND day = ?"),
    insertPack: database.prepare(
      `INSERT INTO packed_days (account, day, version, columns)
       SELECT account, day, version, ? FROM days WHERE account = ? AND day = ? AND version = ?`,
    ),
    raiseDay: database.prepare(
      "INSERT INTO days (account, day, version) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version",
    ),
  };
}
