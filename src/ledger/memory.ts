/** The plain oracle: every event in a list, every sum made from it by looking at each one. Slow, and easy to believe. */

import { type Instant, SECOND_MS, SLOT_MS } from "../domain/time.ts";
import { differingField, FIELD_AT, type KeptEvent, METERS, type UsageBatch, type UsageEvent } from "../domain/usage.ts";
import type {
  AppendOutcome,
  EventCursor,
  EventsPage,
  EventsQuestion,
  Ledger,
  SumQuestion,
  SumRow,
  Sums,
  VoidOutcome,
} from "./ledger.ts";

interface Entry {
  readonly event: UsageEvent;
  readonly receivedAt: Instant;
  voidedAt: Instant | undefined;
}

export class MemoryLedger implements Ledger {
  readonly #accounts = new Map<string, Map<string, Entry>>();
  /** For each account the number of the last commit that changed its sums. */
  readonly #positions = new Map<string, number>();
  #commits = 0;

  #entries(account: string): Map<string, Entry> {
    const known = this.#accounts.get(account);
    if (known) return known;
    const fresh = new Map<string, Entry>();
    this.#accounts.set(account, fresh);
    return fresh;
  }

  /** Numbers a commit that may have changed the account's sums. */
  #commit(account: string, changed: boolean): void {
    if (!changed) return;
    this.#commits += 1;
    this.#positions.set(account, this.#commits);
  }

  async append(account: string, batch: UsageBatch, at: Instant): Promise<AppendOutcome> {
    const entries = this.#entries(account);
    const receivedAt = Math.floor(at / SECOND_MS) * SECOND_MS;
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
      const known = entries.get(id);
      if (!known) {
        entries.set(id, { event, receivedAt, voidedAt: undefined });
        created += 1;
        continue;
      }
      const field = differingField(known.event, event);
      if (field === undefined) duplicates += 1;
      else conflicts.push({ at: place, field });
    }
    this.#commit(account, created > 0);
    return { created, duplicates, conflicts };
  }

  async void(account: string, ids: readonly string[], at: Instant): Promise<VoidOutcome[]> {
    const entries = this.#entries(account);
    const outcomes = ids.map((id): VoidOutcome => {
      const entry = entries.get(id);
      if (!entry) return "not_found";
      if (entry.voidedAt !== undefined) return "already_voided";
      entry.voidedAt = at;
      return "voided";
    });
    this.#commit(account, outcomes.includes("voided"));
    return outcomes;
  }

  async sum(account: string, questions: readonly SumQuestion[]): Promise<Sums> {
    const entries = [...this.#entries(account).values()];
    const rows = questions.map((question) => answer(entries, question));
    return { rows, position: this.#positions.get(account) ?? 0 };
  }

  async find(account: string, id: string): Promise<KeptEvent | undefined> {
    const entry = this.#entries(account).get(id);
    return entry && keptOf(entry);
  }

  async events(account: string, question: EventsQuestion): Promise<EventsPage> {
    const { range, usageTypes, filters = [], after, limit } = question;
    // A Map keeps the order of arrival.
    const placed = [...this.#entries(account).values()].map((entry, arrival) => ({
      entry,
      cursor: { slot: Math.floor(entry.event.time / SLOT_MS), arrival },
    }));
    placed.sort((a, b) => order(a.cursor, b.cursor));
    const found = placed.filter(({ entry: { event }, cursor }) => {
      if (event.time < range.start || event.time >= range.end) return false;
      if (usageTypes && !(usageTypes as readonly string[]).includes(event.series[FIELD_AT.usageType]!)) return false;
      if (!filters.every((filter) => filter.values.includes(event.series[FIELD_AT[filter.field]]!))) return false;
      return after === undefined || order(cursor, after) > 0;
    });
    const page = found.slice(0, limit);
    const events = page.map(({ entry }) => keptOf(entry));
    return found.length > limit ? { events, next: page.at(-1)!.cursor } : { events };
  }

  async close(): Promise<void> {}
}

function keptOf({ event, receivedAt, voidedAt }: Entry): KeptEvent {
  return { ...event, receivedAt, voidedAt };
}

function order(a: EventCursor, b: EventCursor): number {
  return a.slot - b.slot || a.arrival - b.arrival;
}

function answer(entries: readonly Entry[], question: SumQuestion): SumRow[] {
  const rows = new Map<string, { segment: number; values: string[]; events: bigint; quantities: bigint[] }>();
  for (const { event, voidedAt } of entries) {
    if (voidedAt !== undefined) continue;
    const value = (field: keyof typeof FIELD_AT): string => event.series[FIELD_AT[field]]!;
    if (!(question.usageTypes as readonly string[]).includes(value("usageType"))) continue;
    if (!question.filters.every((filter) => filter.values.includes(value(filter.field)))) continue;
    const segment = question.edges.findLastIndex((edge) => edge <= event.time);
    if (segment < 0 || segment >= question.edges.length - 1) continue;
    const values = question.fields.map(value);
    const key = JSON.stringify([segment, ...values]);
    const row = rows.get(key) ?? { segment, values, events: 0n, quantities: METERS.map(() => 0n) };
    rows.set(key, row);
    row.events += 1n;
    row.quantities = row.quantities.map((sum, at) => sum + BigInt(event.quantities[at]!));
  }
  return [...rows.values()];
}
