/** Reads the values of a YAML file node by node, and keeps every mistake with its line instead of stopping. */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
import { Fault, type Problem, problem } from "../domain/fault.ts";

/** A value with its place: the line, and the path such as `upstreams[0].name`. */
export interface Place {
  readonly node: Node | null;
  readonly line: number;
  readonly path: string;
}

const MISTAKES_MAX = 100;

export class YamlReader {
  readonly root: Place;
  readonly #file: string;
  readonly #lines = new LineCounter();
  readonly #mistakes: Problem[] = [];

  /** @throws Fault `bad_gateway_file` when the text is no YAML, so that nothing in it can be read. */
  constructor(file: string, text: string) {
    this.#file = file;
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      schema: "core",
      version: "1.2",
      logLevel: "error",
    });
    for (const error of [...document.errors, ...document.warnings]) {
      const [first = ""] = error.message.split("\n");
      this.#note(error.linePos?.[0].line ?? 1, first.replace(/ at line \d+, column \d+:?$/, ""));
    }
    visit(document, {
      Alias: (_, node) => {
        this.#note(this.#lineOf(node, 1), `*${node.source} is an alias, and this file takes none; write the value out`);
      },
    });
    if (!document.contents) this.#note(1, "it is empty; it needs upstreams");
    this.finish();
    this.root = { node: document.contents as Node, line: this.#lineOf(document.contents as Node, 1), path: "" };
  }

  /** Notes a mistake; `reason` says what was found, what is allowed and the mend. */
  refuse(place: Place, reason: string): undefined {
    this.#note(place.line, place.path === "" ? reason : `${place.path}: ${reason}`);
  }

  /** @throws Fault with a problem for each mistake, in the order of the lines. */
  finish(): void {
    const lineOf = (one: Problem): number => Number(one.facts.line);
    if (this.#mistakes.length > 0) throw new Fault(this.#mistakes.sort((a, b) => lineOf(a) - lineOf(b)));
  }

  /** The entries of a mapping, by name. */
  named(place: Place): Map<string, Place> {
    const entries = new Map<string, Place>();
    if (!isMap<Node, Node | null>(place.node)) {
      this.refuse(place, `${found(place.node)} stands here; write fields`);
      return entries;
    }
    for (const { key, value } of place.node.items) {
      const line = this.#lineOf(key, place.line);
      if (isScalar(key) && typeof key.value === "string") {
        const path = place.path === "" ? key.value : `${place.path}.${key.value}`;
        entries.set(key.value, { node: value, line, path });
      } else this.refuse({ ...place, line }, `${found(key)} is no name; a field's name must be a text`);
    }
    return entries;
  }

  /** The fields of a mapping; one that is not in `allowed` is a mistake. */
  fields<F extends string>(place: Place, allowed: readonly F[]): Partial<Record<F, Place>> {
    const fields: Partial<Record<F, Place>> = {};
    for (const [name, value] of this.named(place)) {
      const field = allowed.find((one) => one === name);
      if (field) fields[field] = value;
      else this.refuse(value, `unknown field; allowed are ${allowed.join(", ")}`);
    }
    return fields;
  }

  items(place: Place): Place[] {
    if (!isSeq<Node>(place.node)) {
      this.refuse(place, `${found(place.node)} stands here; write a list, each item after "- "`);
      return [];
    }
    return place.node.items.map((node, at) => {
      return { node, line: this.#lineOf(node, place.line), path: `${place.path}[${at}]` };
    });
  }

  text(place: Place): string | undefined {
    const value = isScalar(place.node) ? place.node.value : undefined;
    if (typeof value === "string" && value.trim() !== "" && !/\p{Cc}/u.test(value)) return value;
    return this.refuse(place, `${found(place.node)} stands here; write a text`);
  }

  choice<C extends string>(place: Place | undefined, allowed: readonly [C, ...C[]]): C {
    if (!place) return allowed[0];
    const value = isScalar(place.node) ? place.node.value : undefined;
    const choice = allowed.find((one) => one === value);
    if (choice === undefined) this.refuse(place, `${found(place.node)} stands here; allowed are ${allowed.join(", ")}`);
    return choice ?? allowed[0];
  }

  whole(place: Place | undefined, bounds: { min: number; max: number; default: number }): number {
    if (!place) return bounds.default;
    const value = isScalar(place.node) ? place.node.value : undefined;
    if (Number.isSafeInteger(value) && (value as number) >= bounds.min && (value as number) <= bounds.max) {
      return value as number;
    }
    const allowed = `a whole number from ${bounds.min} to ${bounds.max}`;
    this.refuse(place, `${found(place.node)} stands here; write ${allowed}`);
    return bounds.default;
  }

  #note(line: number, reason: string): void {
    if (this.#mistakes.length >= MISTAKES_MAX) return;
    this.#mistakes.push(problem("bad_gateway_file", "gateway", { value: this.#file, line, reason }));
  }

  #lineOf(node: Node | null, otherwise: number): number {
    return node?.range ? this.#lines.linePos(node.range[0]).line : otherwise;
  }
}

/** What stands at a node, in words. */
function found(node: Node | null): string {
  if (isMap(node)) return "a mapping";
  if (isSeq(node)) return "a list";
  if (isAlias(node)) return "an alias";
  if (!isScalar(node) || node.value === null) return "nothing";
  return typeof node.value === "string" ? JSON.stringify(node.value.slice(0, 80)) : String(node.source ?? node.value);
}
