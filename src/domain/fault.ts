/**
 * The catalogue of faults: every refusal Daybook can utter, as data. Code and facts are kept apart from the sentence,
 * which is made here, at the edge. docs/errors.md is generated from this table.
 */

/** google.rpc codes with the HTTP status each travels as (contract, section 1). */
export const RPC = {
  INVALID_ARGUMENT: { code: 3, http: 400 },
  NOT_FOUND: { code: 5, http: 404 },
  ALREADY_EXISTS: { code: 6, http: 409 },
  PERMISSION_DENIED: { code: 7, http: 403 },
  RESOURCE_EXHAUSTED: { code: 8, http: 429 },
  FAILED_PRECONDITION: { code: 9, http: 400 },
  UNIMPLEMENTED: { code: 12, http: 501 },
  INTERNAL: { code: 13, http: 500 },
  UNAVAILABLE: { code: 14, http: 503 },
  UNAUTHENTICATED: { code: 16, http: 401 },
} as const;

type RpcName = keyof typeof RPC;

interface FaultEntry {
  readonly rpc: RpcName;
  /** The HTTP status, where it is not the one of the rpc code. */
  readonly http?: number;
  /** `{field}` and `{value}` and other facts are filled in; `{value}` is quoted and shortened. */
  readonly text: string;
}

