/**
 * A day's sums packed into bytes, which read some twenty times faster than its rows. Only days whose totals are safe
 * integers are packed; the others are read from their rows.
 *
 * The bytes: a head of 32-bit words (the form, the number of series, of rows, then for each column the bytes of one
 * value, 0 where the whole column is zero); the numbers of the series; where each series' rows start; the rows' slots;
 * the columns' values. Each part begins at a multiple of 8. Numbers are little-endian; on a machine of the other order
 * the form does not match, and the rows are read instead.
 */

import { COLUMN_COUNT, type DayParts } from "./day-columns.ts";

/** The form of the bytes. Bytes of another form are not read. */
const FORM = 1;
const HEAD_WORDS = 3 + COLUMN_COUNT;

const WIDTHS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: Float64Array } as const;
type Width = keyof typeof WIDTHS;

/** The bytes of a day; undefined for a day that cannot be packed. `numbers`: the number of each of its series. */
export function packDay(day: DayParts, numbers: Uint32Array): Uint8Array | undefined {
  const columns: (Float64Array | undefined)[] = [];
  for (const totals of day.totals) {
    const values = totals && differences(totals);
    if (totals && !values) return undefined;
    columns.push(values);
  }
  const widths = columns.map((values) => (values ? widthOf(values) : 0));
  const layout = layoutOf(numbers.length, day.slots.length, widths);
  const bytes = new Uint8Array(layout.length);
  new Uint32Array(bytes.buffer, 0, HEAD_WORDS).set([FORM, numbers.length, day.slots.length, ...widths]);
  new Uint32Array(bytes.buffer, layout.series, numbers.length).set(numbers);
  new Uint32Array(bytes.buffer, layout.starts, numbers.length + 1).set(day.starts);
  bytes.set(day.slots, layout.slots);
  for (const [column, values] of columns.entries()) {
    if (values) new WIDTHS[widths[column] as Width](bytes.buffer, layout.columns[column]!, values.length).set(values);
  }
  return bytes;
}

/** The day in the bytes, its series by their numbers; undefined when the bytes are of another form or not whole. */
export function unpackDay(packed: Uint8Array): DayParts | undefined {
  // Views of numbers must begin at a multiple of their size.
  const bytes = packed.byteOffset % 8 === 0 ? packed : packed.slice();
  const buffer = bytes.buffer as ArrayBuffer;
  const { byteOffset } = bytes;
  if (bytes.length < HEAD_WORDS * 4) return undefined;
  const [form, series, rows, ...widths] = new Uint32Array(buffer, byteOffset, HEAD_WORDS) as unknown as Head;
  if (form !== FORM || !widths.every((width) => width === 0 || width in WIDTHS)) return undefined;
  const layout = layoutOf(series, rows, widths);
  if (layout.length !== bytes.length) return undefined;
  return {
    series: new Uint32Array(buffer, byteOffset + layout.series, series),
    starts: new Uint32Array(buffer, byteOffset + layout.starts, series + 1),
    slots: new Uint8Array(buffer, byteOffset + layout.slots, rows),
    totals: widths.map((width, column) => {
      if (width === 0) return undefined;
      return totalsOf(new WIDTHS[width as Width](buffer, byteOffset + layout.columns[column]!, rows));
    }),
  };
}

type Head = readonly [form: number, series: number, rows: number, ...widths: number[]];

/** Where each part begins, and the length of all. */
function layoutOf(series: number, rows: number, widths: readonly number[]) {
  let next = 0;
  const part = (bytes: number): number => {
    const at = next;
    next += Math.ceil(bytes / 8) * 8;
    return at;
  };
  part(HEAD_WORDS * 4);
  const places = { series: part(series * 4), starts: part((series + 1) * 4), slots: part(rows) };
  return { ...places, columns: widths.map((width) => part(rows * width)), length: next };
}

/** The values behind running totals; undefined when one is past the safe integers or below zero. */
function differences(totals: Float64Array | bigint[]): Float64Array | undefined {
  if (!(totals instanceof Float64Array)) return undefined;
  const values = new Float64Array(totals.length - 1);
  for (let row = 0; row < values.length; row += 1) {
    const value = totals[row + 1]! - totals[row]!;
    if (value < 0) return undefined;
    values[row] = value;
  }
  return values;
}

function widthOf(values: Float64Array): Width {
  let most = 0;
  for (const value of values) if (value > most) most = value;
  if (most < 2 ** 8) return 1;
  if (most < 2 ** 16) return 2;
  return most < 2 ** 32 ? 4 : 8;
}

function totalsOf(values: Uint8Array | Uint16Array | Uint32Array | Float64Array): Float64Array {
  const totals = new Float64Array(values.length + 1);
  let total = 0;
  for (let row = 0; row < values.length; row += 1) {
    total += values[row]!;
    totals[row + 1] = total;
  }
  return totals;
}
