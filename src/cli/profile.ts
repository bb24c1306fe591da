/**
 * Who calls whom: the key, the account and the server, each from the first place that names it: a flag, a profile that a
 * flag names, DAYBOOK_* in the environment, FIREWORKS_*, ~/.daybook/auth.ini, ~/.fireworks/auth.ini.
 */

import { chmodSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { safe, unsafe } from "ini";
import { whyUnreadable } from "../domain/unreadable.ts";
import { keepSecret, notSignedIn, quoted, refused, wrongWords } from "./refusal.ts";

const BASE_URL_DEFAULT = "http://127.0.0.1:8484";
const PROFILE_DEFAULT = "default";
/** Keys that Daybook reads. Its own file holds no others; a file of firectl may. */
const KEYS = ["api_key", "account_id", "base_url"] as const;
type Key = (typeof KEYS)[number];

export interface Environment {
  readonly home: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

export interface ProfileFlags {
  readonly apiKey?: string;
  readonly accountId?: string;
  readonly baseUrl?: string;
  readonly profile?: string;
}

/** A value and where it was found, for people. */
interface Found {
  readonly value: string;
  readonly from: string;
  /** The key in the same profile of the same file. */
  readonly besideKey?: string | undefined;
}

export interface Settings {
  readonly apiKey: Found | undefined;
  readonly accountId: Found | undefined;
  readonly baseUrl: Found;
  readonly profile: string;
}

interface Entry {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

/** One auth.ini: its lines as they stand, and what they say. */
interface AuthFile {
  readonly path: string;
  readonly lines: readonly string[];
  readonly entries: readonly Entry[];
  /** Sections with the line of their header. */
  readonly sections: ReadonlyMap<string, number>;
}

function ownFile({ home }: Environment): string {
  return join(home, ".daybook", "auth.ini");
}

/** @throws Refusal when a file has a wrong line, or when a flag names a profile that is in no file. */
export function readSettings(flags: ProfileFlags, environment: Environment, newProfile: boolean): Settings {
  const own = ownFile(environment);
  const files = [own, join(environment.home, ".fireworks", "auth.ini")].flatMap(
    (path) => readAuthFile(path, path === own) ?? [],
  );
  const profile = flags.profile ?? PROFILE_DEFAULT;
  const profiles = files.map((file) => ({ path: file.path, values: valuesOf(file, profile) }));
  if (flags.profile !== undefined && !newProfile && !profiles.some(({ values }) => values.size > 0)) {
    const known = new Set(files.flatMap(({ sections }) => [...sections.keys()]));
    const there = known.size > 0 ? `; there are ${[...known].join(", ")}` : "";
    throw notSignedIn(
      `profile ${quoted(profile)} is in no auth.ini${there}; run \`daybook login --profile ${profile}\``,
    );
  }
  const inFiles = (key: Key): Found[] =>
    profiles.flatMap(({ path, values }) => {
      const value = values.get(key);
      return value === undefined
        ? []
        : [{ value, from: `${path}, profile ${profile}`, besideKey: values.get("api_key") }];
    });
  const inEnvironment = (key: Key): Found[] =>
    ["DAYBOOK", "FIREWORKS"].flatMap((prefix) => {
      const name = `${prefix}_${key.toUpperCase()}`;
      const value = environment.variables[name]?.trim();
      return value ? [{ value, from: name }] : [];
    });
  const first = (key: Key, flag: string | undefined, fromFiles: readonly Found[]): Found | undefined => {
    if (flag !== undefined) return { value: flag, from: `--${key.replace("_", "-")}` };
    // A profile that was named by a flag is meant; what the environment happens to hold is not.
    const found = [...inEnvironment(key), ...fromFiles];
    return (flags.profile === undefined ? found : [...fromFiles, ...found])[0];
  };

  const apiKey = first("api_key", flags.apiKey, inFiles("api_key"));
  if (apiKey) checkKey(apiKey);
  // An account that a file names beside another key is that key's; so is a server, unless the key came without one.
  const strange = ({ besideKey }: Found) =>
    besideKey !== undefined && apiKey !== undefined && besideKey !== apiKey.value;
  const accounts = inFiles("account_id").filter((found) => !strange(found));
  const servers = inFiles("base_url").filter((found) => !strange(found) || apiKey?.besideKey === undefined);
  const baseUrl = first("base_url", flags.baseUrl, servers) ?? { value: BASE_URL_DEFAULT, from: "default" };
  const accountId = first("account_id", flags.accountId, accounts);
  return {
    apiKey,
    accountId: accountId && { ...accountId, value: accountId.value.replace(/^accounts\//, "") },
    baseUrl: { ...baseUrl, value: checkBaseUrl(baseUrl) },
    profile,
  };
}

/** A key travels in a header: visible ASCII. */
function checkKey({ value, from }: Found): void {
  keepSecret(value);
  if (/^[\x21-\x7e]+$/.test(value)) return;
  throw notSignedIn(`the API key of ${from} is empty or holds characters that no key has; copy it again`);
}

function checkBaseUrl({ value, from }: Found): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.username || url?.password) throw wrongWords(`${from}: leave the user and password out of the server's URL`);
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw wrongWords(`${from}: ${quoted(value)} is not a server's URL; use one such as ${BASE_URL_DEFAULT}`);
  }
  // The URL that inference clients are given has the API's path at its end.
  return `${url.origin}${url.pathname}`.replace(/(\/inference)?\/v1\/?$/, "").replace(/\/+$/, "");
}

function valuesOf(file: AuthFile, profile: string): Map<string, string> {
  // What stands before any section is of the default profile; its section goes first.
  const sections = profile === PROFILE_DEFAULT ? ["", profile] : [profile];
  const values = new Map<string, string>();
  for (const section of sections) {
    for (const entry of file.entries) {
      if (entry.section === section && entry.value !== "") values.set(entry.key, entry.value);
    }
  }
  return values;
}

const SECTION = /^\s*\[([^\]]*)\]\s*(?:[;#].*)?$/;
const ENTRY = /^\s*([A-Za-z_][\w.-]*)\s*=(.*)$/;

/** The file, or undefined when there is none. @throws Refusal naming file and line. */
function readAuthFile(path: string, own: boolean): AuthFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw refused(`cannot read ${path}: ${whyUnreadable(error)}`, { cause: error });
  }
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const entries: Entry[] = [];
  const sections = new Map<string, number>();
  let section = "";
  for (const [at, line] of lines.entries()) {
    if (/^\s*(?:[;#].*)?$/.test(line)) continue;
    const header = SECTION.exec(line);
    const entry = ENTRY.exec(line);
    const wrong = (mend: string) => notSignedIn(`${path}, line ${at + 1}: ${mend}`);
    if (header) {
      section = unsafe(header[1]!);
      sections.set(section, at);
    } else if (!entry) {
      throw wrong("is neither a [profile], a comment nor a line such as api_key = fw_…");
    } else if (own && !(KEYS as readonly string[]).includes(entry[1]!)) {
      throw wrong(`${quoted(entry[1]!)} is unknown; allowed are ${KEYS.join(", ")}`);
    } else {
      const value = String(unsafe(entry[2]!));
      if (entry[1] === "api_key") keepSecret(value);
      entries.push({ section, key: entry[1]!, value, line: at });
    }
  }
  return { path, lines, entries, sections };
}

/** Names a profile can have in a file that others read too. */
export function checkProfileName(profile: string): void {
  if (/^[\w.@-]{1,64}$/.test(profile)) return;
  throw wrongWords(`--profile: ${quoted(profile)} was given; use 1 to 64 letters, digits and . _ @ -`);
}

/**
 * Writes a profile to ~/.daybook/auth.ini, readable by its owner only; the rest of the file stays as it stands.
 * @returns the file's path.
 */
export function writeProfile(
  environment: Environment,
  profile: string,
  values: Readonly<Partial<Record<Key, string>>>,
): string {
  const path = ownFile(environment);
  const file = readAuthFile(path, true);
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${safe(value)}`);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const target = file ? realpathSync(path) : path;
    const temporary = `${target}.${process.pid}.part`;
    writeFileSync(temporary, withProfile(file, profile, lines), { mode: 0o600 });
    chmodSync(temporary, 0o600);
    renameSync(temporary, target);
  } catch (error) {
    throw refused(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
  return path;
}

function withProfile(file: AuthFile | undefined, profile: string, lines: readonly string[]): string {
  if (!file) return [`[${profile}]`, ...lines, ""].join("\n");
  const replaced = new Set(
    file.entries
      .filter(({ section }) => section === profile || (profile === PROFILE_DEFAULT && section === ""))
      .map(({ line }) => line),
  );
  const header = file.sections.get(profile);
  const kept = file.lines.flatMap((line, at) => {
    if (at === header) return [line, ...lines];
    return replaced.has(at) ? [] : [line];
  });
  while (kept.at(-1) === "") kept.pop();
  if (header === undefined) kept.push(...(kept.length > 0 ? [""] : []), `[${profile}]`, ...lines);
  return [...kept, ""].join("\n");
}