export const FAULTS = {
  // Requests
  required: { rpc: "INVALID_ARGUMENT", text: "{field}: is required; {mend}" },
  unknown_parameter: { rpc: "INVALID_ARGUMENT", text: "{field}: unknown query parameter; allowed are {allowed}" },
  unknown_field: { rpc: "INVALID_ARGUMENT", text: "{field}: unknown field; allowed are {allowed}" },
  repeated_parameter: { rpc: "INVALID_ARGUMENT", text: "{field}: was sent {count} times; send it once" },
  wrong_type: { rpc: "INVALID_ARGUMENT", text: "{field}: {value} was sent; it must be {allowed}" },
  not_allowed: { rpc: "INVALID_ARGUMENT", text: "{field}: {value} was sent; allowed are {allowed}" },
  bad_time: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} is not an RFC 3339 time; send one such as 2026-05-28T00:00:00Z",
  },
  bad_date: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} is neither a date nor an RFC 3339 time; send one such as 2026-05-28 or 2026-05-28T00:00:00Z",
  },
  bad_zone: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} is not an IANA time zone; send one such as America/Los_Angeles or UTC",
  },
  range_empty: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} is not after startTime {start}; endTime is exclusive and must be later",
  },
  range_too_long: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} is more than {days} days after startTime {start}; the latest allowed is {latest}",
  },
  unknown_dimension: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} is not a dimension; allowed are {allowed}",
  },
  foreign_dimension: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} is not a dimension of usageType {usageType}; allowed are {allowed}",
  },
  repeated_dimension: { rpc: "INVALID_ARGUMENT", text: "{field}: {value} was sent twice; name each dimension once" },
  exclusive_dimensions: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} was sent with {other}, and they exclude each other; send one of them",
  },
  too_many: { rpc: "INVALID_ARGUMENT", text: "{field}: {count} were sent; at most {max} are allowed" },
  answer_too_long: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: the answer has more than {max} rows; ask for fewer days, or name fewer accounts",
  },
  bad_page_token: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} is not a page token of this list; send it as given",
  },
  foreign_page_token: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} was given for another question; send it with that one, or leave it out",
  },
  row_ambiguous: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {count} rows are left; name it to tell them apart, such as {allowed}",
  },
  row_not_found: {
    rpc: "NOT_FOUND",
    text: "{field}: no row has {asked}; billingUsage with the same parameters lists the rows",
  },
  edge_dropped: {
    rpc: "FAILED_PRECONDITION",
    text:
      "{field}: the edge {value} is off the 15-minute slots and before {keptFrom}, up to where raw events were dropped; " +
      "choose times, or a timezone, with edges such as {earlier} or {later}",
  },
  events_dropped: {
    rpc: "FAILED_PRECONDITION",
    text: "{field}: {value} is before {keptFrom}, up to where raw events were dropped; ask for events from then on",
  },
  copy_dropped: {
    rpc: "FAILED_PRECONDITION",
    text:
      "{field}: raw events of {value} before {keptFrom} were dropped (--keep-events-days), and with them the ids by which " +
      "another ledger would know them again; such usage stays in the ledger it is in",
  },
  event_dropped: {
    rpc: "NOT_FOUND",
    text: "{field}: {value} was counted and its raw event was dropped since; reports keep it, and its id stays taken",
  },
  // Bodies
  bad_json: { rpc: "INVALID_ARGUMENT", text: "body: is not valid JSON: {reason}" },
  bad_ndjson: { rpc: "INVALID_ARGUMENT", text: "body: line {line} is not valid JSON: {reason}" },
  bad_request: { rpc: "INVALID_ARGUMENT", text: "{field}: cannot be read: {reason}" },
  bad_path: { rpc: "INVALID_ARGUMENT", text: "{field}: {value} cannot be read: {reason}" },
  headers_too_large: {
    rpc: "INVALID_ARGUMENT",
    http: 431,
    text: "{field}: the path, query and headers are larger than {max} bytes; send long questions as a POST :query body",
  },
  request_timeout: {
    rpc: "INVALID_ARGUMENT",
    http: 408,
    text: "{field}: it took too long to arrive; send it again, and at once",
  },
  repeated_field: { rpc: "INVALID_ARGUMENT", text: "{field}: is in the body more than once; send it once" },
  bad_utf8: { rpc: "INVALID_ARGUMENT", text: "body: is not valid UTF-8; send the text as UTF-8" },
  bad_gzip: {
    rpc: "INVALID_ARGUMENT",
    text: "body: is not valid gzip; compress it again or leave Content-Encoding out",
  },
  body_too_large: {
    rpc: "INVALID_ARGUMENT",
    http: 413,
    text: "body: is larger than {max} bytes; send less in one call",
  },
  bad_content_type: {
    rpc: "INVALID_ARGUMENT",
    http: 415,
    text: "Content-Type: {value} was sent; allowed are {allowed}",
  },
  bad_content_encoding: {
    rpc: "INVALID_ARGUMENT",
    http: 415,
    text: "Content-Encoding: {value} was sent; allowed are gzip and identity",
  },
  // Values of an event, a tag, a record
  bad_string: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} was sent; it must be {min} to {max} characters of well-formed text without control characters",
  },
  bad_quantity: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} was sent; it must be a whole number from 0 to 9007199254740991",
  },
  bad_seconds: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} was sent; it must be seconds from 0 to 9007199254740.991 with at most 3 decimals",
  },
  cached_over_prompt: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} was sent with promptTokens {prompt}; cached tokens are part of the prompt and cannot exceed it",
  },
  quantity_not_metered: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} was sent; {usageType} meters {allowed}",
  },
  time_out_of_bounds: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} was sent; it must be from 2000-01-01T00:00:00Z to 24 hours ahead of now ({latest})",
  },
  time_before: { rpc: "INVALID_ARGUMENT", text: "{field}: {value} was sent; it must be later than {earliest}" },
  as_of_too_early: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} is before the first price book was known; the earliest allowed is {earliest}",
  },
  as_of_ahead: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} is not over yet ({now} now); send an earlier time, or leave it out for the newest prices",
  },
  bad_annotation_key: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: unknown annotation; allowed are team, project, environment",
  },
  bad_annotation_value: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} was sent; it must be 1 to 128 characters of letters, digits, space and -_./:@",
  },
  bad_id: {
    rpc: "INVALID_ARGUMENT",
    text: "{field}: {value} was sent; it must be 1 to 63 characters of a-z, 0-9 and -, beginning with a letter or digit",
  },
  // Records
  not_found: { rpc: "NOT_FOUND", text: "{field}: {value} was not found" },
  already_exists: { rpc: "ALREADY_EXISTS", text: "{field}: {value} exists already; choose another id" },
  id_retired: {
    rpc: "ALREADY_EXISTS",
    text: "{field}: {value} was deleted, and its usage keeps the name; choose another id",
  },
  last_operator_key: {
    rpc: "FAILED_PRECONDITION",
    text: "{field}: {value} is the last OPERATOR key; create another before this one is deleted",
  },
  route_not_found: { rpc: "NOT_FOUND", text: "{value}: no such path; /openapi.json lists them" },
  // The gateway
  model_not_served: {
    rpc: "NOT_FOUND",
    text: "{field}: {value} goes to no upstream of this gateway; GET /inference/v1/models lists names that do",
  },
  upstream_failed: { rpc: "UNAVAILABLE", http: 502, text: "upstream {value}: {reason}" },
  upstream_timeout: { rpc: "UNAVAILABLE", http: 504, text: "upstream {value}: {reason}" },
  budget_spent: {
    rpc: "FAILED_PRECONDITION",
    http: 412,
    text: "budget {value}: {spent} of {limit} USD are spent, and this call may cost up to {cost} USD; the month ends {until}: raise the budget, or ask for fewer tokens",
  },
  budget_unpriced: {
    rpc: "FAILED_PRECONDITION",
    http: 412,
    text: "budget {budget}: {value} has no price, so that no budget can hold its calls; put a price, or let the operator set budgets.unpriced to allow",
  },
  budget_reserved: {
    rpc: "RESOURCE_EXHAUSTED",
    text: "budget {value}: {left} USD are left beside what calls under way may need, and this call may cost up to {cost} USD; try again in {seconds} s",
  },
  rate_limited: {
    rpc: "RESOURCE_EXHAUSTED",
    text: "serverless-inference-rpm: key {value} has made the {limit} requests that it may make in a minute; try again in {seconds} s",
  },
  bad_gateway_file: { rpc: "INVALID_ARGUMENT", text: "gateway file {value}, line {line}: {reason}" },
  bad_webhook: { rpc: "INVALID_ARGUMENT", text: "{field}: {value} was sent; {reason}" },
  // Who may
  unauthenticated: {
    rpc: "UNAUTHENTICATED",
    text: "Authorization: no valid API key; send Authorization: Bearer <key> with a key that is not revoked or expired",
  },
  role_too_low: { rpc: "PERMISSION_DENIED", text: "role: {value} may not do this; it takes {allowed}" },
  // The server
  overloaded: { rpc: "RESOURCE_EXHAUSTED", text: "server: too much work is waiting; try again in {seconds} s" },
  unavailable: { rpc: "UNAVAILABLE", text: "server: {reason}; try again in {seconds} s" },
  internal: { rpc: "INTERNAL", text: "server: an unexpected error; the log has it under request id {requestId}" },
  // The data folder and the price book (the prompt says these)
  threads_unstartable: {
    rpc: "UNAVAILABLE",
    text: "the threads of the {name} cannot start: {reason}; allow the process more open files (ulimit -n) or more memory",
  },
  folder_in_use: {
    rpc: "FAILED_PRECONDITION",
    text: "data folder {value} is in use by another daybook process{pid}; stop it or choose another --data",
  },
  folder_newer: {
    rpc: "FAILED_PRECONDITION",
    text: "{value} was written by a newer daybook (schema {found}, this one knows {known}); upgrade daybook",
  },
  folder_foreign: {
    rpc: "FAILED_PRECONDITION",
    text: "{value} is not a daybook file; choose another --data folder",
  },
  folder_incomplete: {
    rpc: "FAILED_PRECONDITION",
    text: "data folder {value} lacks {missing}, which it had; restore it from a backup or choose another --data",
  },
  folder_damaged: {
    rpc: "FAILED_PRECONDITION",
    text: "{value} lost what was committed last: {reason}; restore a backup, or remove {witness} to go on without it",
  },
  folder_unusable: { rpc: "FAILED_PRECONDITION", text: "data folder {value} cannot be used: {reason}" },
  ledger_unusable: { rpc: "FAILED_PRECONDITION", text: "{field}: the engine cannot be used: {reason}" },
  accounts_unusable: { rpc: "FAILED_PRECONDITION", text: "{field}: PostgreSQL cannot be used: {reason}" },
  bad_engine_url: { rpc: "INVALID_ARGUMENT", text: "{field}: {reason}; {form}" },
  migrate_refused: { rpc: "FAILED_PRECONDITION", text: "{field}: {reason}" },
  backup_unwritable: { rpc: "FAILED_PRECONDITION", text: "{field}: {value} cannot take the backup: {reason}" },
  address_unusable: { rpc: "FAILED_PRECONDITION", text: "{field}: cannot listen on {value}: {reason}" },
  file_unusable: { rpc: "INVALID_ARGUMENT", text: "file {value} cannot be used: {reason}" },
  bad_price_list: { rpc: "INVALID_ARGUMENT", text: "price list {value}: {reason}" },
  bad_price_book: { rpc: "INVALID_ARGUMENT", text: "price book {value}, line {line}: {reason}" },
  stored_book_refused: {
    rpc: "INTERNAL",
    text:
      "price book version {value}, line {line}: it was kept by an earlier daybook, and this one cannot read it: {reason}; " +
      "start the earlier one again, or put a mended book (serve --prices)",
  },
} as const satisfies Record<string, FaultEntry>;

