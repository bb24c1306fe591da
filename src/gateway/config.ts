/** gateway.yaml: the upstreams, which models go to which, and the spool (docs/gateway.md). */

import { whyUnreadable } from "../domain/unreadable.ts";
import { type Place, YamlReader } from "./yaml-reader.ts";

/** Milliseconds. */
interface Timeouts {
  /** To connect. */
  readonly connectMs: number;
  /** From the request to the answer's headers. */
  readonly firstByteMs: number;
  /** Between two parts of an answer; also how long a client may take nothing of it. */
  readonly idleMs: number;
  /** How long the rest of an answer is read for its usage after the client has gone. */
  readonly finishMs: number;
}

/** A name, or one that ends in `*` for all names that begin so, and what the upstream calls it. */
export interface ModelRule {
  readonly asked: string;
  readonly upstream: string;
}

export interface UpstreamConfig {
  readonly name: string;
  /** Without a slash at its end; the paths behind `/v1/` are put behind it. */
  readonly baseUrl: URL;
  readonly apiKey: string | undefined;
  /** The header that carries the key. */
  readonly auth: "bearer" | "x-api-key";
  readonly models: readonly ModelRule[];
  /** `ask`: streams tell their usage when asked (`stream_options`). `always`: they do so by themselves. */
  readonly streamUsage: "ask" | "always";
  /** Whose id an event gets: `gateway` for upstreams that give the same id to several answers. */
  readonly eventIds: "upstream" | "gateway";
  readonly timeouts: Timeouts;
}

/** How calls are held to budgets. */
export interface BudgetConfig {
  /** What becomes of a call that has no price in an account with a budget. */
  readonly unpriced: "refuse" | "allow";
  /** Tokens that an answer may have where neither the client nor `maxOutputTokensOf` says. */
  readonly maxOutputTokens: number;
  /** The same by the upstream's name of a model, or what it begins with before a `*`; the first that fits. */
  readonly maxOutputTokensOf: readonly { readonly model: string; readonly tokens: number }[];
  /** Tokens of what a request names that stands elsewhere: images, files, earlier answers. */
  readonly elsewhereTokens: number;
}

export interface GatewayConfig {
  readonly upstreams: readonly [UpstreamConfig, ...UpstreamConfig[]];
  /** What becomes of paths that are not metered. */
  readonly otherPaths: "pass" | "refuse";
  /** When a client hangs up: read the answer's rest for its usage, or end the call. */
  readonly onClientGone: "finish" | "cancel";
  readonly spool: {
    readonly maxBytes: number;
    /** At the bound: `open` lets calls pass unmetered, `closed` refuses them. */
    readonly whenFull: "open" | "closed";
  };
  readonly budgets: BudgetConfig;
}

/** Where keys are looked up. */
export interface KeySources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readFile(path: string): string;
}

const KiB = 1024;
const GiB = 1024 * 1024 * KiB;
const DAY_MS = 86_400_000;
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const KEY = /^[\x21-\x7e]{1,4096}$/;
const MODEL_CHARACTERS_MAX = 256;

/**
 * Reads the file's text.
 * @throws Fault `bad_gateway_file`, a problem for each mistake with its line.
 */
export function readGatewayConfig(file: string, text: string, keys: KeySources): GatewayConfig {
  const reader = new YamlReader(file, text);
  const top = reader.fields(reader.root, ["upstreams", "otherPaths", "onClientGone", "spool", "budgets"]);
  const places = top.upstreams ? reader.items(top.upstreams) : [];
  if (places.length === 0) reader.refuse(top.upstreams ?? reader.root, "no upstream is named; write one at least");
  const upstreams = places.map((place) => readUpstream(reader, place, keys));
  refuseTwice(reader, upstreams);
  const spool = top.spool ? reader.fields(top.spool, ["maxBytes", "whenFull"]) : {};
  const config = {
    otherPaths: reader.choice(top.otherPaths, ["pass", "refuse"]),
    onClientGone: reader.choice(top.onClientGone, ["finish", "cancel"]),
    spool: {
      maxBytes: reader.whole(spool.maxBytes, { min: 64 * KiB, max: 1024 * GiB, default: GiB }),
      whenFull: reader.choice(spool.whenFull, ["open", "closed"]),
    },
    budgets: readBudgets(reader, top.budgets),
  };
  reader.finish();
  const [first, ...others] = upstreams.map(({ upstream }) => upstream as UpstreamConfig);
  return { upstreams: [first!, ...others], ...config };
}

