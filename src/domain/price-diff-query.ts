/** The question what another price book would change: from untrusted words to a checked {@link PriceDiffQuery}. */

import { bodyOf, isRecord, QueryChecker, type RawQuery } from "./query-checker.ts";
import { isBareId } from "./text.ts";
import type { TimeRange } from "./time.ts";
import { RANGE_DAYS_MAX } from "./usage-query.ts";

/** A book: a version that was put, or a text that was not. */
export type BookPick =
  | { readonly kind: "version"; readonly version: number }
  | { readonly kind: "document"; readonly document: string };

export interface PriceDiffQuery {
  /** Undefined for the newest version. */
  readonly from: BookPick | undefined;
  readonly to: BookPick;
  /** The account whose contract the books are; undefined where nothing but the versions says it. */
  readonly account: string | undefined;
  /** The accounts whose usage is compared; undefined for all that the books are for. */
  readonly accounts: readonly string[] | undefined;
  readonly range: TimeRange;
}

/** Accounts that one question may name. */
export const DIFF_ACCOUNTS_MAX = 1_000;
const FIELDS = ["from", "to", "account", "accounts", "startTime", "endTime"] as const;
const PICK_FIELDS = ["version", "document"] as const;
const VERSION = /^[1-9]\d{0,14}$/;
const ACCOUNT_PREFIX = "accounts/";

/** The number of a version as it stands in a path, a body or a name; undefined when it is none. */
export function parseVersion(sent: unknown): number | undefined {
  return VERSION.test(String(sent)) && ["string", "number"].includes(typeof sent) ? Number(sent) : undefined;
}

/** The bare id of an account that is named `acme` or `accounts/acme`; undefined for a text that is neither. */
export function parseAccount(text: string): string | undefined {
  const id = text.startsWith(ACCOUNT_PREFIX) ? text.slice(ACCOUNT_PREFIX.length) : text;
  return isBareId(id) ? id : undefined;
}

/**
 * Checks a question. All that is wrong is reported at once.
 * @throws Fault with a problem for each mistake.
 */
export function parsePriceDiffQuery(raw: unknown): PriceDiffQuery {
  const check = new QueryChecker("body");
  const body = bodyOf(raw);
  check.names(body, FIELDS);
  const from = checkPick(check, body.from, "from");
  const to = checkPick(check, body.to, "to");
  if (body.to === undefined || body.to === null)
    check.add("required", "to", { mend: 'send {"version"} or {"document"}' });
  const name = check.text(body, "account");
  const account = name === undefined ? undefined : checkAccount(check, name, "account");
  const accounts = checkAccounts(check, body);
  const range = check.timeRange(body, { daysMax: RANGE_DAYS_MAX, zone: "UTC" });
  check.finish();
  return { from, to: to!, account, accounts, range: range! };
}

function checkPick(check: QueryChecker, sent: unknown, field: string): BookPick | undefined {
  if (sent === undefined || sent === null) return undefined;
  const given = isRecord(sent) ? PICK_FIELDS.filter((name) => sent[name] !== undefined) : [];
  if (!isRecord(sent) || given.length !== 1) {
    const allowed = 'an object with "version" or "document", one of them';
    return check.add("wrong_type", field, { value: sent, allowed });
  }
  check.names(sent, PICK_FIELDS, `${field}.`);
  if (sent.version !== undefined) {
    const version = parseVersion(sent.version);
    if (version !== undefined) return { kind: "version", version };
    return check.add("wrong_type", `${field}.version`, { value: sent.version, allowed: "the number of a version" });
  }
  if (typeof sent.document === "string") return { kind: "document", document: sent.document };
  return check.add("wrong_type", `${field}.document`, {
    value: sent.document,
    allowed: "a price book's YAML as a text",
  });
}

function checkAccount(check: QueryChecker, name: string, field: string): string | undefined {
  return parseAccount(name) ?? check.add("bad_id", field, { value: name });
}

function checkAccounts(check: QueryChecker, body: RawQuery): readonly string[] | undefined {
  const names = check.texts(body.accounts, "accounts");
  if (names.length === 0) return undefined;
  if (names.length > DIFF_ACCOUNTS_MAX) {
    return check.add("too_many", "accounts", { count: names.length, max: DIFF_ACCOUNTS_MAX });
  }
  const ids = names.map((name, at) => checkAccount(check, name, `accounts.${at}`));
  return [...new Set(ids.filter((id) => id !== undefined))].sort();
}
