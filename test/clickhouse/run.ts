/**
 * `npm run test:clickhouse`: the ClickHouse ledger on the real engine. The engine is a package of 546 MB, installed into
 * this folder when it is missing; with DAYBOOK_TEST_CLICKHOUSE_URL the suites run on the server there instead.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const folder = import.meta.dirname;

function installed(): boolean {
  if (existsSync(join(folder, "node_modules/chdb/package.json"))) return true;
  process.stdout.write("Installing the engine of test/clickhouse (once, 546 MB) ...\n");
  const options = { cwd: folder, stdio: "inherit", shell: process.platform === "win32" } as const;
  return spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], options).status === 0;
}

if (!process.env.DAYBOOK_TEST_CLICKHOUSE_URL && !installed()) {
  process.stdout.write(
    "NOT RUN: the package chdb cannot be installed here, so the ClickHouse ledger was not tested. " +
      "Set DAYBOOK_TEST_CLICKHOUSE_URL to the address of a ClickHouse to test it there.\n",
  );
  process.exit(1);
}
const SUITES = ["conformance", "writers", "differential", "migrate"];
/** They kill the engine, so it is one of their own. */
const KILLING = ["processes", "simulator", "million"];
const own = existsSync(join(folder, "node_modules/chdb/package.json"));
if (!own)
  process.stdout.write(`Left out, since they kill the engine and chdb is not installed: ${KILLING.join(", ")}.\n`);
// One after the other: each engine takes what the machine has.
const suites = [...SUITES, ...(own ? KILLING : [])].map((name) => join(folder, `${name}.suite.ts`));
const args = ["--test", "--test-concurrency=1", "--test-timeout=1800000", ...suites];
process.exit(spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1);