export type FaultCode = keyof typeof FAULTS;
type Fact = string | number | boolean | null | undefined | readonly string[];

/** One thing that is wrong: its code, the field it is about and the facts of the sentence. */
export interface Problem {
  readonly code: FaultCode;
  readonly field: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

const VALUE_CHARACTERS_MAX = 80;

/**
 * Shows any value in a sentence: text quoted, control characters escaped, at most 80 characters. Objects and arrays are
 * only named: a hostile one can be too deep or too long to write out.
 */
function show(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  if (typeof value !== "string") return String(value);
  return JSON.stringify(shorten(value));
}

function shorten(text: string): string {
  if (text.length <= VALUE_CHARACTERS_MAX) return text.toWellFormed();
  return `${text.slice(0, VALUE_CHARACTERS_MAX).toWellFormed()}…`;
}

function fill(text: string, problem: Problem): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (name === "field") return shorten(problem.field) || '""';
    const fact = problem.facts[name];
    if (name === "value") return show(fact);
    return Array.isArray(fact) ? fact.join(", ") : String(fact ?? "");
  });
}

/** The problem as one sentence that names the field, the value that was sent and what is allowed. */
export function sentence(problem: Problem): string {
  return fill(FAULTS[problem.code].text, problem);
}

/** Makes a problem; `facts.value` is what was sent. */
export function problem(code: FaultCode, field: string, facts: Record<string, Fact | unknown> = {}): Problem {
  return { code, field, facts };
}

