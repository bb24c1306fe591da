/** Which two books a question compares, and whose usage: the installation's list, or one account's contract. */

import { accountIds } from "../accounts/account-ids.ts";
import { LIST_SCOPE } from "../accounts/price-books.ts";
import type { Accounts } from "../accounts/store.ts";
import { Fault, problem } from "../domain/fault.ts";
import type { BookPick, PriceDiffQuery } from "../domain/price-diff-query.ts";
import type { Instant } from "../domain/time.ts";
import type { PriceBook } from "../rating/price.ts";
import type { ReadBook } from "./book-text.ts";
import { kindOfScope } from "./price-books.ts";
import { type DiffSources, type PriceDiff, priceDiff } from "./price-diff.ts";
import type { Tariffs } from "./tariffs.ts";

/** One side of the comparison. */
export interface PickedBook {
  /** Undefined for a text that was never put. */
  readonly version: number | undefined;
  readonly book: PriceBook;
}

export interface BookDiff extends PriceDiff {
  /** LIST_SCOPE, or the account whose contract both books are. */
  readonly scope: string;
  /** Undefined where the account has no contract yet. */
  readonly from: PickedBook | undefined;
  readonly to: PickedBook;
}

interface BookDiffSources extends DiffSources {
  readonly accounts: DiffSources["accounts"] &
    Pick<Accounts, "listAccounts" | "hasAccount" | "getPriceBook" | "priceBookVersions">;
  readonly tariffs: Tariffs;
  readonly readBook: ReadBook;
}

/**
 * Compares two list books over the accounts, each with its own contract as it is now, or two contracts of one account.
 * @throws Fault `bad_price_book` for a text with mistakes, `not_found` for a version or an account that there is not,
 * `not_allowed` where the books are not of one scope.
 */
export async function bookDiff(sources: BookDiffSources, query: PriceDiffQuery, now: Instant): Promise<BookDiff> {
  const { tariffs } = sources;
  const scope = await scopeOf(sources, query);
  const from = await pickedOf(sources, query.from ?? (await newestOf(sources, scope)), { scope, field: "from" });
  const to = (await pickedOf(sources, query.to, { scope, field: "to" }))!;
  const accounts = scope === LIST_SCOPE ? await accountsOf(sources, query.accounts) : [scope];
  const tariffsOf = async (account: string) => {
    const { list, contract } = await tariffs.at(account);
    if (scope !== LIST_SCOPE) return { before: { list, contract: from?.book }, after: { list, contract: to.book } };
    return { before: { list: from?.book ?? list, contract }, after: { list: to.book, contract } };
  };
  return { scope, from, to, ...(await priceDiff(sources, { accounts, range: query.range, tariffsOf }, now)) };
}

/** The scope that the question names, or its first version is of; the list's where neither says so. */
async function scopeOf({ accounts }: BookDiffSources, query: PriceDiffQuery): Promise<string> {
  const { account, from, to } = query;
  const scopes: string[] = account === undefined ? [] : [account];
  if (account !== undefined && !(await accounts.hasAccount(account))) {
    throw new Fault(problem("not_found", "account", { value: account }));
  }
  for (const [field, pick] of [
    ["from", from],
    ["to", to],
  ] as const) {
    if (pick?.kind !== "version") continue;
    const { account: own } = await accounts.getPriceBook(pick.version);
    const [first = own] = scopes;
    if (own !== first) throw otherScope(`${field}.version`, String(pick.version), first);
    scopes.push(own);
  }
  const [scope = LIST_SCOPE] = scopes;
  const other = scope === LIST_SCOPE ? undefined : query.accounts?.find((one) => one !== scope);
  if (other !== undefined) {
    throw new Fault(
      problem("not_allowed", "accounts", { value: other, allowed: `${scope}, as the books are its contract` }),
    );
  }
  return scope;
}

function otherScope(field: string, value: string, scope: string): Fault {
  const allowed = scope === LIST_SCOPE ? "versions of the list book" : `versions of the contract of ${scope}`;
  return new Fault(problem("not_allowed", field, { value, allowed }));
}

async function newestOf({ accounts }: BookDiffSources, scope: string): Promise<BookPick | undefined> {
  const newest = (await accounts.priceBookVersions(scope)).at(-1);
  return newest && { kind: "version", version: newest.version };
}

async function pickedOf(
  { tariffs, readBook }: BookDiffSources,
  pick: BookPick | undefined,
  { scope, field }: { readonly scope: string; readonly field: string },
): Promise<PickedBook | undefined> {
  switch (pick?.kind) {
    case undefined:
      return undefined;
    case "version":
      return { version: pick.version, book: await tariffs.book(pick.version) };
    case "document":
      return { version: undefined, book: await readBook({ name: field, document: pick.document }, kindOfScope(scope)) };
    default:
      return pick satisfies never;
  }
}

/** The accounts that were named, or all. @throws Fault with a problem for each that there is not. */
async function accountsOf(
  { accounts }: BookDiffSources,
  named: readonly string[] | undefined,
): Promise<readonly string[]> {
  if (named) {
    const there = await Promise.all(named.map((id) => accounts.hasAccount(id)));
    const missing = named.filter((_, at) => !there[at]);
    if (missing.length > 0) throw new Fault(missing.map((value) => problem("not_found", "account", { value })));
    return named;
  }
  return Array.fromAsync(accountIds(accounts));
}
