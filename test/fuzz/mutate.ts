/** Small damage to values, texts, bytes and whole calls: what clients, gateways and attackers get wrong. */

import { gzipSync } from "node:zlib";
import type { Random } from "../simulator/random.ts";
import type { Call } from "./operations.ts";

// biome-ignore format: a list
const TEXTS: readonly string[] = [
  "", " ", "\u0000", "a\u0000b", "\ud800", "\udfff\ud800", "e\u0301", "\u202egnp.exe", "\ufeff", "👩‍👩‍👧‍👦", "\r\nX: y", "\t", "-", "..",
  "../../etc/passwd", "__proto__", "constructor", "toString", "hasOwnProperty", "null", "undefined", "NaN", "-0", "0x10", "1e400", "1_000",
  "9007199254740993", "9223372036854775808", "-1", "0.0001", "1e-7", "٣", "%", "%00", "%2e%2e%2f", "%ff", "' OR 1=1 --", "\"; DROP TABLE events; --",
  "{{7*7}}", "=1+1", "*", "a".repeat(257), "x".repeat(5_000), "accounts/acme", "accounts/rival/deployments/chat", "accounts/acme/users/-",
  "9999-12-31T23:59:59.999999999Z", "0000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-05-28", "2026-05-28T24:00:00Z", "2026-05-28T00:00:60Z",
  "2026-05-28T00:00:00+99:99", "2026-05-28T00:00:00-00:00", "-000001-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2026-05-28t00:00:00z",
  "America/Nowhere", "+25:00", "Etc/GMT+12", "america/los_angeles", "UTC\u0000", "W10", "eyJhIjoxfQ", "AAAA", "OPERATOR", "USAGE_TYPE_UNSPECIFIED",
];
const VALUES: readonly unknown[] = [null, true, false, 0, -0, 1, -1, 0.5, 1e21, 2 ** 53, -(2 ** 63), 1e308, [], {}, [[]], [null], [{}], { values: [] }, { values: {} }, [1, "1"]]; // biome-ignore format: a list
const NAMES = ["__proto__", "constructor", "toString", "", "id", "time", "events", "filter", "groupBy", "pageToken", "\u0000", "a.b", "length"]; // biome-ignore format: a list

export function someText(random: Random): string {
  if (random.chance(0.8)) return random.pick(TEXTS);
  return random.times(0, 40, () => String.fromCharCode(random.int(0, 0xffff))).join("");
}

function someValue(random: Random): unknown {
  return random.chance(0.5) ? someText(random) : random.pick(VALUES);
}

/** A value with one place of it changed, dropped, doubled or put in another form. */
export function mutateValue(value: unknown, random: Random): unknown {
  const inner = typeof value === "object" && value !== null && Object.keys(value).length > 0;
  if (!inner || random.chance(0.15)) return random.chance(0.1) ? [value] : someValue(random);
  if (Array.isArray(value)) return mutateList(value, random);
  const entries = Object.entries(value);
  const at = random.int(0, entries.length - 1);
  const [name, own] = entries[at]!;
  switch (random.int(0, 5)) {
    case 0:
      entries.splice(at, 1);
      break;
    case 1:
      entries.push([random.pick(NAMES), someValue(random)]);
      break;
    case 2:
      entries[at] = [random.pick(NAMES), own];
      break;
    default:
      entries[at] = [name, mutateValue(own, random)];
  }
  // Not fromEntries of a prototype's kind: `__proto__` must be a plain name.
  return Object.fromEntries(entries);
}

function mutateList(list: readonly unknown[], random: Random): unknown[] {
  const at = random.int(0, list.length - 1);
  switch (random.int(0, 5)) {
    case 0:
      return list.toSpliced(at, 1);
    case 1:
      return [...list, ...Array(random.int(1, 300)).fill(list[at])];
    case 2:
      return list.toSpliced(at, 0, someValue(random));
    default:
      return list.with(at, mutateValue(list[at], random));
  }
}

