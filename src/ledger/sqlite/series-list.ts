/** The series of each account, remembered: a series never changes. */

import type { DatabaseSync } from "node:sqlite";
import type { Labels } from "../../domain/usage.ts";
import { LABEL_COLUMNS } from "./schema.ts";
import { arrayStatements } from "./statements.ts";

/** All series of an account, by their place in order of birth. */
export interface SeriesList {
  /** Ascending. */
  readonly numbers: readonly number[];
  /** By number. */
  readonly places: ReadonlyMap<number, number>;
  readonly labels: readonly Labels[];
}

interface OpenList extends SeriesList {
  readonly numbers: number[];
  readonly places: Map<number, number>;
  readonly labels: Labels[];
}

/**
 * A function that tells an account's series, with those born since the last call. Each stands in the file twice, in its row
 * and in the index that keeps it the only one, and a name is taken only where the two agree: a bit that turned in either
 * would show usage under another name.
 * @throws Error where they do not.
 */
export function seriesReader(database: DatabaseSync): (account: number) => SeriesList {
  const lists = new Map<number, OpenList>();
  const labels = LABEL_COLUMNS.map((name) => `"${name}"`).join(", ");
  const born = arrayStatements(database)(
    `SELECT series, ${labels} FROM series NOT INDEXED WHERE account = ? AND series > ? ORDER BY series`,
  );
  const named = arrayStatements(database)(
    `SELECT series FROM series WHERE account = ? AND ${LABEL_COLUMNS.map((name) => `"${name}" = ?`).join(" AND ")}`,
  );
  return (account) => {
    const list = lists.get(account) ?? { numbers: [], places: new Map<number, number>(), labels: [] };
    lists.set(account, list);
    const rows = born.iterate(account, list.numbers.at(-1) ?? 0);
    for (const [number, ...values] of rows as unknown as Iterable<[number, ...string[]]>) {
      const [indexed] = (named.get(account, ...values) ?? []) as readonly number[];
      if (indexed !== number) throw new Error(`series ${number} is not what was written; run daybook verify`);
      list.places.set(number, list.numbers.push(number) - 1);
      list.labels.push(values);
    }
    return list;
  };
}
