/** What a commit will write: calls and what is known of their ids go in, entries and replies come out. Pure. */

import { type Instant, SECOND_MS, SLOT_MS } from "../../domain/time.ts";
import { differingField, type Labels, METERS, type UsageBatch } from "../../domain/usage.ts";
import type { AppendOutcome, DropAsk, VoidOutcome } from "../ledger.ts";
import { type Entry, identityKey, type StoredEvent } from "./entries.ts";
import type { SeriesName } from "./labels.ts";
import { PLACES_PER_COMMIT } from "./schema.ts";

export type WriterReply = AppendOutcome | VoidOutcome[] | number;

export interface AppendCall {
  readonly kind: "append";
  readonly account: string;
  readonly batch: UsageBatch;
  /** The name of each of the batch's labels. */
  readonly names: readonly SeriesName[];
  readonly at: Instant;
}

export interface VoidCall {
  readonly kind: "void";
  readonly account: string;
  readonly ids: readonly string[];
  readonly at: Instant;
}

/** Goes into a commit of its own. */
interface DropCall extends DropAsk {
  readonly kind: "drop";
  readonly account: string;
}

export type WriterCall = AppendCall | VoidCall | DropCall;

export interface Plan {
  readonly entries: readonly Entry[];
  readonly replies: readonly WriterReply[];
}

/**
 * @param known The events of the calls' ids that stand in the ledger, by identityKey. It takes up the new ones.
 * @param labels The labels that known events were sent with.
 * @param commit The number the entries will have.
 * @param dropped Whether the raw event of a known one was dropped.
 */
export function planCommit(
  calls: readonly (AppendCall | VoidCall)[],
  {
    known,
    labels,
    commit,
    dropped,
  }: {
    readonly known: Map<string, StoredEvent>;
    readonly labels: ReadonlyMap<SeriesName, Labels>;
    readonly commit: number;
    readonly dropped: (event: StoredEvent) => boolean;
  },
): Plan {
  const entries: Entry[] = [];
  // Labels of events that are new in this very commit.
  const sentNow = new Map<SeriesName, Labels>();
  const sentOf = (name: SeriesName): Labels => sentNow.get(name) ?? labels.get(name)!;

  const append = ({ account, batch, names, at }: AppendCall): AppendOutcome => {
    const conflicts: { at: number; field: string }[] = [];
    let created = 0;
    for (const [place, id] of batch.ids.entries()) {
      const time = batch.times[place]!;
      const quantities = [...batch.quantities.subarray(place * METERS.length, (place + 1) * METERS.length)];
      const labelsSent = batch.labels[batch.sent[place]!]!;
      const key = identityKey(account, id);
      const first = known.get(key);
      if (first && dropped(first)) continue;
      if (first) {
        const before = { time: first.time, sent: sentOf(first.sent), quantities: first.quantities };
        const field = differingField(before, { time, sent: labelsSent, quantities });
        if (field !== undefined) conflicts.push({ at: place, field });
        continue;
      }
      const receivedAt = Math.floor((batch.receivedAt?.[place] ?? at) / SECOND_MS) * SECOND_MS;
      const sent = names[batch.sent[place]!]!;
      sentNow.set(sent, labelsSent);
      const event = {
        account,
        id,
        slot: Math.floor(time / SLOT_MS),
        arrival: commit * PLACES_PER_COMMIT + entries.length,
        time,
        series: names[batch.series[place]!]!,
        sent,
        quantities,
      };
      entries.push({ ...event, counted: 1, at: receivedAt });
      known.set(key, { ...event, receivedAt, voidedAt: undefined });
      created += 1;
    }
    return { created, duplicates: batch.ids.length - created - conflicts.length, conflicts };
  };

  const voidOne = (account: string, id: string, at: Instant): VoidOutcome => {
    const event = known.get(identityKey(account, id));
    if (!event) return "not_found";
    if (dropped(event)) return "dropped";
    if (event.voidedAt !== undefined) return "already_voided";
    event.voidedAt = at;
    entries.push({ ...event, quantities: event.quantities.map((quantity) => -quantity || 0), counted: -1, at });
    return "voided";
  };

  const replies = calls.map((call): WriterReply => {
    switch (call.kind) {
      case "append":
        return append(call);
      case "void":
        return call.ids.map((id) => voidOne(call.account, id, call.at));
      default:
        return call satisfies never;
    }
  });
  return { entries, replies };
}