const TOKENS_MAX = 10_000_000;

function readBudgets(reader: YamlReader, at: Place | undefined): BudgetConfig {
  const names = ["unpriced", "maxOutputTokens", "maxOutputTokensOf", "elsewhereTokens"] as const;
  const fields = at ? reader.fields(at, names) : {};
  const tokens = (place: Place | undefined, usual: number): number => {
    return reader.whole(place, { min: 1, max: TOKENS_MAX, default: usual });
  };
  const { maxOutputTokensOf: own } = fields;
  return {
    unpriced: reader.choice(fields.unpriced, ["refuse", "allow"]),
    maxOutputTokens: tokens(fields.maxOutputTokens, 16_384),
    maxOutputTokensOf: [...(own ? reader.named(own) : [])].map(([model, place]) => {
      if (model.slice(0, -1).includes("*")) reader.refuse(place, "* may only be the last character");
      return { model, tokens: tokens(place, 1) };
    }),
    elsewhereTokens: tokens(fields.elsewhereTokens, 32_768),
  };
}

interface ReadUpstream {
  readonly name: string | undefined;
  readonly nameAt: Place;
  readonly rules: readonly (ModelRule & { readonly place: Place })[];
  /** Undefined when a part that it cannot be without is missing or wrong. */
  readonly upstream: UpstreamConfig | undefined;
}

const UPSTREAM_FIELDS = [
  "name",
  "baseUrl",
  "apiKeyEnv",
  "apiKeyFile",
  "auth",
  "models",
  "streamUsage",
  "eventIds",
  "timeouts",
] as const;
type UpstreamFields = Partial<Record<(typeof UPSTREAM_FIELDS)[number], Place>>;

function readUpstream(reader: YamlReader, place: Place, keys: KeySources): ReadUpstream {
  const fields = reader.fields(place, UPSTREAM_FIELDS);
  const name = readName(reader, place, fields.name);
  const baseUrl = readBaseUrl(reader, place, fields.baseUrl);
  const rules = readModels(reader, place, fields.models);
  const rest = {
    apiKey: readKey(reader, fields, keys),
    auth: reader.choice(fields.auth, ["bearer", "x-api-key"]),
    models: rules.map(({ asked, upstream }) => ({ asked, upstream })),
    streamUsage: reader.choice(fields.streamUsage, ["ask", "always"]),
    eventIds: reader.choice(fields.eventIds, ["upstream", "gateway"]),
    timeouts: readTimeouts(reader, fields.timeouts),
  };
  const upstream = name !== undefined && baseUrl !== undefined ? { name, baseUrl, ...rest } : undefined;
  return { name, nameAt: fields.name ?? place, rules, upstream };
}

function readName(reader: YamlReader, place: Place, at: Place | undefined): string | undefined {
  if (!at) return reader.refuse(place, "name: is missing; write a short one, such as fireworks");
  const name = reader.text(at);
  if (name === undefined || NAME.test(name)) return name;
  return reader.refuse(at, `${JSON.stringify(name)} must be 1 to 63 characters of a-z, 0-9 and -`);
}

function readBaseUrl(reader: YamlReader, place: Place, at: Place | undefined): URL | undefined {
  const example = "such as https://api.fireworks.ai/inference/v1";
  if (!at) return reader.refuse(place, `baseUrl: is missing; write the address up to /v1, ${example}`);
  const text = reader.text(at);
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:")) {
    return reader.refuse(at, `${JSON.stringify(text)} is no http or https address; write one ${example}`);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    return reader.refuse(at, `it must have no user, query or fragment; the key goes to apiKeyEnv or apiKeyFile`);
  }
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}

