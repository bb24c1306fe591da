/** A page of raw events in columns, cheap to hand from a reader's thread to the caller's. */

import { move, transferableSymbol, valueSymbol } from "piscina";
import type { Instant } from "../../domain/time.ts";
import { type KeptEvent, type Labels, METERS } from "../../domain/usage.ts";
import type { EventCursor, EventsPage } from "../ledger.ts";

export interface EventTable {
  readonly ids: readonly string[];
  readonly times: Float64Array;
  /** In the order of METERS, one event after the other. */
  readonly quantities: Float64Array;
  /** The distinct labels of the page. */
  readonly labels: readonly Labels[];
  /** For each event the place of its series' labels. */
  readonly series: Uint32Array;
  /** For each event the place of its sent labels. */
  readonly sent: Uint32Array;
  /** Instants; NaN where nothing is known of the event's arrival. */
  readonly receivedAt: Float64Array;
  /** Instants; NaN where the event was not voided. */
  readonly voidedAt: Float64Array;
  readonly next: EventCursor | undefined;
}

/** A page being gathered from rows of slot, arrival, id, time, series, sent, voided_at and the meters. */
export class PageColumns {
  readonly #limit: number;
  readonly #labelsOf: (series: number) => Labels;
  readonly #ids: string[] = [];
  readonly #arrivals: number[] = [];
  readonly #times: Float64Array;
  readonly #quantities: Float64Array;
  readonly #series: Uint32Array;
  readonly #sent: Uint32Array;
  readonly #voidedAt: Float64Array;
  readonly #labels: Labels[] = [];
  /** By the number of the series. */
  readonly #places = new Map<number, number>();

  constructor(limit: number, labelsOf: (series: number) => Labels) {
    this.#limit = limit;
    this.#labelsOf = labelsOf;
    this.#times = new Float64Array(limit);
    this.#quantities = new Float64Array(limit * METERS.length);
    this.#series = new Uint32Array(limit);
    this.#sent = new Uint32Array(limit);
    this.#voidedAt = new Float64Array(limit);
  }

  get full(): boolean {
    return this.#ids.length === this.#limit;
  }

  add(row: readonly unknown[]): void {
    const at = this.#ids.push(row[2] as string) - 1;
    this.#arrivals.push(row[1] as number);
    this.#times[at] = row[3] as number;
    const series = this.#place(row[4] as number);
    this.#series[at] = series;
    this.#sent[at] = row[5] === null ? series : this.#place(row[5] as number);
    this.#voidedAt[at] = row[6] === null ? Number.NaN : (row[6] as number);
    const first = at * METERS.length;
    for (let meter = 0; meter < METERS.length; meter += 1) this.#quantities[first + meter] = row[7 + meter] as number;
  }

  #place(series: number): number {
    const known = this.#places.get(series);
    if (known !== undefined) return known;
    const place = this.#labels.push(this.#labelsOf(series)) - 1;
    this.#places.set(series, place);
    return place;
  }

  /** `arrivalsAt` tells for places in the order of arrival the instants of arrival, null where nothing is known. */
  table(
    next: EventCursor | undefined,
    arrivalsAt: (arrivals: readonly number[]) => readonly (number | null)[],
  ): EventTable {
    return {
      ids: this.#ids,
      times: this.#times,
      quantities: this.#quantities,
      labels: this.#labels,
      series: this.#series,
      sent: this.#sent,
      receivedAt: Float64Array.from(arrivalsAt(this.#arrivals), (at) => at ?? Number.NaN),
      voidedAt: this.#voidedAt,
      next,
    };
  }
}

/** The page on its way to another thread: its columns are handed over instead of copied. */
export function movable(table: EventTable): unknown {
  const columns = [table.times, table.quantities, table.series, table.sent, table.receivedAt, table.voidedAt];
  return move({ [transferableSymbol]: columns.map((column) => column.buffer), [valueSymbol]: table });
}

function known(instant: Instant): Instant | undefined {
  return Number.isNaN(instant) ? undefined : instant;
}

/** The columns as events; events of one series share their labels. */
export function pageOf(table: EventTable): EventsPage {
  const { ids, times, quantities, labels, series, sent, receivedAt, voidedAt, next } = table;
  const events: KeptEvent[] = ids.map((id, at) => {
    const first = at * METERS.length;
    return {
      id,
      time: times[at]!,
      sent: labels[sent[at]!]!,
      series: labels[series[at]!]!,
      quantities: Array.from(quantities.subarray(first, first + METERS.length)),
      receivedAt: known(receivedAt[at]!),
      voidedAt: known(voidedAt[at]!),
    };
  });
  return next ? { events, next } : { events };
}
