/** One account's usage from one ledger to another, page by page. Whatever is written twice is a duplicate. */

import { setTimeout as wait } from "node:timers/promises";
import { Fault, problem } from "../domain/fault.ts";
import type { Instant } from "../domain/time.ts";
import { EVENTS_PER_CALL_MAX, type KeptEvent, type Labels, METERS, type UsageBatch } from "../domain/usage.ts";
import type { ChangesPage, EventCursor, Ledger } from "../ledger/ledger.ts";
import type { AccountState } from "./state.ts";

/** What was read and what became of it. */
export interface Copied {
  /** Events that the source listed. */
  readonly listed: number;
  readonly created: number;
  readonly voided: number;
}

export interface CopyUsage {
  readonly source: Pick<Ledger, "changes">;
  readonly target: Pick<Ledger, "append" | "void">;
  readonly account: string;
  readonly state: AccountState;
  /** Hears of each page once it is durable in the target, and how far it got with it. */
  readonly note: (state: AccountState, page: Copied) => void;
  readonly signal: AbortSignal;
}

/** How often a call is made again whose refusal says that it may be. */
const TRIES_MAX = 6;
const FIRST_PAUSE_MS = 1_000;

/**
 * Copies what changed since the state's mark. Ends early when the signal says so, after the page that is being written.
 * @throws Fault `copy_dropped`; `migrate_refused` where the target has another event under an id.
 */
export async function copyUsage(copy: CopyUsage): Promise<void> {
  const state = await finishReading(copy);
  // A reading that an earlier run began knows nothing of what came since then.
  if (copy.state.reading && !copy.signal.aborted) await finishReading({ ...copy, state });
}

async function finishReading({ source, target, account, state, note, signal }: CopyUsage): Promise<AccountState> {
  const { since, reading } = state;
  const sinceMark = since === undefined ? {} : { since };
  const read = (after: EventCursor | undefined): Promise<ChangesPage> =>
    again(() => source.changes(account, { limit: EVENTS_PER_CALL_MAX, ...sinceMark, ...(after && { after }) }));
  // That of the reading's first page, however many runs it takes.
  let mark = reading?.mark;
  let reached = state;
  let coming: Promise<ChangesPage> | undefined = read(reading?.after);
  while (coming) {
    const page: ChangesPage = await coming;
    mark ??= page.mark;
    // The next page is read while this one is written.
    coming = page.next && !signal.aborted ? read(page.next) : undefined;
    coming?.catch(() => {});
    const copied = await writePage(target, account, page.events);
    reached = page.next ? { ...sinceMark, reading: { mark, after: page.next } } : { since: mark };
    note(reached, copied);
  }
  return reached;
}

/** Writes the events, then voids those that were voided. */
async function writePage(target: CopyUsage["target"], account: string, events: readonly KeptEvent[]): Promise<Copied> {
  if (events.length === 0) return { listed: 0, created: 0, voided: 0 };
  // The instant is in the batch. Made anew for each try: a ledger may take the columns away.
  const { created, conflicts } = await again(() => target.append(account, batchOf(events), 0));
  if (conflicts[0]) throw notOurs(account, events[conflicts[0].at]!.id);
  const counts = await Promise.all(
    [...idsByVoid(events)].map(async ([at, ids]) => {
      const outcomes = await again(() => target.void(account, ids, at));
      const lost = outcomes.findIndex((outcome) => outcome === "not_found" || outcome === "dropped");
      if (lost >= 0) throw notOurs(account, ids[lost]!);
      return outcomes.filter((outcome) => outcome === "voided").length;
    }),
  );
  return { listed: events.length, created, voided: counts.reduce((sum, count) => sum + count, 0) };
}

/** The ids that were voided at each instant. */
function idsByVoid(events: readonly KeptEvent[]): Map<Instant, string[]> {
  const voided = events.flatMap(({ id, voidedAt }) => (voidedAt === undefined ? [] : { id, voidedAt }));
  const byVoid = Map.groupBy(voided, ({ voidedAt }) => voidedAt);
  return new Map([...byVoid].map(([at, those]) => [at, those.map(({ id }) => id)]));
}

/** The events in columns. Events of one page share their labels, so those are told apart by what they are, not hold. */
function batchOf(events: readonly KeptEvent[]): UsageBatch {
  const places = new Map<Labels, number>();
  const place = (labels: Labels): number => {
    const known = places.get(labels);
    if (known !== undefined) return known;
    places.set(labels, places.size);
    return places.size - 1;
  };
  const quantities = new Float64Array(events.length * METERS.length);
  const [sent, series] = [new Uint32Array(events.length), new Uint32Array(events.length)];
  for (const [at, event] of events.entries()) {
    quantities.set(event.quantities, at * METERS.length);
    sent[at] = place(event.sent);
    series[at] = place(event.series);
  }
  return {
    ...{ ids: events.map(({ id }) => id), times: Float64Array.from(events, ({ time }) => time), quantities },
    ...{ labels: [...places.keys()], sent, series },
    // Of an event from before arrivals were written down nothing is known but its own time.
    receivedAt: Float64Array.from(events, ({ receivedAt, time }) => receivedAt ?? time),
  };
}

/** Makes a call once more, later and later, while its refusal passes. Everything that is called here may be repeated. */
export async function again<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      const passes = error instanceof Fault && error.retryAfterSeconds !== undefined;
      if (!passes || tries === TRIES_MAX) throw error;
      await wait(FIRST_PAUSE_MS * 2 ** (tries - 1));
    }
  }
}

export function notOurs(account: string, id?: string): Fault {
  const where = id === undefined ? "" : ` (event ${JSON.stringify(id)})`;
  const reason = `the usage of account ${account} in it is not that of --from${where}; name an empty database`;
  return new Fault(problem("migrate_refused", "--to", { reason }));
}
