/** Reads the values of a price book out of YAML nodes, and keeps every mistake with its line instead of stopping. */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit, type YAMLError } from "yaml";
import { Fault, type Problem, problem } from "../domain/fault.ts";
import { type Decimal, parseDecimal } from "../domain/money.ts";
import { formatInstant, type Instant, parseInstant, SLOT_MS } from "../domain/time.ts";
import { nearest } from "./spelling.ts";

export const BOOK_BYTES_MAX = 5 * 1024 * 1024;
/** A book with more mistakes is refused at this many: whoever mends them reads no further list in one go. */
const MISTAKES_MAX = 1000;
export const TEXT_CHARACTERS_MAX = 256;

/** A value of the book with its place: the line, and the path such as `prices[3].match.model`. */
export interface Place {
  readonly node: Node | null;
  readonly line: number;
  readonly path: string;
}

export interface BookReader {
  /** The whole book. */
  readonly root: Place;
  /** Notes a mistake; `reason` says what was found, what is allowed and the mend. */
  refuse(place: Place, reason: string): undefined;
  /** The fields of a mapping, each with its place; fields outside `allowed` are mistakes. */
  fields<F extends string>(place: Place, allowed: readonly F[]): Partial<Record<F, Place>> | undefined;
  /** The entries of a mapping whose keys are names. */
  named(place: Place): readonly (readonly [string, Place])[];
  /** The items of a list. */
  items(place: Place): readonly Place[];
  /** One text, or one of `allowed`. */
  text(place: Place, allowed?: readonly string[]): string | undefined;
  /** One text or a list of texts. */
  texts(place: Place, allowed?: readonly string[]): readonly string[] | undefined;
  flag(place: Place): boolean | undefined;
  /** One of some whole numbers, written bare. */
  count(place: Place, allowed: readonly number[]): number | undefined;
  /** A decimal, not negative, written as a text in quotes. */
  decimal(place: Place): Decimal | undefined;
  /** A UTC time on the edge of a slot. */
  edge(place: Place): Instant | undefined;
  /** Throws one Fault with every mistake in the order of the lines, when there is any. */
  finish(): void;
}

/**
 * Opens a book for reading.
 * @throws Fault `bad_price_book` at once when the text is too large or is no YAML, so that nothing in it can be read.
 */
export function readBook(name: string, yamlText: string): BookReader {
  const mistakes: Problem[] = [];
  const note = (line: number, path: string, reason: string): undefined => {
    const full = mistakes.length >= MISTAKES_MAX;
    if (!full) mistakes.push(problem("bad_price_book", path, { value: name, line, reason }));
  };
  const refuse = (place: Place, reason: string): undefined =>
    note(place.line, place.path, place.path ? `${place.path}: ${reason}` : reason);
  const finish = (): void => {
    const lineOf = (one: Problem): number => Number(one.facts.line);
    if (mistakes.length > 0) throw new Fault(mistakes.sort((a, b) => lineOf(a) - lineOf(b)));
  };
  const bytes = Buffer.byteLength(yamlText);
  if (bytes > BOOK_BYTES_MAX) {
    note(1, "", `it has ${bytes} bytes; at most ${BOOK_BYTES_MAX} are allowed; let one entry name several models`);
    finish();
  }
  const { contents, lines } = parse(yamlText, note);
  if (!contents) {
    if (mistakes.length === 0) note(1, "", "it is empty; it needs currency and prices");
    finish();
  }
  const lineOf = (node: Node | null, otherwise: number): number =>
    node?.range ? lines.linePos(node.range[0]).line : otherwise;
  const root = { node: contents, line: lineOf(contents, 1), path: "" };
  return { root, refuse, finish, ...structureReaders(refuse, lineOf), ...valueReaders(refuse, lineOf) };
}

type Refuse = BookReader["refuse"];
type LineOf = (node: Node | null, otherwise: number) => number;

