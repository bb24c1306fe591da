/** Query strings: names in camelCase or snake_case, repeated values kept, `filter[dim][values]` told apart. */

import { Fault, problem } from "../domain/fault.ts";

/** Name to value; a repeated name to all of its values. Any name is plain text, `__proto__` too. */
export type Query = Record<string, string | string[]>;

const SNAKE_CASE = /^[a-z]+(?:_[a-z]+)+$/;

/** The names that were sent in snake_case, by their camelCase form. */
const sentNames = new WeakMap<Query, ReadonlyMap<string, string>>();

/** A parameter's name as the client spelled it. */
export function sentName(query: unknown, name: string): string {
  return sentNames.get(query as Query)?.get(name) ?? name;
}

/** Reads a query string (Node bounds its length); names in snake_case become camelCase, all others stay as they are. */
export function parseQuery(text: string): Query {
  const values = new Map<string, string | string[]>();
  const spelled = new Map<string, string>();
  for (const [sent, value] of new URLSearchParams(text)) {
    const name = camelCased(sent);
    if (name !== sent) spelled.set(name, sent);
    const known = values.get(name);
    if (known === undefined) values.set(name, value);
    else if (typeof known === "string") values.set(name, [known, value]);
    else known.push(value);
  }
  const query = Object.fromEntries(values);
  sentNames.set(query, spelled);
  return query;
}

const OBJECT_FIELD = /^(row|group)\[([^[\]]+)\]$/;

/**
 * Gathers `row[<field>]=v` and `group[<dim>]=v` into objects as the POST body has them, a row's fields in camelCase or
 * snake_case; other names stay.
 */
export function gatherObjects(query: Record<string, unknown>): Record<string, unknown> {
  const plain = new Map<string, unknown>();
  const objects = new Map<string, Map<string, unknown>>();
  for (const [name, value] of Object.entries(query)) {
    const [, object, sent = ""] = OBJECT_FIELD.exec(name) ?? [];
    if (object === undefined) plain.set(name, value);
    else {
      const fields = objects.get(object) ?? new Map<string, unknown>();
      objects.set(object, fields.set(object === "row" ? camelCased(sent) : sent, value));
    }
  }
  // A bare name beside them stays, to be refused.
  for (const [name, fields] of objects) if (!plain.has(name)) plain.set(name, Object.fromEntries(fields));
  return Object.fromEntries(plain);
}

function camelCased(name: string): string {
  return SNAKE_CASE.test(name) ? name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) : name;
}

const FILTER = /^filter\[([^[\]]+)\]\[values\](?:\[\])?$/;

/** Gathers `filter[<dim>][values]=v` into one `filter` as the POST body has it; other names stay. */
export function gatherFilters(query: Query): Record<string, unknown> {
  const plain = new Map<string, unknown>();
  const filter = new Map<string, { values: string[] }>();
  for (const [name, value] of Object.entries(query)) {
    const dimension = FILTER.exec(name)?.[1];
    if (dimension === undefined) plain.set(name, value);
    else {
      const condition = filter.get(dimension) ?? { values: [] };
      condition.values.push(...[value].flat());
      filter.set(dimension, condition);
    }
  }
  // A bare `filter` beside them stays, to be refused.
  if (filter.size > 0 && !plain.has("filter")) plain.set("filter", Object.fromEntries(filter));
  return Object.fromEntries(plain);
}

/** For routes that take no query parameter. @throws Fault `unknown_parameter`, one problem each. */
export function refuseParameters(query: Query): void {
  const names = Object.keys(query);
  if (names.length > 0) throw new Fault(names.map((name) => problem("unknown_parameter", name, { allowed: "none" })));
}
