/** The plain oracle: every event in a list, every sum made from it by looking at each one. Slow, and easy to believe. */

import { type Instant, SECOND_MS, SLOT_MS, slotStart } from "../domain/time.ts";
import {
  differingField,
  FIELD_AT,
  type KeptEvent,
  type Labels,
  METERS,
  type UsageBatch,
  type UsageEvent,
} from "../domain/usage.ts";
import {
  type AppendOutcome,
  type ChangesPage,
  type ChangesQuestion,
  type DropAsk,
  type EventCount,
  type EventCursor,
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
} from "./ledger.ts";

interface Entry {
  readonly event: UsageEvent;
  readonly receivedAt: Instant;
  voidedAt: Instant | undefined;
  /** The commit that wrote or voided it. */
  changedBy: number;
}

/** What one event counts, or what the dropped ones of one slot and series counted together. */
interface Counted {
  readonly time: Instant;
  readonly series: Labels;
  readonly events: bigint;
  readonly quantities: readonly bigint[];
}

interface Account {
  /** By id, in the order of arrival. Of an event that was dropped nothing is known but that it was. */
  readonly entries: Map<string, Entry | "dropped">;
  /** By slot and series. */
  readonly dropped: Map<string, Counted>;
  keptFrom: Instant | undefined;
  /** The number of the last commit that changed the sums. */
  position: number;
}

export class MemoryLedger implements Ledger {
  readonly #accounts = new Map<string, Account>();
  #commits = 0;

