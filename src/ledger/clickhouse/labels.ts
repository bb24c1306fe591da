/** The labels of series: written once under a name that is made from them, and remembered. */

import { hash } from "node:crypto";
import { type Labels, labelsKey, SERIES_FIELDS } from "../../domain/usage.ts";
import type { Engine } from "./engine.ts";
import { LABEL_COLUMNS } from "./schema.ts";
import { raw, sql } from "./statement.ts";

/** The name of a series: 128 bits, in the form of a UUID. */
export type SeriesName = string;

const REMEMBERED_MAX = 200_000;

/**
 * Made from account and labels alone, so that processes that know nothing of each other agree on it. A field that was
 * added later is left out while it is empty, so that labels from before keep their name.
 */
export function seriesName(account: string, labels: Labels): SeriesName {
  const named = labels.at(-1) === "" ? labels.slice(0, -1) : labels;
  const hex = hash("sha256", `${account}\u0000${labelsKey(named)}`, "hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}

export class SeriesLabels {
  readonly #engine: Engine;
  /** Labels that stand in the table. */
  readonly #known = new Map<SeriesName, Labels>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Writes the labels that are not known to stand in the table. When it resolves they do. */
  async write(rows: ReadonlyMap<SeriesName, { readonly account: string; readonly labels: Labels }>): Promise<void> {
    const fresh = [...rows].filter(([name]) => !this.#known.has(name));
    if (fresh.length === 0) return;
    const lines = fresh.map(([name, { account, labels }]) => JSON.stringify([account, name, ...labels]));
    await this.#engine.insert("series", { columns: ["account", "series", ...LABEL_COLUMNS], lines });
    for (const [name, { labels }] of fresh) this.#remember(name, labels);
  }

  /** The labels of these series of one account or more. */
  async read(accounts: readonly string[], names: readonly SeriesName[]): Promise<ReadonlyMap<SeriesName, Labels>> {
    const found = new Map<SeriesName, Labels>();
    const missing: SeriesName[] = [];
    for (const name of new Set(names)) {
      const labels = this.#known.get(name);
      if (labels) found.set(name, labels);
      else missing.push(name);
    }
    if (missing.length === 0) return found;
    const rows = await this.#engine.rows(
      sql`SELECT series, ${LABEL_COLUMNS.map(raw)} FROM series
          WHERE account IN (${[...new Set(accounts)]}) AND series IN (${missing})`,
    );
    for (const [name, ...labels] of rows) {
      found.set(name!, labels);
      this.#remember(name!, labels);
    }
    const lost = missing.find((name) => !found.has(name));
    if (lost !== undefined) throw new Error(`entries name the series ${lost}, which has no labels`);
    return found;
  }

  #remember(name: SeriesName, labels: Labels): void {
    if (labels.length !== SERIES_FIELDS.length) throw new Error(`series ${name} has ${labels.length} labels`);
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(name, labels);
  }
}
