/**
 * Reads the JSON of a published list: numbers keep their text, a mistake is told with its line and column, and a name
 * that stands twice in one object, of which JSON.parse drops the first, is told too. Pure.
 */

import { NumberText } from "./exact-decimal.ts";

export type ListJson = null | boolean | string | NumberText | readonly ListJson[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: ListJson;
}

export type ReadJson =
  | { readonly kind: "read"; readonly json: ListJson; readonly repeated: readonly string[] }
  /** `found` stands at the place; undefined where the text ends too early. */
  | { readonly kind: "mistake"; readonly line: number; readonly column: number; readonly found: string | undefined };

/** What the language has and the compiler's library does not know yet. */
const { parse } = JSON as unknown as {
  parse(
    text: string,
    revive: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
};

export function isObject(json: ListJson | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json) && !(json instanceof NumberText);
}

/** Reads the whole text; a byte order mark before it is passed over. */
export function readJson(whole: string): ReadJson {
  const text = whole.startsWith("\ufeff") ? whole.slice(1) : whole;
  const { at, repeated } = walk(text);
  if (at < text.length) return { kind: "mistake", ...placeOf(text, at), found: foundAt(text, at) };
  try {
    const json = parse(text, (_, value, { source }) =>
      typeof value === "number" ? new NumberText(source ?? String(value)) : value,
    ) as ListJson;
    return { kind: "read", json, repeated };
  } catch {
    // The walk lets nothing through that is no JSON but a text that ends too early.
    return { kind: "mistake", ...placeOf(text, text.length), found: undefined };
  }
}

function placeOf(text: string, at: number): { readonly line: number; readonly column: number } {
  let line = 1;
  let start = 0;
  for (let feed = text.indexOf("\n"); feed >= 0 && feed < at; feed = text.indexOf("\n", start)) {
    line += 1;
    start = feed + 1;
  }
  return { line, column: at - start + 1 };
}

function foundAt(text: string, at: number): string {
  return JSON.stringify([...text.slice(at, at + 24)].slice(0, 12).join("").toWellFormed());
}

const BLANK = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows none inside a text.
const TEXT = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const PLAIN = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const NESTED_MAX = 100;

/** What may stand next. */
type Next = "value" | "value or end" | "name" | "name or end" | "colon" | "comma or end" | "nothing";

/** Walks over the tokens up to the first that may not stand where it stands; collects names that stand twice. */
function walk(text: string): { readonly at: number; readonly repeated: readonly string[] } {
  const open: { readonly end: "}" | "]"; readonly names: Set<string> }[] = [];
  const repeated: string[] = [];
  let next: Next = "value";
  let at = skip(BLANK, text, 0);
  while (at < text.length) {
    const inside = open.at(-1);
    const character = text[at]!;
    const from = at;
    if (next === "colon" && character === ":") {
      next = "value";
      at += 1;
    } else if (next === "comma or end" && character === ",") {
      next = inside!.end === "}" ? "name" : "value";
      at += 1;
    } else if (next.endsWith("or end") && character === inside?.end) {
      open.pop();
      next = open.length > 0 ? "comma or end" : "nothing";
      at += 1;
    } else if (next.startsWith("name") && character === '"') {
      at = skip(TEXT, text, at);
      if (at === from) break;
      const name = nameOf(text.slice(from, at));
      if (inside!.names.has(name)) repeated.push(name);
      inside!.names.add(name);
      next = "colon";
    } else if (next.startsWith("value") && (character === "{" || character === "[")) {
      if (open.length >= NESTED_MAX) break;
      open.push({ end: character === "{" ? "}" : "]", names: new Set() });
      next = character === "{" ? "name or end" : "value or end";
      at += 1;
    } else if (next.startsWith("value")) {
      at = skip(character === '"' ? TEXT : PLAIN, text, at);
      next = open.length > 0 ? "comma or end" : "nothing";
    }
    if (at === from) break;
    at = skip(BLANK, text, at);
  }
  return { at, repeated };
}

/** The name that a token stands for; escapes may write one name in two ways. */
function nameOf(token: string): string {
  return token.includes("\\") ? String(JSON.parse(token)) : token.slice(1, -1);
}

/** The place behind what the sticky pattern finds at `at`; `at` where it finds nothing. */
function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
