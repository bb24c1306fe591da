/** Records and lists of records on standard output, as text or JSON. */

import { snakeCased } from "../render/snake-json.ts";
import { type TableColumn, textTable } from "../render/text-table.ts";
import type { Context } from "./context.ts";
import type { Json } from "./exact-json.ts";
import { styleOf } from "./style.ts";

/** Fields of one record, a line each; empty ones are left out. */
export function showRecord(context: Context, fields: Readonly<Record<string, string>>): void {
  const { emphasize } = styleOf(context.streams.stdout);
  const shown = Object.entries(fields).filter(([, value]) => value !== "");
  const width = Math.max(...shown.map(([name]) => name.length));
  for (const [name, value] of shown) context.print(`${emphasize(name.padEnd(width))}  ${plain(value)}`);
}

/** A column of a list: its title and what it shows of a record. */
export interface ShownField<T> extends TableColumn {
  readonly of: (record: T) => string;
}

/** A list as a table, or under its name as JSON. */
export function showList<T>(
  context: Context,
  { name, records }: { readonly name: string; readonly records: readonly Json[] },
  fields: readonly ShownField<T>[],
): void {
  if (context.output === "json") {
    context.print(JSON.stringify(snakeCased({ [name]: records }), null, 2));
    return;
  }
  if (records.length === 0) {
    context.print("There are none.");
    return;
  }
  const rows = (records as unknown as readonly T[]).map((record) => fields.map(({ of }) => of(record)));
  context.streams.stdout.write(textTable(fields, rows, styleOf(context.streams.stdout)));
}

/** One record as JSON, or its fields as text. */
export function showOne<T>(
  context: Context,
  record: Json,
  fieldsOf: (record: T) => Readonly<Record<string, string>>,
): void {
  if (context.output === "json") context.print(JSON.stringify(snakeCased(record), null, 2));
  else showRecord(context, fieldsOf(record as unknown as T));
}

/** A value without what could steer the terminal. */
function plain(value: string): string {
  return value.replace(/\p{Cc}/gu, "\ufffd");
}

/** A time of the wire to the second, in UTC, as tables show it. */
export function timeText(time: string | undefined): string {
  return (time ?? "")
    .replace(/\.\d+(?=Z)/, "")
    .replace("T", " ")
    .replace(/Z$/, "");
}

/** Tags as they are given to a flag. */
export function tagsText(annotations: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(annotations ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
}
