/** The series of each account, remembered: a series never changes. */

import type { DatabaseSync } from "node:sqlite";
import type { Labels } from "../../domain/usage.ts";
import { LABEL_COLUMNS } from "./schema.ts";

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

/** A function that tells an account's series, with those born since the last call. */
export function seriesReader(database: DatabaseSync): (account: number) => SeriesList {
  const lists = new Map<number, OpenList>();
  const labels = LABEL_COLUMNS.map((name) => `"${name}"`).join(", ");
  const born = database.prepare(
    `SELECT series, ${labels} FROM series WHERE account = ? AND series > ? ORDER BY series`,
  );
  born.setReturnArrays(true);
  return (account) => {
    const list = lists.get(account) ?? { numbers: [], places: new Map<number, number>(), labels: [] };
    lists.set(account, list);
    const rows = born.iterate(account, list.numbers.at(-1) ?? 0);
    for (const [number, ...values] of rows as unknown as Iterable<[number, ...string[]]>) {
      list.places.set(number, list.numbers.push(number) - 1);
      list.labels.push(values);
    }
    return list;
  };
}