  #account(name: string): Account {
    const known = this.#accounts.get(name);
    if (known) return known;
    const fresh: Account = { entries: new Map(), dropped: new Map(), keptFrom: undefined, position: 0 };
    this.#accounts.set(name, fresh);
    return fresh;
  }

  /** Numbers a commit that may have changed the account's sums. */
  #commit(account: Account, changed: boolean): void {
    if (!changed) return;
    this.#commits += 1;
    account.position = this.#commits;
  }

  async append(accountName: string, batch: UsageBatch, at: Instant): Promise<AppendOutcome> {
    const account = this.#account(accountName);
    const conflicts: { at: number; field: string }[] = [];
    let created = 0;
    let duplicates = 0;
    for (const [place, id] of batch.ids.entries()) {
      const event: UsageEvent = {
        id,
        time: batch.times[place]!,
        sent: batch.labels[batch.sent[place]!]!,
        series: batch.labels[batch.series[place]!]!,
        quantities: [...batch.quantities.subarray(place * METERS.length, (place + 1) * METERS.length)],
      };
      const known = account.entries.get(id);
      if (!known) {
        const receivedAt = Math.floor((batch.receivedAt?.[place] ?? at) / SECOND_MS) * SECOND_MS;
        account.entries.set(id, { event, receivedAt, voidedAt: undefined, changedBy: this.#commits + 1 });
        created += 1;
        continue;
      }
      const field = known === "dropped" ? undefined : differingField(known.event, event);
      if (field === undefined) duplicates += 1;
      else conflicts.push({ at: place, field });
    }
    this.#commit(account, created > 0);
    return { created, duplicates, conflicts };
  }

  async void(accountName: string, ids: readonly string[], at: Instant): Promise<VoidOutcome[]> {
    const account = this.#account(accountName);
    const outcomes = ids.map((id): VoidOutcome => {
      const entry = account.entries.get(id);
      if (!entry) return "not_found";
      if (entry === "dropped") return "dropped";
      if (entry.voidedAt !== undefined) return "already_voided";
      entry.voidedAt = at;
      entry.changedBy = this.#commits + 1;
      return "voided";
    });
    this.#commit(account, outcomes.includes("voided"));
    return outcomes;
  }

  async sum(accountName: string, questions: readonly SumQuestion[]): Promise<Sums> {
    const { entries, dropped, keptFrom, position } = this.#account(accountName);
    refuseDroppedEdges(questions, keptFrom);
    const live = standing(entries).filter(({ voidedAt }) => voidedAt === undefined);
    const counted = [...live.map(countedOf), ...dropped.values()];
    const rows = questions.map((question) => answer(counted, question));
    return { rows, position, ...(keptFrom !== undefined && { keptFrom }) };
  }

  async find(accountName: string, id: string): Promise<KeptEvent | undefined> {
    const entry = this.#account(accountName).entries.get(id);
    if (entry === "dropped") throw eventDropped(id);
    return entry && keptOf(entry);
  }

  async events(accountName: string, question: EventsQuestion): Promise<EventsPage> {
    const { range, usageTypes, filters = [], after, limit } = question;
    const account = this.#account(accountName);
    refuseDroppedPage(question, account.keptFrom);
    const found = placed(account.entries).filter(({ entry: { event }, cursor }) => {
      if (event.time < range.start || event.time >= range.end) return false;
      if (usageTypes && !(usageTypes as readonly string[]).includes(event.series[FIELD_AT.usageType]!)) return false;
      if (!filters.every((filter) => filter.values.includes(event.series[FIELD_AT[filter.field]]!))) return false;
      return after === undefined || order(cursor, after) > 0;
    });
    const page = found.slice(0, limit);
    const events = page.map(({ entry }) => keptOf(entry));
    return found.length > limit ? { events, next: page.at(-1)!.cursor } : { events };
  }

  async changes(accountName: string, { since = "0", after, limit }: ChangesQuestion): Promise<ChangesPage> {
    const account = this.#account(accountName);
    refuseDroppedCopy(accountName, account.keptFrom);
    const found = placed(account.entries).filter(
      ({ entry, cursor }) => entry.changedBy > Number(since) && (after === undefined || order(cursor, after) > 0),
    );
    const page = found.slice(0, limit);
    const events = page.map(({ entry }) => keptOf(entry));
    const mark = String(account.position);
    return found.length > limit ? { events, mark, next: page.at(-1)!.cursor } : { events, mark };
  }

  async count(accountName: string): Promise<EventCount> {
    const account = this.#account(accountName);
    refuseDroppedCopy(accountName, account.keptFrom);
    const entries = standing(account.entries);
    return { events: entries.length, voided: entries.filter(({ voidedAt }) => voidedAt !== undefined).length };
  }

  async dropEvents(accountName: string, { before, limit }: DropAsk): Promise<number> {
    const account = this.#account(accountName);
    const due = placed(account.entries).filter(({ cursor }) => cursor.slot < Math.floor(before / SLOT_MS));
    if (due.length === 0) return 0;
    account.keptFrom = Math.max(account.keptFrom ?? Number.NEGATIVE_INFINITY, slotStart(before));
    for (const { entry, cursor } of due.slice(0, limit)) {
      account.entries.set(entry.event.id, "dropped");
      if (entry.voidedAt !== undefined) continue;
      const own = { ...countedOf(entry), time: cursor.slot * SLOT_MS };
      const key = JSON.stringify([cursor.slot, own.series]);
      const others = account.dropped.get(key);
      account.dropped.set(key, others ? { ...own, ...added(others, own) } : own);
    }
    return Math.min(due.length, limit);
  }

  async close(): Promise<void> {}
}

function standing(entries: Account["entries"]): Entry[] {
  return [...entries.values()].filter((entry) => entry !== "dropped");
}

/** The events that are kept, in the order of their slot, then arrival. */
function placed(entries: Account["entries"]): { readonly entry: Entry; readonly cursor: EventCursor }[] {
  // A Map keeps the order of arrival.
  const all = [...entries.values()].flatMap((entry, arrival) =>
    entry === "dropped" ? [] : [{ entry, cursor: { slot: Math.floor(entry.event.time / SLOT_MS), arrival } }],
  );
  return all.sort((a, b) => order(a.cursor, b.cursor));
}

function keptOf({ event, receivedAt, voidedAt }: Entry): KeptEvent {
  return { ...event, receivedAt, voidedAt };
}

function countedOf({ event: { time, series, quantities } }: Entry): Counted {
  return { time, series, events: 1n, quantities: quantities.map(BigInt) };
}

function added(sum: Pick<Counted, "events" | "quantities">, one: Pick<Counted, "events" | "quantities">) {
  return {
    events: sum.events + one.events,
    quantities: sum.quantities.map((quantity, at) => quantity + one.quantities[at]!),
  };
}

function order(a: EventCursor, b: EventCursor): number {
  return a.slot - b.slot || a.arrival - b.arrival;
}

function answer(all: readonly Counted[], question: SumQuestion): SumRow[] {
  const rows = new Map<string, SumRow>();
  for (const counted of all) {
    const value = (field: keyof typeof FIELD_AT): string => counted.series[FIELD_AT[field]]!;
    if (!(question.usageTypes as readonly string[]).includes(value("usageType"))) continue;
    if (!question.filters.every((filter) => filter.values.includes(value(filter.field)))) continue;
    const segment = question.edges.findLastIndex((edge) => edge <= counted.time);
    if (segment < 0 || segment >= question.edges.length - 1) continue;
    const values = question.fields.map(value);
    const key = JSON.stringify([segment, ...values]);
    const row = rows.get(key) ?? { segment, values, events: 0n, quantities: METERS.map(() => 0n) };
    rows.set(key, { ...row, ...added(row, counted) });
  }
  return [...rows.values()];
}
