/** A question for sums as one statement, and its rows. The cutting of ranges is pure. */

import { type Instant, SLOT_MS, slotCeil, slotStart } from "../../domain/time.ts";
import type { SeriesField } from "../../domain/usage.ts";
import type { EventsQuestion, SumQuestion, SumRow } from "../ledger.ts";
import { METER_COLUMNS } from "./schema.ts";
import { raw, type Sql, sql } from "./statement.ts";

/** A piece of a segment: whole slots, or instants within one slot. Half-open. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly segment: number;
}

/** The segments between the edges: whole slots by their numbers, and what is left beside them by instants. */
export function piecesOf(edges: readonly Instant[]): { readonly slots: Piece[]; readonly times: Piece[] } {
  const slots: Piece[] = [];
  const times: Piece[] = [];
  for (let segment = 0; segment + 1 < edges.length; segment += 1) {
    const [start, end] = [edges[segment]!, edges[segment + 1]!];
    const from = slotCeil(start);
    const to = slotStart(end);
    if (from > to) {
      times.push({ from: start, to: end, segment });
      continue;
    }
    if (start < from) times.push({ from: start, to: from, segment });
    if (from < to) slots.push({ from: from / SLOT_MS, to: to / SLOT_MS, segment });
    if (to < end) times.push({ from: to, to: end, segment });
  }
  return { slots, times };
}

/** SQL for the segment that a column's value lies in, -1 for a gap; the value is not below the first piece. */
function segmentOf(column: Sql, pieces: readonly Piece[]): Sql {
  const bounds: number[] = [];
  const segments: number[] = [];
  for (const [at, { from, to, segment }] of pieces.entries()) {
    bounds.push(from);
    segments.push(segment);
    if (pieces[at + 1]?.from === to) continue;
    bounds.push(to);
    segments.push(-1);
  }
  return sql`toInt32(transform(roundDown(${column}, [${bounds}]), [${bounds}], [${segments}], -1))`;
}

const columns = (names: readonly string[]): Sql[] => names.map(raw);
const fieldColumns = (fields: readonly SeriesField[]): Sql[] => fields.map((field) => raw(`\`${field}\``));
/** Spelled as in the projection `slots`, so that the engine sees that it holds them. */
const SUMS = columns([
  "sum(counted) AS events",
  ...METER_COLUMNS.map((name, at) => `sum(toInt128(${name})) AS sum${at}`),
]);
const SUM_NAMES = ["events", ...METER_COLUMNS.map((_, at) => `sum${at}`)];

export interface SumScope {
  readonly lane: number;
  readonly account: string;
  /** Only entries up to this commit, from the journal itself; all, by their sums, when left out. */
  readonly upTo?: number;
}

/** The statement of a question; undefined when nothing can be in its answer. */
export function sumStatement(scope: SumScope, question: SumQuestion): Sql | undefined {
  const { slots, times } = piecesOf(question.edges);
  const ofAccount = sql`lane = ${scope.lane} AND account = ${scope.account}`;
  const where = scope.upTo === undefined ? ofAccount : sql`${ofAccount} AND \`commit\` <= ${scope.upTo}`;
  const parts: string[] = [];
  if (slots.length > 0) {
    const bounds = sql`slot >= ${slots[0]!.from} AND slot < ${slots.at(-1)!.to}`;
    parts.push(
      sql`SELECT ${segmentOf(raw("slot"), slots)} AS segment, series, ${SUMS} FROM entries
          WHERE ${where} AND ${bounds} GROUP BY segment, series`.text,
    );
  }
  if (times.length > 0) {
    const held = [...new Set(times.map(({ from }) => Math.floor(from / SLOT_MS)))];
    const bounds = sql`slot IN (${held}) AND time >= ${times[0]!.from} AND time < ${times.at(-1)!.to}`;
    parts.push(
      sql`SELECT ${segmentOf(raw("time"), times)} AS segment, series, ${SUMS} FROM entries
          WHERE ${where} AND ${bounds} GROUP BY segment, series`.text,
    );
  }
  if (parts.length === 0) return undefined;
  const fields = fieldColumns(question.fields);
  const totals = columns(SUM_NAMES.map((name) => `sum(${name}) AS total_${name}`));
  return sql`SELECT segment, ${[...fields, ...totals]} FROM (${raw(parts.join(" UNION ALL "))}) AS sums
    INNER JOIN (${seriesStatement(scope.account, question, question.fields)}) AS labels USING series
    WHERE segment >= 0 GROUP BY segment${raw(fields.map(({ text }) => `, ${text}`).join(""))}
    HAVING total_events > 0`;
}

/** The series that are asked about, with these fields; each once, however often the table holds it. */
export function seriesStatement(
  account: string,
  { usageTypes, filters = [] }: Pick<EventsQuestion, "usageTypes" | "filters">,
  fields: readonly SeriesField[],
): Sql {
  const tests = filters.map(({ field, values }) => sql` AND ${fieldColumns([field])} IN (${values})`.text);
  if (usageTypes) tests.push(sql` AND \`usageType\` IN (${usageTypes})`.text);
  return sql`SELECT DISTINCT ${[raw("series"), ...fieldColumns(fields)]} FROM series
    WHERE account = ${account}${raw(tests.join(""))}`;
}

export function sumRows(rows: readonly (readonly string[])[], { fields }: SumQuestion): SumRow[] {
  return rows.map((row) => {
    const [events, ...quantities] = row.slice(1 + fields.length).map(BigInt);
    return { segment: Number(row[0]), values: row.slice(1, 1 + fields.length), events: events!, quantities };
  });
}
