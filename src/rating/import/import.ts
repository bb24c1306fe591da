/**
 * Price lists that others publish, read into the text of a price book. Nothing of a list is passed over in silence: the
 * report names each key that the book does not hold. Pure.
 */

import { Fault, problem } from "../../domain/fault.ts";
import { formatInstant, type Instant, SLOT_MS } from "../../domain/time.ts";
import { ENTRIES_MAX, loadPriceBook } from "../book.ts";
import { BOOK_BYTES_MAX } from "../book-reader.ts";
import { bookText, type Offer } from "./book-text.ts";
import { providersOf, readGenaiPrices } from "./genai-prices.ts";
import { isObject, type ListJson, readJson } from "./json-text.ts";
import { readLitellm } from "./litellm.ts";
import type { ReadList, ReadOptions } from "./published-list.ts";
import { Findings, type ImportReport } from "./report.ts";

export type ListKind = "litellm" | "genai-prices";
/** Bytes of a list. */
export const LIST_BYTES_MAX = 32 * 1024 * 1024;
const SOURCE_CHARACTERS_MAX = 256;
const PROVIDERS_NAMED_MAX = 50;
const TITLES: Readonly<Record<ListKind, string>> = { litellm: "LiteLLM", "genai-prices": "genai-prices" };

export interface ImportOptions {
  readonly from: ListKind;
  /** What faults and sources call the list, such as its file's name. */
  readonly name: string;
  /** From when prices hold that the list states without a date; on the edge of a slot. */
  readonly effectiveFrom: Instant;
  /** Only this provider's models. */
  readonly provider?: string | undefined;
  /** Put before each model's name; `{provider}` in it stands for the provider's. */
  readonly modelPrefix?: string | undefined;
}

export interface ImportedBook {
  readonly yaml: string;
  readonly report: ImportReport;
}

/**
 * Reads a published list into a price book that loads without a mistake.
 * @throws Fault bad_price_list when the text is no such list, has no such provider, or makes more than a book may hold.
 */
export function importPriceList(text: string, options: ImportOptions): ImportedBook {
  const { from, name, effectiveFrom, provider, modelPrefix = "" } = options;
  if (effectiveFrom % SLOT_MS !== 0) throw new RangeError(`${formatInstant(effectiveFrom)} is off the slots`);
  const findings = new Findings();
  const json = jsonOf(text, name, findings);
  const sourceOf = (...details: readonly string[]): string => sourceText([`${TITLES[from]}, ${name}`, ...details]);
  const list = readList(json, from, name, { effectiveFrom, provider, findings, sourceOf });
  if (provider !== undefined && !list.providers.has(provider)) throw unknownProvider(name, provider, list.providers);
  const title = `Price list of ${TITLES[from]}${provider === undefined ? "" : `, provider ${JSON.stringify(provider)}`}`;
  const { yaml, entries, written } = bookText(title, list.offers, modelPrefix, findings);
  checkLoads(name, yaml, entries);
  return { yaml, report: reportOf(list.offers, new Set(written), entries, findings) };
}

function jsonOf(text: string, name: string, findings: Findings): ListJson {
  const read = readJson(text);
  if (read.kind === "mistake") {
    const place = `line ${read.line}, column ${read.column}`;
    const wrong =
      read.found === undefined ? `it ends too early, at ${place}` : `${read.found} may not stand at ${place}`;
    throw refusal(name, `it is no valid JSON: ${wrong}; mend it there or get it again`);
  }
  for (const one of read.repeated) findings.add("conflict", one, "it stands twice in one object; the last stands", one);
  return read.json;
}

function readList(json: ListJson, from: ListKind, name: string, options: ReadOptions): ReadList {
  const providers = providersOf(json);
  if (from === "genai-prices") {
    if (providers && isGenai(providers)) {
      tellOutside(json, options.findings);
      return readGenaiPrices(providers, options);
    }
    const hint = isLitellm(json) ? "it has prices by model, as LiteLLM publishes them; use --from litellm" : NEITHER;
    throw refusal(name, hint);
  }
  if (providers && isGenai(providers)) throw refusal(name, GENAI);
  if (isObject(json) && isLitellm(json)) return readLitellm(json, options);
  throw refusal(name, NEITHER);
}

