/** Checks the words of a question one by one and gathers all that is wrong, so that it can be told at once. */

import { Fault, PROBLEMS_MAX, type Problem, problem, refuseIfAny } from "./fault.ts";
import { type PageStart, readPageToken } from "./page-token.ts";
import { addLocalDays, DAY_MS, formatInstant, type Instant, parseInstant, type TimeRange } from "./time.ts";

/** The words of a question before they are checked: each value is whatever was sent. */
export type RawQuery = Readonly<Record<string, unknown>>;

/** How long a question's range may be, and how its edges are shown. */
export interface RangeLimit {
  readonly daysMax: number;
  readonly zone: string;
  readonly show?: (instant: Instant) => string;
}

/** Where the words come from: each form has its own word for a name that it does not know. */
export type QueryForm = "query" | "body";

/** Gathers the problems of one question. What is wrong is reported and comes back as undefined or left out. */
export class QueryChecker {
  readonly problems: Problem[] = [];
  readonly #from: QueryForm;

  /** From a query string a list stands for a repeated name; from a body it is a list. */
  constructor(from: QueryForm) {
    this.#from = from;
  }

  add(code: Problem["code"], field: string, facts: Record<string, unknown>): undefined {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(problem(code, field, facts));
  }

  /** @throws Fault with every problem, when there are any. */
  finish(): void {
    refuseIfAny(this.problems);
  }

  /** Reports every name that is not allowed. */
  names(raw: RawQuery, allowed: readonly string[], prefix = ""): void {
    const code = this.#from === "query" ? "unknown_parameter" : "unknown_field";
    for (const name of Object.keys(raw)) {
      if (!allowed.includes(name)) this.add(code, `${prefix}${name}`, { allowed });
    }
  }

  /** A single text; undefined when it is absent, empty or wrong. */
  text(raw: RawQuery, name: string, field: string = name): string | undefined {
    const value = raw[name];
    if (value === undefined || value === null || value === "") return undefined;
    if (Array.isArray(value) && this.#from === "query")
      return this.add("repeated_parameter", field, { count: value.length });
    if (typeof value !== "string") return this.add("wrong_type", field, { value, allowed: "a text" });
    return value;
  }

  time(raw: RawQuery, field: string): Instant | undefined {
    const before = this.problems.length;
    const instant = this.optionalTime(raw, field);
    if (instant !== undefined || this.problems.length > before) return instant;
    return this.add("required", field, { mend: "send an RFC 3339 time such as 2026-05-28T00:00:00Z" });
  }

  /** The range from `startTime` to `endTime`, both required; undefined when one is missing or wrong. */
  timeRange(raw: RawQuery, limit: RangeLimit): TimeRange | undefined {
    const start = this.time(raw, "startTime");
    const end = this.time(raw, "endTime");
    if (start === undefined || end === undefined) return undefined;
    this.range({ start, end }, limit);
    return { start, end };
  }

  /** A time that may be left out. */
  optionalTime(raw: RawQuery, name: string, field: string = name): Instant | undefined {
    const text = this.text(raw, name, field);
    return text === undefined ? undefined : (parseInstant(text) ?? this.add("bad_time", field, { value: text }));
  }

  /** The start of the UTC day that a date or an RFC 3339 time names. */
  utcDay(raw: RawQuery, field: string): Instant | undefined {
    const before = this.problems.length;
    const text = this.text(raw, field);
    if (this.problems.length > before) return undefined;
    if (text === undefined) return this.add("required", field, { mend: "send a date such as 2026-05-28" });
    const instant = parseInstant(DATE.test(text) ? `${text}T00:00:00Z` : text);
    if (instant === undefined) return this.add("bad_date", field, { value: text });
    return Math.floor(instant / DAY_MS) * DAY_MS;
  }

  /**
   * Reports a range that is empty or too long. `daysMax` x 24 h always pass; so do as many local days of the zone,
   * however long they are.
   */
  range({ start, end }: TimeRange, { daysMax, zone, show = formatInstant }: RangeLimit): void {
    const facts = { value: show(end), start: show(start) };
    if (end <= start) this.add("range_empty", "endTime", facts);
    const latest = Math.max(start + daysMax * DAY_MS, addLocalDays(start, zone, daysMax));
    if (end > latest) this.add("range_too_long", "endTime", { ...facts, days: daysMax, latest: show(latest) });
  }

  oneOf<T extends string>(raw: RawQuery, name: string, allowed: readonly T[], field: string = name): T | undefined {
    const text = this.text(raw, name, field);
    if (text === undefined) return undefined;
    const found = allowed.find((one) => one === text);
    return found ?? this.add("not_allowed", field, { value: text, allowed });
  }

  /** True or false: a word of a query, a JSON value of a body. False when left out. */
  flag(raw: RawQuery, field: string): boolean {
    const value = raw[field];
    if (typeof value === "boolean" && this.#from === "body") return value;
    if (this.#from === "query") return this.oneOf(raw, field, ["true", "false"]) === "true";
    if (value !== undefined && value !== null) this.add("wrong_type", field, { value, allowed: "true or false" });
    return false;
  }

  /** A whole number, or its digits as text. 0 stands for the usual size; more than the most counts as the most. */
  pageSize(value: unknown, { usual, most }: { readonly usual: number; readonly most: number }): number {
    const size = typeof value === "string" && /^\d{0,16}$/.test(value) ? Number(value) : (value ?? 0);
    if (typeof size !== "number" || !Number.isInteger(size) || size < 0) {
      this.add("wrong_type", "pageSize", { value, allowed: "a whole number from 1" });
      return usual;
    }
    return Math.min(size || usual, most);
  }

  pageToken(raw: RawQuery): PageStart | undefined {
    const token = this.text(raw, "pageToken");
    if (token === undefined) return undefined;
    return readPageToken(token) ?? this.add("bad_page_token", "pageToken", { value: token });
  }

  texts(value: unknown, field: string): string[] {
    if (value === undefined || value === null) return [];
    const list = Array.isArray(value) ? value : [value];
    return list.filter((one): one is string => {
      if (typeof one === "string") return true;
      this.add("wrong_type", field, { value: one, allowed: "a text or a list of texts" });
      return false;
    });
  }
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The words of a body that must be a JSON object. @throws Fault `wrong_type`. */
export function bodyOf(body: unknown): RawQuery {
  if (isRecord(body)) return body;
  throw new Fault(problem("wrong_type", "body", { value: body ?? null, allowed: "a JSON object" }));
}
