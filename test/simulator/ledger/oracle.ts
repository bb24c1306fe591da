/** The whole truth about a ledger, in plain lists. It shares no code with any engine. */

import { METERS, SERIES_FIELDS, type SeriesField, type UsageEvent } from "../../../src/domain/usage.ts";
import type { DropAsk, EventsQuestion, SumQuestion, VoidOutcome } from "../../../src/ledger/ledger.ts";

export interface Kept extends UsageEvent {
  readonly receivedAt: number;
  voidedAt: number | undefined;
  /** Its raw event was dropped. The oracle goes on counting it. */
  dropped?: true;
}

/** One call of a client. */
export type Call =
  | { readonly kind: "append"; readonly account: string; readonly events: readonly UsageEvent[]; readonly at: number }
  | { readonly kind: "void"; readonly account: string; readonly ids: readonly string[]; readonly at: number };

export type Reply =
  | { readonly created: number; readonly duplicates: number; readonly conflicts: readonly object[] }
  | readonly VoidOutcome[];

const SLOT = 900_000;
const TAGS = ["team", "project", "environment"];
const WIRE_QUANTITIES = [
  "promptTokens", "cachedPromptTokens", "completionTokens", "audioInputSeconds", "imageCount", "acceleratorSeconds", "tokens",
]; // biome-ignore format: a list of names

/** Each part of an event's content, by its wire name, in the order in which a conflict tells the first that differs. */
function contentOf(event: UsageEvent): (readonly [string, string | number])[] {
  return [
    ["time", event.time],
    ...SERIES_FIELDS.map(
      (field, at) => [TAGS.includes(field) ? `annotations.${field}` : field, event.sent[at]!] as const,
    ),
    ...WIRE_QUANTITIES.map((field, at) => [field, event.quantities[at]!] as const),
  ];
}

/** The wire field that differs first, or undefined. */
function conflictOf(kept: UsageEvent, sent: UsageEvent): string | undefined {
  const other = contentOf(sent);
  return contentOf(kept).find(([, value], at) => value !== other[at]![1])?.[0];
}

export class Oracle {
  readonly #accounts = new Map<string, Map<string, Kept>>();
  readonly #changes = new Map<string, number>();
  readonly #keptFrom = new Map<string, number>();

  /** The same truth, which goes on by itself. */
  fork(): Oracle {
    const fork = new Oracle();
    for (const [account, events] of this.#accounts) {
      fork.#accounts.set(account, new Map([...events].map(([id, kept]) => [id, { ...kept }])));
    }
    for (const [account, changes] of this.#changes) fork.#changes.set(account, changes);
    for (const [account, instant] of this.#keptFrom) fork.#keptFrom.set(account, instant);
    return fork;
  }

  /** How many events of the account were created or voided. */
  changes(account: string): number {
    return this.#changes.get(account) ?? 0;
  }

  #change(account: string): void {
    this.#changes.set(account, this.changes(account) + 1);
  }

  /** In the order of arrival. */
  events(account: string): readonly Kept[] {
    return [...(this.#accounts.get(account)?.values() ?? [])];
  }

  find(account: string, id: string): Kept | undefined {
    return this.#accounts.get(account)?.get(id);
  }

  /** Up to where raw events of the account were dropped. */
  keptFrom(account: string): number {
    return this.#keptFrom.get(account) ?? 0;
  }

  /** Drops events before an instant on a slot, the first by slot, then arrival; tells how many. */
  drop(account: string, { before, limit }: DropAsk): number {
    const due = this.events(account).filter(({ time, dropped }) => time < before && !dropped);
    const gone = due.sort((a, b) => Math.floor(a.time / SLOT) - Math.floor(b.time / SLOT)).slice(0, limit);
    for (const kept of gone) kept.dropped = true;
    if (gone.length > 0) this.#keptFrom.set(account, Math.max(before, this.keptFrom(account)));
    return gone.length;
  }

  /** Whether an edge within a slot needs events that were dropped. */
  isRefused(account: string, { edges }: SumQuestion): boolean {
    return edges.some((edge) => edge < this.keptFrom(account) && edge % SLOT > 0);
  }

  /** Does the call, and gives the reply it must have. */
  apply(call: Call): Reply {
    const events = this.#accounts.get(call.account) ?? new Map<string, Kept>();
    this.#accounts.set(call.account, events);
    if (call.kind === "void") {
      return call.ids.map((id) => {
        const known = events.get(id);
        if (!known) return "not_found";
        if (known.dropped) return "dropped";
        if (known.voidedAt !== undefined) return "already_voided";
        known.voidedAt = call.at;
        this.#change(call.account);
        return "voided";
      });
    }
    const conflicts: { at: number; field: string }[] = [];
    let [created, duplicates] = [0, 0];
    for (const [at, event] of call.events.entries()) {
      const known = events.get(event.id);
      const field = known && !known.dropped && conflictOf(known, event);
      if (field) conflicts.push({ at, field });
      else if (known) duplicates += 1;
      else {
        events.set(event.id, { ...event, receivedAt: call.at, voidedAt: undefined });
        this.#change(call.account);
        created += 1;
      }
    }
    return { created, duplicates, conflicts };
  }

  /** The ids that the call would create, or void. */
  effectsOf(call: Call): string[] {
    if (call.kind === "append") {
      const fresh = call.events.map(({ id }) => id).filter((id) => !this.find(call.account, id));
      return [...new Set(fresh)];
    }
    const live = call.ids.filter((id) => {
      const known = this.find(call.account, id);
      return known && !known.dropped && known.voidedAt === undefined;
    });
    return [...new Set(live)];
  }

  /** One line a segment and group: events, then the meters. */
  sum(account: string, { usageTypes, edges, fields, filters }: SumQuestion): string[] {
    const place = (field: SeriesField): number => SERIES_FIELDS.indexOf(field);
    const rows = new Map<string, bigint[]>();
    for (const event of this.#accounts.get(account)?.values() ?? []) {
      const value = (field: SeriesField): string => event.series[place(field)]!;
      if (event.voidedAt !== undefined || !(usageTypes as readonly string[]).includes(value("usageType"))) continue;
      if (event.time < edges[0]! || event.time >= edges.at(-1)!) continue;
      if (filters.some(({ field, values }) => !values.includes(value(field)))) continue;
      let segment = 0;
      while (edges[segment + 1]! <= event.time) segment += 1;
      const key = JSON.stringify([segment, fields.map(value)]);
      const row = rows.get(key) ?? [0n, ...METERS.map(() => 0n)];
      rows.set(key, row);
      row[0]! += 1n;
      for (const [at, quantity] of event.quantities.entries()) row[at + 1]! += BigInt(quantity);
    }
    return [...rows].map(([key, row]) => `${key} ${row.join(" ")}`);
  }

  /** The events of all pages of a question, in their order. */
  pages(account: string, { range, usageTypes }: Pick<EventsQuestion, "range" | "usageTypes">): Kept[] {
    const typeAt = SERIES_FIELDS.indexOf("usageType");
    const found = this.events(account).filter(
      ({ time, series, dropped }) =>
        !dropped &&
        time >= range.start &&
        time < range.end &&
        (usageTypes === undefined || (usageTypes as readonly string[]).includes(series[typeAt]!)),
    );
    // Sorting is stable: within a slot the order of arrival stays.
    return found.sort((a, b) => Math.floor(a.time / SLOT) - Math.floor(b.time / SLOT));
  }
}
