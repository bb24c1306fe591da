/** What a campaign came to, as a table of docs/reliability.md. */

import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { WorldTotals } from "./campaign.ts";
import { WORLD_NAMES, type WorldName } from "./worlds.ts";

const BEGIN = "<!-- simulator figures: written by `npm run simulate -- --write` -->";
const END = "<!-- end of simulator figures -->";

const WORLD_WORDS: Readonly<Record<WorldName, string>> = {
  sqlite: "SQLite ledger, its writer and readers called in turn",
  memory: "memory ledger",
  threads: "SQLite ledger in its threads",
  service: "service: JSON in, reports out",
  clickhouse: "ClickHouse ledger, two processes on one engine",
};

export function figuresTable(totals: ReadonlyMap<WorldName, WorldTotals>): string {
  const head = ["World", "seeds", "steps", "events sent", "questions", "restarts", "power cuts", "steps a CPU second"];
  const rows = WORLD_NAMES.flatMap((name) => {
    const own = totals.get(name);
    return own ? [[WORLD_WORDS[name], ...cells(own)]] : [];
  });
  const rule = head.map((_, at) => (at === 0 ? "---" : "---:"));
  return [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function cells({ seeds, steps, events, questions, restarts, crashes, cpuMs }: WorldTotals): string[] {
  const perSecond = Math.round((steps * 1_000) / Math.max(1, cpuMs));
  return [seeds, steps, events, questions, restarts, crashes, perSecond].map((count) => count.toLocaleString("en-US"));
}

/** Puts the table between its marks. @throws Error when the page has no marks. */
export function writeFigures(path: string, totals: ReadonlyMap<WorldName, WorldTotals>, seconds: number): void {
  const page = readFileSync(path, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${path} has no place for the simulator's figures: ${BEGIN}`);
  const date = new Date().toISOString().slice(0, "2026-01-01".length);
  const steps = [...totals.values()].reduce((sum, own) => sum + own.steps, 0);
  const line =
    `${date}, Node ${process.versions.node}, ${Math.round(seconds / 60)} minutes on ${availableParallelism()} cores, ` +
    `${Math.round(steps / seconds).toLocaleString("en-US")} steps a second; nothing lost, nothing doubled, no wrong answer.`;
  const made = `${BEGIN}\n\n${line}\n\n${figuresTable(totals)}\n\n`;
  writeFileSync(path, page.slice(0, begin) + made + page.slice(end));
}
