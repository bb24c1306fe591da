/** The price books of a server: listed, read, put, explained. */

import { formatInstant } from "../../domain/time.ts";
import { grouped } from "../../render/usage-text.ts";
import { bookMistakes, mistakesCounted } from "../book-mistakes.ts";
import { queryText } from "../client.ts";
import { type Context, lastSegment, pathPart } from "../context.ts";
import type { Json } from "../exact-json.ts";
import { quoted, refused, wrongWords } from "../refusal.ts";
import { type ShownField, showList, showOne, timeText } from "../show.ts";
import { readTime } from "../time.ts";

const BOOKS = "/v1/priceBooks";

interface PriceBook {
  readonly name: string;
  readonly version: string;
  readonly account: string;
  readonly knownFrom: string;
  readonly hash: string;
  readonly createdBy: string;
  readonly entryCount: number;
}

function scopeText({ account }: PriceBook): string {
  return account === "" ? "list" : lastSegment(account);
}

const BOOK_COLUMNS: readonly ShownField<PriceBook>[] = [
  { title: "VERSION", align: "right", of: ({ version }) => version },
  { title: "FOR", of: scopeText },
  { title: "KNOWN FROM", of: ({ knownFrom }) => timeText(knownFrom) },
  { title: "ENTRIES", align: "right", of: ({ entryCount }) => grouped(String(entryCount)) },
  { title: "PUT BY", shortens: true, of: ({ createdBy }) => createdBy },
  { title: "HASH", of: ({ hash }) => hash.slice(0, 12) },
];

export async function listPriceBooks(context: Context, { account }: { readonly account?: string }): Promise<void> {
  const query = account === undefined ? "" : `?${queryText([["account", account]])}`;
  const records = await context.list(`${BOOKS}${query}`, "priceBooks");
  if (records) showList(context, { name: "priceBooks", records }, BOOK_COLUMNS);
}

export async function getPriceBook(context: Context, _: object, [version = ""]: readonly string[]): Promise<void> {
  const book = await context.call({ method: "GET", path: `${BOOKS}/${pathPart(lastSegment(version))}` });
  if (book === undefined) return;
  if (context.output === "json") showOne(context, book, () => ({}));
  // As it is, so that putting it again changes nothing.
  else context.streams.stdout.write((book as { readonly document: string }).document);
}

export async function putPriceBook(
  context: Context,
  { account }: { readonly account?: string },
  [file = ""]: readonly string[],
): Promise<void> {
  const document = await readBook(context, file, account === undefined ? "list" : "contract");
  const priceBook = { ...(account !== undefined && { account }), document };
  const put = await context.call({ method: "POST", path: BOOKS, body: { priceBook } });
  if (put === undefined) return;
  showOne<PriceBook>(context, put, (book) => ({
    version: book.version,
    for: scopeText(book),
    "known from": timeText(book.knownFrom),
    entries: grouped(String(book.entryCount)),
    "put by": book.createdBy,
    hash: book.hash,
  }));
}

/**
 * The text of a book without mistakes; its mistakes are told here, with the file's name, before a server is asked.
 * @throws Refusal
 */
export async function readBook(context: Context, file: string, kind: "list" | "contract"): Promise<string> {
  const { checkPriceBook, readBookFile } = await import("../../price-files.ts");
  const text = readBookFile(file);
  try {
    checkPriceBook(text, kind);
    return text.document;
  } catch (error) {
    const mistakes = bookMistakes(error);
    if (!mistakes) throw error;
    context.streams.stderr.write(`${mistakes.join("\n")}\n`);
    throw refused(`${quoted(file)} has ${mistakesCounted(mistakes)}; nothing was sent`);
  }
}

interface ExplainFlags {
  readonly at?: string;
  readonly usageType?: string;
  readonly serviceTier?: string;
  readonly batch?: boolean;
  readonly promptTokens?: string;
  readonly acceleratorType?: string;
  readonly placement?: string;
  readonly jobType?: string;
  readonly baseModel?: string;
  readonly asOf?: string;
}

const PASSED = [
  "usageType",
  "serviceTier",
  "promptTokens",
  "acceleratorType",
  "placement",
  "jobType",
  "baseModel",
] as const;

