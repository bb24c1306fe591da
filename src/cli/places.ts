/** Where the installation is kept, from the environment: URLs hold passwords, and a command line is for all to see. */

import { readFileSync } from "node:fs";
import { Option } from "commander";
import { whyUnreadable } from "../domain/unreadable.ts";
import { keepSecret, quoted, refused, wrongWords } from "./refusal.ts";

/** What has no URL is in the data folder. */
export interface Places {
  readonly ledgerUrl?: string;
  readonly accountsUrl?: string;
  readonly clickhouseCluster?: string;
}

/** The flag that every command with a ClickHouse has. */
export function clusterOption(): Option {
  const meaning = "the cluster that keeps the ledger, replicated; one node when left out";
  return new Option("--clickhouse-cluster <name>", meaning).env("DAYBOOK_CLICKHOUSE_CLUSTER");
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The names of the settings that are in force here, for sentences. */
export function namesOf({ ledgerUrl, accountsUrl }: Places): string[] {
  return [
    ...(ledgerUrl === undefined ? [] : ["DAYBOOK_LEDGER_URL"]),
    ...(accountsUrl === undefined ? [] : ["DAYBOOK_ACCOUNTS_URL"]),
  ];
}

/** Which host and database a URL names, and nothing else of it. */
export function shownPlace(url: string): string {
  const { protocol = "", host = "", pathname = "" } = URL.parse(url) ?? {};
  return `${protocol}//${host}${pathname}`;
}

/**
 * @param cluster As --clickhouse-cluster or DAYBOOK_CLICKHOUSE_CLUSTER gave it.
 * @throws Refusal when a file cannot be read, and for settings that exclude each other.
 */
export function readPlaces(env: Environment, cluster?: string): Places {
  const ledgerUrl = readUrl(env, "DAYBOOK_LEDGER_URL");
  const accountsUrl = readUrl(env, "DAYBOOK_ACCOUNTS_URL");
  if (cluster !== undefined && ledgerUrl === undefined) {
    throw wrongWords("--clickhouse-cluster: there is no ClickHouse; set DAYBOOK_LEDGER_URL, or leave it out");
  }
  return {
    ...(ledgerUrl !== undefined && { ledgerUrl }),
    ...(accountsUrl !== undefined && { accountsUrl }),
    ...(ledgerUrl !== undefined && cluster !== undefined && { clickhouseCluster: cluster }),
  };
}

function readUrl(env: Environment, name: string): string | undefined {
  const file = env[`${name}_FILE`];
  if (env[name] && file) throw wrongWords(`${name} and ${name}_FILE are both set; unset one of them`);
  const text = file ? readSecret(`${name}_FILE`, file) : env[name];
  if (!text) return undefined;
  const url = URL.parse(text);
  // One that cannot be read may hold a password anywhere.
  if (url?.password !== "") keepSecret(text);
  // As it is written and as it is meant: no sentence shows either.
  const password = url?.password ?? "";
  keepSecret(password);
  try {
    keepSecret(decodeURIComponent(password));
  } catch {
    // Told as a mistake of the URL.
  }
  return text;
}

function readSecret(name: string, file: string): string {
  try {
    const text = readFileSync(file, "utf8").trim();
    if (text !== "") return text;
  } catch (error) {
    throw refused(`${name}: ${quoted(file)} cannot be read: ${whyUnreadable(error)}`);
  }
  throw refused(`${name}: ${quoted(file)} is empty; write the URL into it`);
}