const NEITHER =
  "it is neither a list of LiteLLM (model_prices_and_context_window.json: an object of models) nor of genai-prices " +
  "(data.json: a list of providers); get one of these";

const GENAI = "it is a list of providers, as genai-prices publishes it; use --from genai-prices";

/** What stands beside the providers: `units` says what the keys of prices mean. */
function tellOutside(json: ListJson, findings: Findings): void {
  for (const key of isObject(json) ? Object.keys(json) : []) {
    if (key !== "providers" && key !== "units") findings.add("not_understood", key, "an unknown key", "the whole list");
  }
}

/** True for a list with something that looks like a provider. */
function isGenai(list: readonly ListJson[]): boolean {
  return list.some((one) => isObject(one) && Array.isArray(one.models));
}

/** True for an object with something that looks like a model. */
function isLitellm(json: ListJson): boolean {
  return isObject(json) && Object.values(json).some((one) => isObject(one));
}

/** One line of at most as many characters as a source may have; details that do not fit are left out. */
function sourceText(parts: readonly string[]): string {
  const plain = parts
    .map((part) =>
      part
        .replace(/\p{Cc}+/gu, " ")
        .trim()
        .toWellFormed(),
    )
    .filter((part) => part !== "");
  let text = plain[0]!.slice(0, SOURCE_CHARACTERS_MAX).toWellFormed();
  for (const part of plain.slice(1)) {
    if (text.length + part.length + 2 <= SOURCE_CHARACTERS_MAX) text += `, ${part}`;
  }
  return text;
}

/** What a book cannot say was left out, so that only its size can be wrong; the reading makes sure. */
function checkLoads(name: string, yaml: string, entries: number): void {
  const bytes = Buffer.byteLength(yaml);
  if (entries > ENTRIES_MAX || bytes > BOOK_BYTES_MAX) {
    const makes = `it makes a book of ${entries} entries and ${bytes} bytes`;
    const allowed = `at most ${ENTRIES_MAX} and ${BOOK_BYTES_MAX} are allowed`;
    throw refusal(name, `${makes}; ${allowed}; import one provider at a time with --provider`);
  }
  loadPriceBook(name, yaml);
}

function unknownProvider(name: string, provider: string, known: ReadonlySet<string>): Fault {
  const list = [...known].sort();
  const more = list.length > PROVIDERS_NAMED_MAX ? `, and ${list.length - PROVIDERS_NAMED_MAX} more` : "";
  const names = list.slice(0, PROVIDERS_NAMED_MAX).join(", ");
  return refusal(name, `it has no provider ${JSON.stringify(provider)}; it has ${names}${more}`);
}

function refusal(name: string, reason: string): Fault {
  return new Fault(problem("bad_price_list", "FILE", { value: name, reason }));
}

function reportOf(
  offers: readonly Offer[],
  written: ReadonlySet<Offer>,
  entries: number,
  findings: Findings,
): ImportReport {
  const unpriced = offers.filter((offer) => !written.has(offer));
  const isFree = ({ periods }: Offer): boolean =>
    periods.every(({ lines }) => lines.every(({ parts }) => Object.values(parts).every((price) => price === "0")));
  return {
    models: offers.length,
    imported: written.size,
    entries,
    findings: findings.list(),
    partly: [...written].flatMap(({ model, missing }) => (missing.length > 0 ? [{ model, keys: missing }] : [])),
    unpriced: unpriced.map(({ model, missing, periods }) => ({
      model,
      reason: whyUnpriced(missing, periods.length > 0),
    })),
    free: [...written].filter(isFree).map(({ model }) => model),
  };
}

function whyUnpriced(missing: readonly string[], hasPrices: boolean): string {
  if (hasPrices) return "its names are another model's";
  return missing.length > 0 ? `not expressible: ${missing.join(", ")}` : "the list states no price";
}