/** The key's text is in no message: it may be a real one in the wrong place. */
function readKey(reader: YamlReader, fields: UpstreamFields, keys: KeySources): string | undefined {
  const { apiKeyEnv, apiKeyFile } = fields;
  if (apiKeyEnv && apiKeyFile) return reader.refuse(apiKeyFile, "stands beside apiKeyEnv; write one of them");
  const at = apiKeyEnv ?? apiKeyFile;
  const source = at && reader.text(at);
  if (!at || source === undefined) return undefined;
  if (apiKeyEnv) {
    const key = keys.env[source]?.trim();
    if (key === undefined) return reader.refuse(at, "no environment variable of this name is set; set it to the key");
    return KEY.test(key) ? key : reader.refuse(at, "the variable holds no key: it is empty or has spaces in it");
  }
  try {
    const key = keys.readFile(source).trim();
    return KEY.test(key) ? key : reader.refuse(at, "the file holds no key: it is empty or has spaces in it");
  } catch (error) {
    return reader.refuse(at, `the file cannot be read: ${whyUnreadable(error)}`);
  }
}

/** The rules of `models`; without it the upstream takes every name as it is. */
function readModels(reader: YamlReader, upstream: Place, at: Place | undefined): ReadUpstream["rules"] {
  if (!at) return [{ asked: "*", upstream: "*", place: upstream }];
  const rules = [...reader.named(at)].flatMap(([asked, place]) => {
    const name = reader.text(place);
    if (name === undefined) return [];
    const reason = ruleMistake(asked, name);
    if (reason) reader.refuse(place, reason);
    return [{ asked, upstream: name, place }];
  });
  if (rules.length === 0) reader.refuse(at, 'no model is named; write some, or leave models out for "*": "*"');
  return rules;
}

function ruleMistake(asked: string, name: string): string | undefined {
  if (asked.length > MODEL_CHARACTERS_MAX || name.length > MODEL_CHARACTERS_MAX) {
    return `a model's name has at most ${MODEL_CHARACTERS_MAX} characters`;
  }
  if (asked.slice(0, -1).includes("*") || name.slice(0, -1).includes("*")) return "* may only be the last character";
  if (name.endsWith("*") && !asked.endsWith("*")) return "it ends in *, so the name before it must end in * too";
  return undefined;
}

const TIMEOUT_DEFAULTS: Timeouts = { connectMs: 10_000, firstByteMs: 600_000, idleMs: 300_000, finishMs: 120_000 };

function readTimeouts(reader: YamlReader, at: Place | undefined): Timeouts {
  const names = Object.keys(TIMEOUT_DEFAULTS) as (keyof Timeouts)[];
  const fields = at ? reader.fields(at, names) : {};
  const entries = names.map((name) => {
    return [name, reader.whole(fields[name], { min: 1, max: DAY_MS, default: TIMEOUT_DEFAULTS[name] })];
  });
  return Object.fromEntries(entries) as Timeouts;
}

/** No two upstreams may have one name, or be asked for one model. */
function refuseTwice(reader: YamlReader, upstreams: readonly ReadUpstream[]): void {
  const names = new Set<string>();
  const asked = new Map<string, number>();
  for (const { name, nameAt, rules } of upstreams) {
    if (name !== undefined && names.has(name)) reader.refuse(nameAt, `${JSON.stringify(name)} is named twice`);
    if (name !== undefined) names.add(name);
    for (const rule of rules) {
      const line = asked.get(rule.asked);
      if (line !== undefined) {
        const reason = `the models ${JSON.stringify(rule.asked)} go to the upstream of line ${line} already`;
        reader.refuse(rule.place, rule.asked === "*" ? `${reason}; name the models of each` : reason);
      } else asked.set(rule.asked, rule.place.line);
    }
  }
}