export async function explainPrices(context: Context, flags: ExplainFlags, [model]: readonly string[]): Promise<void> {
  if (model === undefined && flags.acceleratorType === undefined && flags.baseModel === undefined) {
    throw wrongWords("name a model, or --accelerator-type; see daybook prices explain --help");
  }
  const time = (text: string | undefined, flag: string): string | undefined =>
    text === undefined ? undefined : formatInstant(readTime(text, flag, "UTC"));
  const words: [string, string | undefined][] = [
    ["model", model],
    ["at", time(flags.at, "--at")],
    ...PASSED.map((name): [string, string | undefined] => [name, flags[name]]),
    ["batch", flags.batch ? "true" : undefined],
    ["asOf", time(flags.asOf, "--as-of")],
  ];
  const sent = words.filter((pair): pair is [string, string] => pair[1] !== undefined);
  const path = `${await context.path("/prices:explain")}?${queryText(sent)}`;
  const answer = await context.call({ method: "GET", path });
  if (answer === undefined) return;
  if (context.output === "json") showOne(context, answer, () => ({}));
  else printExplanation(context, answer as Json as unknown as Explanation);
}

interface Line {
  readonly priceBook: string;
  readonly line: number;
  readonly match: string;
  readonly effectiveFrom: string;
  readonly effectiveTo: string | null;
  readonly source: string;
}

interface Price {
  readonly unitUsd: string;
  readonly statedUsd: string;
  readonly perUnits: string;
  readonly multipliers: readonly { readonly name: string; readonly factor: string }[];
  readonly discount: (Line & { readonly percent: string }) | null;
  readonly entry: Line;
}

interface Component {
  readonly quantity: string;
  readonly list: Price | null;
  readonly net: Price | null;
  readonly others: readonly (Line & { readonly lostIn: string | null; readonly needs: readonly string[] })[];
}

interface Explanation {
  readonly account: string;
  readonly at: string;
  readonly usageType: string;
  readonly priceBook: string;
  readonly contractPriceBook: string;
  readonly components: readonly Component[];
}

function printExplanation(context: Context, answer: Explanation): void {
  const { account, at, usageType, priceBook, contractPriceBook, components } = answer;
  const books = [priceBook, contractPriceBook].filter((name) => name !== "").map(bookText);
  context.print(`${lastSegment(account)}, ${timeText(at)} UTC, ${usageType}, by ${books.join(" and ")}`);
  const cited = new Map<string, Line>();
  const cite = (line: Line): string => {
    const place = `${bookText(line.priceBook)}, line ${line.line}`;
    cited.set(place, line);
    return place;
  };
  for (const component of joinedUnpriced(components)) {
    context.print("");
    for (const line of componentLines(component, cite)) context.print(line);
  }
  if (cited.size > 0) context.print("");
  for (const [place, { match, effectiveFrom, effectiveTo, source }] of cited) {
    const until = effectiveTo === null ? "" : ` to ${timeText(effectiveTo)}`;
    context.print(`${place}: ${match}; from ${timeText(effectiveFrom)}${until}; ${source}`);
  }
}

/** Components without a price that lack it for the same reasons, told as one. */
function joinedUnpriced(components: readonly Component[]): Component[] {
  const joined: Component[] = [];
  for (const component of components) {
    const last = joined.at(-1);
    const alike =
      last && !last.net && !component.net && JSON.stringify(last.others) === JSON.stringify(component.others);
    if (alike) joined[joined.length - 1] = { ...last, quantity: `${last.quantity}, ${component.quantity}` };
    else joined.push(component);
  }
  return joined;
}

type Cite = (line: Line) => string;

function componentLines({ quantity, list, net, others }: Component, cite: Cite): string[] {
  const unit = quantity.endsWith("Seconds") ? "seconds" : "tokens";
  const textOf = (price: Price): string => priceText(price, unit, cite);
  const priced = net ? [`${quantity}: $${net.unitUsd} each`, `  ${textOf(net)}`] : [`${quantity}: no price`];
  const differs = list && net && JSON.stringify(list) !== JSON.stringify(net);
  return [
    ...priced,
    ...(differs ? [`  by the list $${list.unitUsd}: ${textOf(list)}`] : []),
    ...others.map((one) => `  not ${cite(one)}${whyNot(one)}`),
  ];
}

function priceText({ statedUsd, perUnits, multipliers, discount, entry }: Price, unit: string, cite: Cite): string {
  const per = perUnits === "1" ? "" : ` for ${grouped(perUnits)} ${unit}`;
  const factors = multipliers.map(({ name, factor }) => ` times ${factor} (${name})`).join("");
  const less = discount ? ` less ${discount.percent} % (${cite(discount)})` : "";
  return `$${statedUsd}${per}${factors}${less} (${cite(entry)})`;
}

function whyNot({ lostIn, needs }: Component["others"][number]): string {
  if (lostIn !== null) return `: it says less of ${lostIn}`;
  return needs.length > 0 ? `: it asks for ${needs.join("; ")}` : "";
}

function bookText(name: string): string {
  return `price book ${lastSegment(name)}`;
}