function parse(
  yamlText: string,
  note: (line: number, path: string, reason: string) => undefined,
): { contents: Node | null; lines: LineCounter } {
  const lines = new LineCounter();
  try {
    const document = parseDocument(yamlText, {
      lineCounter: lines,
      schema: "core",
      version: "1.2",
      logLevel: "error",
    });
    // What follows a text that nests too deeply is no mistake of its own.
    const deep = document.errors.find((error) => error.code === "RESOURCE_EXHAUSTION");
    for (const error of deep ? [deep] : [...document.errors, ...document.warnings]) {
      note(error.linePos?.[0].line ?? 1, "", yamlMistake(error, yamlText));
    }
    if (deep) return { contents: null, lines };
    // Each entry must be readable where it stands; that also leaves a bomb of aliases nothing to burst.
    const aliases = new Set<string>();
    visit(document, {
      Alias(_, node) {
        const line = node.range ? lines.linePos(node.range[0]).line : 1;
        const told = `${line} ${node.source}`;
        if (aliases.has(told)) return;
        aliases.add(told);
        note(line, "", `*${node.source} is an alias, and a book takes none; write the value out`);
      },
    });
    // After an error of syntax the tree holds guesses; a repeated key leaves it whole.
    const whole = document.errors.every((error) => error.code === "DUPLICATE_KEY");
    return { contents: whole ? (document.contents as Node | null) : null, lines };
  } catch (error) {
    note(1, "", `it cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`);
    return { contents: null, lines };
  }
}

/** A mistake of syntax in the words of whoever writes a book; the parser's own where they do. */
function yamlMistake({ code, message, pos }: YAMLError, yamlText: string): string {
  if (code === "RESOURCE_EXHAUSTION") return "it nests deeper than any book does; write it flat";
  if (code === "MULTIPLE_DOCS") return "a second document begins here; a book is one, so take out the ---";
  if (code === "DUPLICATE_KEY") {
    const [key = "a field"] = /^[\w.-]+/.exec(yamlText.slice(pos[0], pos[0] + TEXT_CHARACTERS_MAX)) ?? [];
    return `${key} stands here twice; leave one`;
  }
  const [first = ""] = message.split("\n");
  return first.replace(/ at line \d+, column \d+:?$/, "");
}

function join(path: string, field: string): string {
  return path ? `${path}.${field}` : field;
}

function structureReaders(refuse: Refuse, lineOf: LineOf): Pick<BookReader, "fields" | "named" | "items"> {
  const pairs = (place: Place): [string, Place][] | undefined => {
    if (isAlias(place.node)) return undefined;
    if (!isMap<Node, Node | null>(place.node)) return refuse(place, `${found(place.node)} stands here; write fields`);
    const list: [string, Place][] = [];
    for (const { key, value } of place.node.items) {
      const keyPlace = { node: key, line: lineOf(key, place.line), path: place.path };
      if (!isScalar(key) || typeof key.value !== "string") {
        refuse(keyPlace, `${found(key)} is no name; a field's name must be a text`);
      } else {
        const line = lineOf(value, keyPlace.line);
        // A mapping or list that begins on a later line is still spoken of by the line of its name.
        list.push([
          key.value,
          { node: value, line: isScalar(value) ? line : keyPlace.line, path: join(place.path, key.value) },
        ]);
      }
    }
    return list;
  };
  return {
    fields<F extends string>(place: Place, allowed: readonly F[]) {
      const list = pairs(place);
      if (!list) return undefined;
      const fields: Partial<Record<F, Place>> = {};
      for (const [key, value] of list) {
        const field = allowed.find((one) => one === key);
        if (field) fields[field] = value;
        else refuse(value, `unknown field${guess(key, allowed)}; allowed are ${allowed.join(", ")}`);
      }
      return fields;
    },
    named: (place) => pairs(place) ?? [],
    items(place) {
      if (isAlias(place.node)) return [];
      if (!isSeq<Node>(place.node)) {
        refuse(place, `${found(place.node)} stands here; write a list, each item after "- "`);
        return [];
      }
      return place.node.items.map((node, at) => ({
        node,
        line: lineOf(node, place.line),
        path: `${place.path}[${at}]`,
      }));
    },
  };
}

