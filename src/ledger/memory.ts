/** The plain oracle: every event in a list, every sum made from it by looking at each one. Slow, and easy to believe. */

import { type Instant, SLOT_MS } from "../domain/time.ts";
import { differingField, FIELD_AT, type KeptEvent, METERS, type UsageBatch, type UsageEvent } from "../domain/usage.ts";
import type {
  AppendOutcome,
  EventCursor,
  EventsPage,
  EventsQuestion,
  Ledger,
  SumQuestion,
  SumRow,
  VoidOutcome,
} from "./ledger.ts";

interface Entry {
  readonly event: UsageEvent;
  voidedAt: Instant | undefined;
}

export class MemoryLedger implements Ledger {
  readonly #accounts = new Map<string, Map<string, Entry>>();

  #entries(account: string): Map<string, Entry> {
    const known = this.#accounts.get(account);
    if (known) return known;
    const fresh = new Map<string, Entry>();
    this.#accounts.set(account, fresh);
    return fresh;
  }

  async append(account: string, batch: UsageBatch): Promise<AppendOutcome> {
    const entries = this.#entries(account);
    const conflicts: { at: number; field: string }[] = [];
    let created = 0;
    let duplicates = 0;
    for (const [at, id] of batch.ids.entries()) {
      const event: UsageEvent = {
        id,
        time: batch.times[at]!,
        sent: batch.labels[batch.sent[at]!]!,
        series: batch.labels[batch.series[at]!]!,
        quantities: [...batch.quantities.subarray(at * METERS.length, (at + 1) * METERS.length)],
      };
      const known = entries.get(id);
      if (!known) {
        entries.set(id, { event, voidedAt: undefined });
        created += 1;
        continue;
      }
      const field = differingField(known.event, event);
      if (field === undefined) duplicates += 1;
      else conflicts.push({ at, field });
    }
    return { created, duplicates, conflicts };
  }

  async void(account: string, ids: readonly string[], at: Instant): Promise<VoidOutcome[]> {
    const entries = this.#entries(account);
    return ids.map((id) => {
      const entry = entries.get(id);
      if (!entry) return "not_found";
      if (entry.voidedAt !== undefined) return "already_voided";
      entry.voidedAt = at;
      return "voided";
    });
  }

  async sum(account: string, questions: readonly SumQuestion[]): Promise<SumRow[][]> {
    const entries = [...this.#entries(account).values()];
    return questions.map((question) => answer(entries, question));
  }

  async find(account: string, id: string): Promise<KeptEvent | undefined> {
    const entry = this.#entries(account).get(id);
    return entry && { ...entry.event, voidedAt: entry.voidedAt };
  }

  async events(account: string, question: EventsQuestion): Promise<EventsPage> {
    const { range, usageTypes, after, limit } = question;
    // A Map keeps the order of arrival.
    const placed = [...this.#entries(account).values()].map((entry, arrival) => ({
      entry,
      cursor: { slot: Math.floor(entry.event.time / SLOT_MS), arrival },
    }));
    placed.sort((a, b) => order(a.cursor, b.cursor));
    const found = placed.filter(({ entry: { event }, cursor }) => {
      if (event.time < range.start || event.time >= range.end) return false;
      if (usageTypes && !(usageTypes as readonly string[]).includes(event.series[FIELD_AT.usageType]!)) return false;
      return after === undefined || order(cursor, after) > 0;
    });
    const page = found.slice(0, limit);
    const events = page.map(({ entry }) => ({ ...entry.event, voidedAt: entry.voidedAt }));
    return found.length > limit ? { events, next: page.at(-1)!.cursor } : { events };
  }

  async close(): Promise<void> {}
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