/** Bytes with a bit turned, a piece lost, doubled, or put in between. */
export function mutateBytes(bytes: Buffer, random: Random): Buffer {
  const at = random.int(0, bytes.length);
  const to = Math.min(bytes.length, at + random.int(0, 40));
  const [head, piece, tail] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
  switch (random.int(0, 8)) {
    case 0:
      return head;
    case 1:
      return Buffer.concat([head, tail]);
    case 2:
      return Buffer.concat([head, ...Array(random.int(2, 50)).fill(piece), tail]);
    case 3:
      return Buffer.concat([head, Buffer.from(random.times(1, 8, () => random.int(0, 255))), tail]);
    case 4:
      return Buffer.concat([head, Buffer.from(someText(random)), tail]);
    case 5:
      return Buffer.concat([head, Buffer.from("[".repeat(10 ** random.int(1, 4))), tail]);
    case 6:
      return Buffer.concat([head, Buffer.from(`${"9".repeat(random.int(1, 400))}e${random.int(0, 999)}`), tail]);
    default: {
      if (bytes.length === 0) return Buffer.from([random.int(0, 255)]);
      const turned = Buffer.from(bytes);
      const place = Math.min(at, bytes.length - 1);
      turned[place] = turned[place]! ^ (1 << random.int(0, 7));
      return turned;
    }
  }
}

/** A call as it goes on the wire, before the line and the headers are put together. */
export interface WireCall {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer | undefined;
  /** Content-Length or chunks are as they should be, so the server must answer without waiting for more. */
  readonly framed: boolean;
}

const FIELD = "[^\\]";
const QUERY_NAMES = ["startTime", "endTime", "groupBy", "timezone", "granularity", "pageSize", "pageToken", "filter", `filter[${FIELD}][values]`, "filter[model_name]", "filter[__proto__][values]", "filter[model_name][values][]", "start_time", "__proto__", "constructor", "", "page__size"]; // biome-ignore format: a list

function mutateQuery(query: Call["query"], random: Random): Call["query"] {
  const at = random.int(0, Math.max(0, query.length - 1));
  const name = random.chance(0.5) && query[at] ? query[at][0] : random.pick(QUERY_NAMES);
  switch (random.int(0, 3)) {
    case 0:
      return query.toSpliced(at, 1);
    case 1:
      return [...query, ...Array(random.chance(0.1) ? 300 : 1).fill([name, someText(random)])];
    default:
      return query[at] ? query.with(at, [name, someText(random)]) : [[name, someText(random)]];
  }
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** Nothing that would end the request's line, so that only the path is wrong. */
function raw(text: string): string {
  return Buffer.from(text.replace(/[\s\p{Cc}]/gu, "~")).toString("latin1");
}

function pathOf(call: Call, random: Random, mutations: number): string {
  const mutate = (share: number): boolean => mutations > 0 && random.chance(share);
  let path = call.template.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (!mutate(0.15)) return encoded(call.parameters[name]!);
    const text = someText(random);
    return random.chance(0.7) ? encoded(text) : raw(text);
  });
  if (mutate(0.03)) path = raw(mutateBytes(Buffer.from(path), random).toString("latin1"));
  const query = mutate(0.4) ? mutateQuery(call.query, random) : call.query;
  if (query.length === 0) return path;
  const text = query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&");
  return `${path}?${mutate(0.05) ? raw(mutateBytes(Buffer.from(text), random).toString("latin1")) : text}`;
}

function bodyOf(call: Call, random: Random, mutations: number): Buffer | undefined {
  if (call.body === undefined) return mutations > 0 && random.chance(0.03) ? Buffer.from(someText(random)) : undefined;
  let body: unknown = call.body;
  if (mutations > 0 && typeof body === "object" && random.chance(0.7)) {
    for (let count = 0; count < mutations; count += 1) body = mutateValue(body, random);
  }
  let bytes = Buffer.from(typeof body === "string" ? body : (JSON.stringify(body) ?? ""));
  if (mutations > 0 && random.chance(0.3)) bytes = mutateBytes(bytes, random) as typeof bytes;
  if (mutations > 0 && random.chance(0.02)) bytes = Buffer.concat(Array(random.int(2, 200)).fill(bytes));
  return bytes;
}

const ENCODINGS = ["gzip", "GZIP", "identity", "br", "deflate", "gzip, gzip", "zstd", "", "\u00e9"];
const CONTENT_TYPES = ["application/json", "application/x-ndjson", "application/cloudevents+json", "application/cloudevents-batch+json", "text/plain", "application/json; charset=utf-16", "application/json;charset=utf-8", "multipart/form-data; boundary=x", "", "a".repeat(300), "application/json, text/plain"]; // biome-ignore format: a list
const EXTRA = ["expect", "x-request-id", "range", "if-none-match", "accept", "accept-encoding", "origin", "x-forwarded-for", "cookie", "upgrade", "te", "x-http-method-override", "fireworks-annotations"]; // biome-ignore format: a list
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];