/** Problems that one refusal tells, at most: a hostile body can hold millions. */
export const PROBLEMS_MAX = 100;

/** A refusal. The first problem gives the status and the message; all of them travel in `details`. */
export class Fault extends Error {
  readonly problems: readonly [Problem, ...Problem[]];
  /** Seconds after which a retry makes sense, for 429 and 503. */
  readonly retryAfterSeconds: number | undefined;

  constructor(problems: Problem | readonly Problem[], retryAfterSeconds?: number) {
    const list = (Array.isArray(problems) ? problems : [problems]) as [Problem, ...Problem[]];
    super(sentence(list[0]));
    this.name = "Fault";
    this.problems = list;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  get rpc(): RpcName {
    return FAULTS[this.problems[0].code].rpc;
  }

  get http(): number {
    const entry: FaultEntry = FAULTS[this.problems[0].code];
    return entry.http ?? RPC[entry.rpc].http;
  }
}

/** The refusal of a call that would wait too long, before any work: 429, to be tried again after `seconds`. */
export function overloaded(seconds = 1): Fault {
  return new Fault(problem("overloaded", "server", { seconds }), seconds);
}

/** The refusal of a call while something is away that it takes: 503 with the reason, to be tried again after `seconds`. */
export function unavailable(reason: string, seconds = 1): Fault {
  return new Fault(problem("unavailable", "server", { reason, seconds }), seconds);
}

/** A {@link Fault} on its way to another thread, where a thrown error would lose its class. */
export interface Refusal {
  readonly refused: readonly Problem[];
  readonly retryAfterSeconds: number | undefined;
}

/** What the work gives; its Fault as a value. */
export function orRefusal<T>(work: () => T): T | Refusal {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { refused: error.problems, retryAfterSeconds: error.retryAfterSeconds };
  }
}

/** What {@link orRefusal} gave in another thread. @throws Fault where it was one. */
export function orFault<T>(answer: T | Refusal): T {
  if (isRefusal(answer)) throw new Fault(answer.refused, answer.retryAfterSeconds);
  return answer;
}

function isRefusal(answer: unknown): answer is Refusal {
  return typeof answer === "object" && answer !== null && "refused" in answer;
}

/** Throws one {@link Fault} with all problems, when there are any. */
export function refuseIfAny(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new Fault(problems);
}
