/** The reasons for prices on the wire. Units are the wire's: a token, an image, a second. */

import { usdTextOfAtto } from "../domain/money.ts";
import { formatInstant } from "../domain/time.ts";
import type { PriceExplanation } from "../report/price-explanation.ts";
import { priceBookName } from "./price-books.ts";

type Reason = PriceExplanation["reasons"][number];
type Price = NonNullable<Reason["net"]>;
type Line = Pick<Price["entry"], "book" | "line" | "match" | "effectiveFrom" | "effectiveTo" | "source">;
type Books = PriceExplanation["tariff"];

/** Components that are kept in milliseconds, and told in seconds. */
const SECONDS: Readonly<Partial<Record<Reason["component"], string>>> = {
  audioInputMs: "audioInputSeconds",
  acceleratorMs: "acceleratorSeconds",
};
const MS_PER_SECOND = 1000n;

export function priceExplanationJson({ account, at, tariff, attributes, reasons }: PriceExplanation): object {
  const { contextClass, batch, ...words } = attributes;
  return {
    account: `accounts/${account}`,
    at: formatInstant(at),
    priceBook: priceBookName(tariff.book.version),
    contractPriceBook: tariff.contractBook ? priceBookName(tariff.contractBook.version) : "",
    ...words,
    batch: batch === "true",
    promptTokensAbove: contextClass || "0",
    components: reasons.map((reason) => componentJson(reason, tariff)),
  };
}

function componentJson({ component, list, net, others }: Reason, books: Books): object {
  const scale = SECONDS[component] ? MS_PER_SECOND : 1n;
  return {
    quantity: SECONDS[component] ?? component,
    list: list ? priceJson(list, scale, books) : null,
    net: net ? priceJson(net, scale, books) : null,
    others: others.map(({ lostIn, needs, ...entry }) => ({
      ...entryJson(entry, books),
      lostIn: lostIn ?? null,
      needs,
    })),
  };
}

function priceJson({ atto, entry, stated, per, multipliers, discount }: Price, scale: bigint, books: Books): object {
  return {
    unitUsd: usdTextOfAtto(atto * scale),
    statedUsd: stated,
    perUnits: String(per / scale),
    multipliers,
    discount: discount ? { percent: discount.percent, ...lineJson(discount, books) } : null,
    entry: entryJson(entry, books),
  };
}

function entryJson(entry: Line & Pick<Price["entry"], "kind">, books: Books): object {
  return { kind: entry.kind, ...lineJson(entry, books) };
}

/** A line of one of the books. */
export function lineJson({ book, line, match, effectiveFrom, effectiveTo, source }: Line, books: Books): object {
  const { version } = book === "list" ? books.book : books.contractBook!;
  return {
    priceBook: priceBookName(version),
    line,
    match,
    effectiveFrom: formatInstant(effectiveFrom),
    effectiveTo: effectiveTo === undefined ? null : formatInstant(effectiveTo),
    source,
  };
}