function valueReaders(
  refuse: Refuse,
  lineOf: LineOf,
): Pick<BookReader, "text" | "texts" | "flag" | "count" | "decimal" | "edge"> {
  const anyText = (place: Place, mend: string): string | undefined => {
    if (isAlias(place.node)) return undefined;
    if (isScalar(place.node) && typeof place.node.value === "string") return place.node.value;
    return refuse(place, `${found(place.node)} stands here; ${mend}`);
  };
  const text = (place: Place, allowed?: readonly string[]): string | undefined => {
    const value = anyText(place, allowed ? `allowed are ${allowed.join(", ")}` : "write a text");
    if (value === undefined) return undefined;
    if (allowed) {
      return allowed.includes(value)
        ? value
        : refuse(place, `${show(value)} is unknown${guess(value, allowed)}; allowed are ${allowed.join(", ")}`);
    }
    const good = value.trim() !== "" && value.length <= TEXT_CHARACTERS_MAX && !/\p{Cc}/u.test(value);
    return good ? value : refuse(place, `${show(value)} is not 1 to ${TEXT_CHARACTERS_MAX} printable characters`);
  };
  const texts = (place: Place, allowed?: readonly string[]): readonly string[] | undefined => {
    if (!isSeq<Node>(place.node)) {
      const one = text(place, allowed);
      return one === undefined ? undefined : [one];
    }
    if (place.node.items.length === 0) return refuse(place, "the list is empty; name at least one value");
    const list = place.node.items.map((node, at) =>
      text({ node, line: lineOf(node, place.line), path: `${place.path}[${at}]` }, allowed),
    );
    return list.every((value) => value !== undefined) ? list : undefined;
  };
  return {
    text,
    texts,
    flag(place) {
      if (isAlias(place.node)) return undefined;
      if (isScalar(place.node) && typeof place.node.value === "boolean") return place.node.value;
      return refuse(place, `${found(place.node)} stands here; write true or false`);
    },
    count(place, allowed) {
      if (isAlias(place.node)) return undefined;
      const value = isScalar(place.node) ? place.node.value : undefined;
      const known = allowed.find((one) => one === value);
      return known ?? refuse(place, `${found(place.node)} is none of the limits; allowed are ${allowed.join(", ")}`);
    },
    decimal(place) {
      const value = anyText(place, 'write a plain decimal in quotes, such as "0.95"');
      if (value === undefined) return undefined;
      const decimal = parseDecimal(value);
      if (!decimal)
        return refuse(place, `${show(value)} is no plain decimal; write one such as "0.95", with no exponent`);
      return decimal.numerator < 0n ? refuse(place, `${show(value)} is negative; it must be "0" or more`) : decimal;
    },
    edge(place) {
      const value = anyText(place, "write a UTC time such as 2026-09-01T00:00:00Z");
      if (value === undefined) return undefined;
      const instant = parseInstant(value);
      if (instant === undefined || !/z$/i.test(value)) {
        return refuse(place, `${show(value)} is no UTC time; write one such as 2026-09-01T00:00:00Z`);
      }
      // Digits below the millisecond are cut off by parseInstant, so the text itself is looked at, too.
      const fraction = /\.\d*[1-9]/.test(value);
      if (instant % SLOT_MS === 0 && !fraction) return instant;
      const before = formatInstant(Math.floor(instant / SLOT_MS) * SLOT_MS);
      return refuse(place, `${show(value)} is off the 15-minute edges of UTC; the one before is ${before}`);
    },
  };
}

function guess(word: string, allowed: readonly string[]): string {
  const near = nearest(word, allowed);
  return near === undefined ? "" : `, did you mean ${near}?`;
}

function show(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80).toWellFormed()}…` : value);
}

/** What stands at a node, in words. */
function found(node: Node | null): string {
  if (isMap(node)) return "a mapping";
  if (isSeq(node)) return "a list";
  if (!isScalar(node) || node.value === null) return "nothing";
  const text = node.source ?? String(node.value);
  return typeof node.value === "number" ? `the bare number ${text}` : show(text);
}
