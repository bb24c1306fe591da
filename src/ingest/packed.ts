/**
 * What was decoded, as it crosses from one thread to another. Arrays of numbers are handed over, not copied. Label sets
 * go as numbers into a list of their distinct values, since cloning them costs more than all the rest.
 */

import { move, transferableSymbol, valueSymbol } from "piscina";
import { SERIES_FIELDS } from "../domain/usage.ts";
import type { Decoded } from "./decode.ts";

export interface PackedDecoded extends Omit<Decoded, "batch"> {
  readonly ids: readonly string[];
  readonly times: Float64Array;
  readonly quantities: Float64Array;
  /** For each event the place of its labels. */
  readonly series: Uint32Array;
  /** The distinct values of all label sets. */
  readonly values: readonly string[];
  /** For each label set and each of SERIES_FIELDS, the place of the value. */
  readonly valueAt: Uint32Array;
}

export function pack({ batch, ...rest }: Decoded): PackedDecoded {
  const values: string[] = [];
  const places = new Map<string, number>();
  const valueAt = new Uint32Array(batch.labels.length * SERIES_FIELDS.length);
  let next = 0;
  for (const labels of batch.labels) {
    for (const value of labels) {
      let place = places.get(value);
      if (place === undefined) {
        place = values.push(value) - 1;
        places.set(value, place);
      }
      valueAt[next] = place;
      next += 1;
    }
  }
  const { ids, times, quantities, series } = batch;
  return { ...rest, ids, times, quantities, series, values, valueAt };
}

export function unpack({ ids, times, quantities, series, values, valueAt, ...rest }: PackedDecoded): Decoded {
  const width = SERIES_FIELDS.length;
  const labels: string[][] = [];
  for (let next = 0; next < valueAt.length; next += width) {
    const set: string[] = [];
    for (let at = 0; at < width; at += 1) set.push(values[valueAt[next + at]!]!);
    labels.push(set);
  }
  return { batch: { ids, times, quantities, labels, sent: series, series }, ...rest };
}

/** The memory of its arrays of numbers. */
export function buffersOf({ times, quantities, series, valueAt, index }: PackedDecoded): ArrayBuffer[] {
  return [times, quantities, series, valueAt, index].map((array) => array.buffer as ArrayBuffer);
}

/** Wraps a value that goes to another thread, so that `buffers` in it are handed over instead of copied. */
export function handOver(value: unknown, buffers: readonly ArrayBuffer[]): unknown {
  return move({ [transferableSymbol]: buffers, [valueSymbol]: value as object });
}
