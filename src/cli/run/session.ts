/** login, whoami, version, upgrade. */

import { TZDB_VERSION } from "../../domain/time.ts";
import { snakeCased } from "../../render/snake-json.ts";
import { VERSION } from "../../version.ts";
import type { Client } from "../client.ts";
import { HttpRefusal } from "../client.ts";
import { accountIds, type Context } from "../context.ts";
import { checkProfileName, type Settings, writeProfile } from "../profile.ts";
import { askHidden, readAll } from "../prompt-key.ts";
import { keepSecret, wrongWords } from "../refusal.ts";
import { showRecord } from "../show.ts";

/** Ctrl-C and paste accidents aside, a key is short. */
const KEY_CHARACTERS_MAX = 4_096;

export async function login(context: Context): Promise<void> {
  const { baseUrl, profile, accountId } = context.settings;
  checkProfileName(profile);
  const request = { method: "GET", path: "/v1/accounts?pageSize=200" } as const;
  if (context.showDry([{ method: "GET", path: "/verifyApiKey" }, request])) return;
  const apiKey = await newKey(context);
  const client = context.clientFor(apiKey, baseUrl.value);
  // An account of the environment or of a profile belongs to the key before; only a flag means the new one.
  const named = context.flags.accountId === undefined ? undefined : accountId?.value;
  const { account, others } = await accountOf(client, named);
  const path = writeProfile(context.environment, profile, {
    api_key: apiKey,
    account_id: account,
    base_url: baseUrl.value,
  });
  if (context.output === "json") {
    context.print(JSON.stringify({ account_id: account, base_url: baseUrl.value, profile, file: path }, null, 2));
    return;
  }
  context.print(`Signed in to account ${account} of ${baseUrl.value}; kept in ${path}, profile ${profile}.`);
  if (others.length > 0)
    context.print(`The key also sees ${others.slice(0, 10).join(", ")}; choose with --account-id.`);
}

/** The key of the flag, of standard input, or of the person at the terminal. */
async function newKey({ flags, streams, settings }: Context): Promise<string> {
  const { stdin } = process;
  let key = flags.apiKey;
  if (key === "-") key = (await readAll(stdin, KEY_CHARACTERS_MAX)).trim();
  else if (key === undefined) {
    if (!stdin.isTTY)
      throw wrongWords("login: there is no terminal to ask for the key; use --api-key - to read standard input");
    key = (await askHidden(stdin, streams.stderr, `API key of ${settings.baseUrl.value}: `)).trim();
  }
  keepSecret(key);
  if (!/^[\x21-\x7e]+$/.test(key))
    throw wrongWords("login: the API key is empty or holds characters that no key has; copy it again");
  return key;
}

/** The account to keep: the named one, or the key's own. Each is checked with the server. */
async function accountOf(
  client: Client,
  named: string | undefined,
): Promise<{ account: string; others: readonly string[] }> {
  const home = await homeAccount(client);
  const seen = await accountIds(client);
  if (named !== undefined) {
    if (!seen.includes(named)) await client.call({ method: "GET", path: `/v1/accounts/${encodeURIComponent(named)}` });
    return { account: named, others: [] };
  }
  const account = home ?? (seen.length === 1 ? seen[0] : undefined);
  if (account === undefined) {
    throw wrongWords(
      `login: the key sees ${seen.length} accounts (${seen.slice(0, 10).join(", ")}); choose one with --account-id`,
    );
  }
  return { account, others: seen.filter((id) => id !== account) };
}

/** The key's own account; undefined on a server that does not tell. @throws Refusal for a key that is no good. */
async function homeAccount(client: Client): Promise<string | undefined> {
  try {
    const { headers } = await client.call({ method: "GET", path: "/verifyApiKey" });
    return headers.get("x-fireworks-account-id") ?? undefined;
  } catch (error) {
    if (error instanceof HttpRefusal && [404, 501].includes(error.status)) return undefined;
    throw error;
  }
}

export async function whoami(context: Context): Promise<void> {
  const account = await context.call({ method: "GET", path: await context.path("") });
  if (account === undefined) return;
  const { apiKey, baseUrl } = context.settings as Settings & { readonly apiKey: { readonly from: string } };
  if (context.output === "json") {
    const id = await context.account();
    const answer = { account_id: id, base_url: baseUrl.value, key_from: apiKey.from, account: snakeCased(account) };
    context.print(JSON.stringify(answer, null, 2));
    return;
  }
  const { displayName, email, suspendState } = account as Record<string, string>;
  showRecord(context, {
    account: await context.account(),
    name: displayName ?? "",
    email: email ?? "",
    state: suspendState ?? "",
    server: baseUrl.value,
    key: `from ${apiKey.from}`,
  });
}

export function version(context: Context): void {
  const node = process.versions.node;
  if (context.output === "json") {
    context.print(JSON.stringify({ version: VERSION, node, tzdb: TZDB_VERSION }, null, 2));
  } else context.print(`daybook ${VERSION} (Node ${node}, time zones ${TZDB_VERSION})`);
}

export function upgrade(context: Context): void {
  context.print(
    [
      `This is daybook ${VERSION}. It upgrades nothing by itself.`,
      "  1. Stop the server, and copy its data folder.",
      "  2. Get the new version the way you got this one: git pull, or a new image; then npm ci.",
      "  3. Start the server on the same folder. It brings the files up to date by itself.",
    ].join("\n"),
  );
}
