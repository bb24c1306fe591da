/** What a command works with: the settings, the server, the account, and where its words go. */

import { homedir } from "node:os";
import { type ApiRequest, Client } from "./client.ts";
import type { Json } from "./exact-json.ts";
import { type Environment, readSettings, type Settings } from "./profile.ts";
import { EXIT, notSignedIn, quoted, sayable, wrongWords } from "./refusal.ts";

export type OutputFormat = "text" | "json" | "csv";

/** The flags that every command has. */
export interface GlobalFlags {
  readonly accountId?: string;
  readonly apiKey?: string;
  readonly profile?: string;
  readonly output?: OutputFormat;
  readonly dryRun?: boolean;
  readonly baseUrl?: string;
  readonly debug?: boolean;
}

const ACCOUNTS_NAMED_MAX = 10;
/** Stands where an account is found only by asking the server, which a dry run does not. */
const ACCOUNT_UNKNOWN = "{account_id}";
const PAGE_SIZE = 200;
/** Far more than any account has of one thing; an endless list ends here. */
const PAGES_MAX = 10_000;

/** Where text goes. */
export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export interface ContextOptions {
  readonly formats?: readonly OutputFormat[];
  /** The command makes the profile that it names. */
  readonly newProfile?: boolean;
}

export class Context {
  readonly flags: GlobalFlags;
  readonly environment: Environment;
  readonly streams: Streams = process;
  readonly output: OutputFormat;
  readonly dryRun: boolean;
  readonly now: () => number = Date.now;
  readonly #cleanups = new Set<() => void>();
  readonly #newProfile: boolean;
  #settings: Settings | undefined;
  #client: Client | undefined;

  constructor(flags: GlobalFlags, { formats = ["text", "json"], newProfile = false }: ContextOptions = {}) {
    this.flags = flags;
    this.#newProfile = newProfile;
    this.output = flags.output ?? "text";
    if (!formats.includes(this.output)) {
      throw wrongWords(`--output: ${quoted(this.output)} is not for this command; allowed are ${formats.join(", ")}`);
    }
    this.dryRun = flags.dryRun === true;
    this.environment = { home: homedir(), variables: process.env };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => this.#interrupted());
  }

  /** One line on stderr. */
  readonly say = (line: string): void => {
    this.streams.stderr.write(`daybook: ${sayable(line)}\n`);
  };

  /** Read when they are first needed. @throws Refusal when an auth.ini is wrong. */
  get settings(): Settings {
    this.#settings ??= readSettings(this.flags, this.environment, this.#newProfile);
    return this.#settings;
  }

  get client(): Client {
    const { apiKey, baseUrl } = this.settings;
    if (!apiKey) {
      throw notSignedIn("not signed in: no API key was found; run `daybook login`, or set DAYBOOK_API_KEY");
    }
    this.#client ??= this.clientFor(apiKey.value, baseUrl.value);
    return this.#client;
  }

  clientFor(apiKey: string, baseUrl: string): Client {
    return new Client({ apiKey, baseUrl, say: this.say, debug: this.flags.debug === true });
  }

  /** The bare id of the account: as named, or the only one that the key sees. */
  async account(): Promise<string> {
    const named = this.settings.accountId?.value;
    if (named !== undefined) return named;
    if (this.dryRun) return ACCOUNT_UNKNOWN;
    const ids = await accountIds(this.client);
    if (ids.length === 1) return ids[0]!;
    if (ids.length === 0) throw notSignedIn("the key sees no account; run `daybook login` with another");
    const list = ids.slice(0, ACCOUNTS_NAMED_MAX).join(", ");
    const more = ids.length > ACCOUNTS_NAMED_MAX ? " and others" : "";
    throw wrongWords(`the key sees ${ids.length} accounts (${list}${more}); choose one with --account-id`);
  }

  /** `/v1/accounts/<account>` and a path below it. */
  async path(below: string): Promise<string> {
    return `/v1/accounts/${pathPart(await this.account())}${below}`;
  }

  /**
   * Sends one request; with --dry-run it prints it instead and gives undefined.
   * @throws Refusal when the server or the network says no.
   */
  async call(request: ApiRequest): Promise<Json | undefined> {
    if (this.showDry([request])) return undefined;
    return (await this.client.call(request)).json;
  }

  /** With --dry-run prints the requests and says true. */
  showDry(requests: readonly ApiRequest[]): boolean {
    if (!this.dryRun) return false;
    const { baseUrl } = this.settings;
    if (this.output === "json") {
      const list = requests.map(({ method, path, body }) => ({
        method,
        url: baseUrl.value + path,
        ...(body && { body }),
      }));
      this.print(JSON.stringify(list, null, 2));
    } else {
      for (const { method, path, body } of requests) {
        this.print(`${method} ${baseUrl.value}${path}${body ? `\n${JSON.stringify(body, null, 2)}` : ""}`);
      }
    }
    return true;
  }

  /** Every item of a list, from all of its pages; undefined with --dry-run. */
  async list(path: string, name: string): Promise<readonly Json[] | undefined> {
    if (this.showDry([{ method: "GET", path: `${path}?pageSize=${PAGE_SIZE}` }])) return undefined;
    return listAll(this.client, path, name);
  }

  print(text: string): void {
    this.streams.stdout.write(`${text}\n`);
  }

  /** Runs `work`; when Ctrl-C ends it, `cleanup` is called before the process ends. */
  async guarded<T>(cleanup: () => void, work: () => Promise<T>): Promise<T> {
    this.#cleanups.add(cleanup);
    try {
      return await work();
    } finally {
      this.#cleanups.delete(cleanup);
    }
  }

  #interrupted(): void {
    for (const cleanup of this.#cleanups) cleanup();
    this.say(this.#cleanups.size > 0 ? "interrupted; nothing was written, run it again" : "interrupted");
    process.exit(EXIT.interrupted);
  }
}

/** Every item of a paged list. */
async function listAll(client: Client, path: string, name: string): Promise<readonly Json[]> {
  const items: Json[] = [];
  let token = "";
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = `?pageSize=${PAGE_SIZE}${token && `&pageToken=${encodeURIComponent(token)}`}`;
    const { json } = await client.call({
      method: "GET",
      path: path.includes("?") ? `${path}${query.replace("?", "&")}` : path + query,
    });
    const { [name]: list, nextPageToken } = json as Record<string, Json>;
    if (Array.isArray(list)) items.push(...(list as Json[]));
    if (typeof nextPageToken !== "string" || nextPageToken === "") return items;
    token = nextPageToken;
  }
  return items;
}

/** The bare ids of the accounts that the client's key sees. */
export async function accountIds(client: Client): Promise<string[]> {
  const accounts = await listAll(client, "/v1/accounts", "accounts");
  return accounts.map((account) => lastSegment(String((account as { name: Json }).name)));
}

/** What follows the last / of a resource name. */
export function lastSegment(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** An id as a part of a path; a placeholder of a dry run stays readable. */
export function pathPart(id: string): string {
  return id === ACCOUNT_UNKNOWN ? id : encodeURIComponent(id);
}
