/** The events that one row counts, read page by page in bounded memory. */

import { Fault, problem } from "../domain/fault.ts";
import { type PageStart, writePageToken } from "../domain/page-token.ts";
import type { Instant } from "../domain/time.ts";
import { FIELD_AT, type KeptEvent } from "../domain/usage.ts";
import type { EventCursor, EventsQuestion, Ledger } from "../ledger/ledger.ts";
import type { Bucket } from "./segments.ts";

/** How to find the events of a row. */
export interface RowEvents {
  readonly bucket: Bucket;
  /** Tells the row from others. */
  readonly id: string;
  readonly question: Pick<EventsQuestion, "range" | "usageTypes" | "filters">;
  readonly keyNames: ReadonlyMap<string, string>;
  /** Raw events before it were dropped, and are not looked for. */
  readonly keptFrom: Instant | undefined;
  /** The name of an event's key is in each of these: names are looked up, and no engine knows them. */
  readonly names: readonly ReadonlySet<string>[];
}

/** What is told of a row's events. Times, and lateness, are of those that count. */
export interface EventsTold {
  readonly count: bigint;
  readonly voided: bigint;
  /** Undefined where none counts. */
  readonly firstTime: Instant | undefined;
  readonly lastTime: Instant | undefined;
  /** Received after the row's bucket had ended. */
  readonly late: bigint;
  /** Nothing is known of their arrival. */
  readonly unknownArrival: bigint;
  /** Events whose quantities are not all that was used, by the reason. */
  readonly estimated: ReadonlyMap<string, bigint>;
  /** Where raw events of the row's time were dropped: the instant from which on the others are, which alone are told of. */
  readonly keptFrom: Instant | undefined;
}

export interface RowEvent {
  readonly event: KeptEvent;
  /** Undefined where nothing is known of its arrival. */
  readonly late: boolean | undefined;
}

export interface EventsPage {
  /** In the order of their quarter of an hour, then arrival; voided ones too. */
  readonly events: readonly RowEvent[];
  /** Undefined on the last page. */
  readonly nextPageToken: string | undefined;
}

const EVENTS_PER_READ = 2_000;

/** Reads all events of the row. */
export async function eventsTold(
  ledger: Pick<Ledger, "events">,
  account: string,
  { question, bucket, keptFrom, ...own }: RowEvents,
): Promise<EventsTold> {
  const estimated = new Map<string, bigint>();
  const told = { keptFrom, estimated, count: 0n, voided: 0n, late: 0n, unknownArrival: 0n };
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  let after: EventCursor | undefined;
  do {
    const page = await ledger.events(account, { ...question, limit: EVENTS_PER_READ, ...(after && { after }) });
    for (const event of page.events) {
      if (!isNamed(event, own)) continue;
      if (event.voidedAt !== undefined) {
        told.voided += 1n;
        continue;
      }
      told.count += 1n;
      first = Math.min(first, event.time);
      last = Math.max(last, event.time);
      const late = isLate(event, bucket);
      if (late === undefined) told.unknownArrival += 1n;
      else if (late) told.late += 1n;
      const reason = event.series[FIELD_AT.estimated]!;
      if (reason !== "") estimated.set(reason, (estimated.get(reason) ?? 0n) + 1n);
    }
    after = page.next;
  } while (after);
  return told.count === 0n
    ? { ...told, firstTime: undefined, lastTime: undefined }
    : { ...told, firstTime: first, lastTime: last };
}

interface PageAsk {
  readonly pageSize: number;
  readonly pageStart: PageStart | undefined;
}

/** One page of the row's events. @throws Fault `foreign_page_token`, `bad_page_token`. */
export async function eventsPage(
  ledger: Pick<Ledger, "events">,
  account: string,
  { question, bucket, id, ...own }: RowEvents,
  { pageSize, pageStart }: PageAsk,
): Promise<EventsPage> {
  const events: RowEvent[] = [];
  let after = pageStart && cursorOf(pageStart, id);
  do {
    const limit = pageSize - events.length;
    const page = await ledger.events(account, { ...question, limit, ...(after && { after }) });
    for (const event of page.events) if (isNamed(event, own)) events.push({ event, late: isLate(event, bucket) });
    after = page.next;
  } while (after && events.length < pageSize);
  return {
    events,
    nextPageToken: after && writePageToken({ question: id, values: [`${after.slot}`, `${after.arrival}`] }),
  };
}

function cursorOf(start: PageStart, id: string): EventCursor {
  const value = writePageToken(start);
  if (start.question !== id) throw new Fault(problem("foreign_page_token", "pageToken", { value }));
  const [slot, arrival] = start.values.map(Number);
  if (start.values.length === 2 && Number.isSafeInteger(slot) && Number.isSafeInteger(arrival)) {
    return { slot: slot!, arrival: arrival! };
  }
  throw new Fault(problem("bad_page_token", "pageToken", { value }));
}

function isNamed({ series }: KeptEvent, { keyNames, names }: Pick<RowEvents, "keyNames" | "names">): boolean {
  const name = names.length === 0 ? "" : (keyNames.get(series[FIELD_AT.apiKeyId]!) ?? "");
  return names.every((own) => own.has(name));
}

/** Arrival is known to the whole second, cut off, so one in the second that begins at the end is after it. */
function isLate({ receivedAt }: KeptEvent, { end }: Bucket): boolean | undefined {
  return receivedAt === undefined ? undefined : receivedAt >= end;
}