/** What no header may hold is left out, so that only its meaning is wrong; framing has its own mutations. */
function headerText(text: string): string {
  return raw(text).replace(/\p{Cc}/gu, "");
}

/** The call as bytes and headers, with `mutations` of its parts damaged; a few are damaged in their framing too. */
export function wireOf(call: Call, random: Random, keys: readonly string[], mutations: number): WireCall {
  const mutate = (share: number): boolean => mutations > 0 && random.chance(share);
  const method = mutate(0.03) ? random.pick(METHODS) : call.method;
  const path = pathOf(call, random, mutations);
  let body = bodyOf(call, random, mutations);
  const headers: (readonly [string, string])[] = [["host", "daybook"]];
  if (mutate(0.04)) headers.push(["authorization", headerText(`Bearer ${someText(random)}`)]);
  else if (!mutate(0.02)) headers.push(["authorization", `Bearer ${mutate(0.15) ? random.pick(keys) : keys[0]}`]);
  const contentType = mutate(0.08) ? random.pick(CONTENT_TYPES) : call.contentType;
  if (contentType !== undefined) headers.push(["content-type", contentType]);
  if (body && random.chance(0.15)) {
    headers.push(["content-encoding", mutate(0.2) ? random.pick(ENCODINGS) : "gzip"]);
    if (!mutate(0.1)) body = gzipSync(body);
    if (mutate(0.1)) body = mutateBytes(body, random);
  }
  if (mutate(0.06)) {
    const name = random.pick(EXTRA);
    headers.push([name, name === "expect" ? "100-continue" : headerText(someText(random))]);
  }
  const damage = mutate(0.03) ? random.int(0, FRAMES.length - 1) : -1;
  if (damage >= 0) return { operation: call.operation, method, path, framed: false, ...FRAMES[damage]!(headers, body) };
  if (body && random.chance(0.15)) {
    return { operation: call.operation, method, path, framed: true, ...chunked(headers, body, random) };
  }
  if (body) headers.push(["content-length", `${body.length}`]);
  return { operation: call.operation, method, path, framed: true, headers, body };
}

type Framed = Pick<WireCall, "headers" | "body">;
type Headers = WireCall["headers"];

function chunked(headers: Headers, body: Buffer, random: Random): Framed {
  const cut = random.int(0, body.length);
  const parts = [body.subarray(0, cut), body.subarray(cut)].filter((part) => part.length > 0);
  const pieces = parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]);
  const framed = Buffer.concat([...pieces, Buffer.from("0\r\n\r\n")]);
  return { headers: [...headers, ["transfer-encoding", "chunked"]], body: framed };
}

/** Requests whose length is told wrongly or twice: what one server reads as one call, another reads as two. */
const FRAMES: readonly ((headers: Headers, body: Buffer | undefined) => Framed)[] = [
  (headers, body = Buffer.from("{}")) => ({ headers: [...headers, ["content-length", `${body.length + 10}`]], body }),
  (headers, body = Buffer.from("{}")) => ({ headers: [...headers, ["content-length", `${body.length >> 1}`]], body }),
  (headers, body = Buffer.from("{}")) => {
    return { headers: [...headers, ["content-length", `${body.length}`], ["content-length", "3"]], body };
  },
  (headers, body = Buffer.from("{}")) => {
    return { headers: [...headers, ["content-length", `${body.length}`], ["transfer-encoding", "chunked"]], body };
  },
  (headers) => ({
    headers: [...headers, ["transfer-encoding", "chunked"]],
    body: Buffer.from("zz\r\n{}\r\n0\r\n\r\n"),
  }),
  (headers) => ({ headers: [...headers, ["transfer-encoding", "xchunked"]], body: Buffer.from("0\r\n\r\n") }),
  (headers, body = Buffer.from("{}")) => ({ headers: [...headers, ["content-length", "-1"]], body }),
  (headers, body = Buffer.from("{}")) => ({ headers: [...headers, ["content-length", "99999999999999999999"]], body }),
  (headers, body) => ({ headers: [...headers, ["x y", "z"]], body }),
  (headers, body) => ({ headers: [...headers, ["x", "a\u0000b"]], body }),
  (headers, body) => ({ headers: headers.slice(1), body }),
  (headers, body) => ({ headers: [...headers, ["x", "a".repeat(70_000)]], body }),
];
