/**
 * PostgreSQL for the tests of one file: a cluster that is made when the first database is asked for, or the server that
 * DAYBOOK_TEST_POSTGRES_URL names, whose user may make databases and roles.
 */

import { after } from "node:test";
import { Cluster, run, whyNoCluster } from "./cluster.ts";

export { run } from "./cluster.ts";

const given = process.env.DAYBOOK_TEST_POSTGRES_URL;

/** Why tests on PostgreSQL are skipped; undefined where they can run. */
export const WHY_NO_POSTGRES: string | undefined = given ? undefined : whyNoCluster();

let shared: Promise<Cluster> | undefined;
const databases: string[] = [];

/** The URL of a new and empty database. @param clause of CREATE DATABASE, such as its locale. */
export async function emptyDatabase(clause = ""): Promise<string> {
  const name = `daybook_test_${process.pid}_${databases.length}`;
  databases.push(name);
  shared ??= given ? undefined : Cluster.make();
  const base = given ?? (await shared)!.url("postgres");
  await run(base, `create database ${name} template template0 ${clause}`);
  const url = new URL(base);
  url.pathname = `/${name}`;
  return url.href;
}

after(async () => {
  await (await shared)?.remove();
  if (!given) return;
  for (const name of databases) await run(given, `drop database if exists ${name} with (force)`);
});
