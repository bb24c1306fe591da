/** Models and their prices as the text of a price book: each name in one place, whatever the list says twice. Pure. */

import { formatInstant } from "../../domain/time.ts";
import { ANY, prefixOf } from "../match.ts";
import { PARTS, type Period, type PriceLine } from "./price-table.ts";
import type { Findings } from "./report.ts";

/** A model of the list with what the book is to say about it. */
export interface Offer {
  readonly provider: string;
  /** The model's name in the list, which reports call it by. */
  readonly model: string;
  /** Whole names, and beginnings of names before a `*`, without the prefix that was asked for. */
  readonly names: readonly string[];
  readonly periods: readonly Period[];
  readonly source: string;
  /** Keys of the list that the book does not hold. */
  readonly missing: readonly string[];
}

export interface BookText {
  readonly yaml: string;
  readonly entries: number;
  /** The offers that have entries. */
  readonly written: readonly Offer[];
}

const NAME_CHARACTERS_MAX = 256;
/** Stands for the provider's name in a prefix. */
const PROVIDER = "{provider}";

/** Writes the book. Of a name that two models have, the first keeps it; the findings tell. */
export function bookText(title: string, offers: readonly Offer[], modelPrefix: string, findings: Findings): BookText {
  const owners = new Map<string, { readonly offer: Offer; readonly says: string }>();
  const blocks: string[] = [];
  const written: Offer[] = [];
  let entries = 0;
  for (const offer of offers) {
    if (offer.periods.length === 0) continue;
    const says = JSON.stringify(offer.periods);
    const prefix = modelPrefix.replaceAll(PROVIDER, offer.provider);
    const names = offer.names
      .map((name) => prefix + name)
      .filter((name) => mayHave(name, offer, owners, says, findings));
    if (names.length === 0) continue;
    for (const name of names) owners.set(name, { offer, says });
    const lines = offer.periods.flatMap((period) => period.lines.map((line) => entryText(offer, names, period, line)));
    blocks.push(...commentOf(offer), ...lines);
    written.push(offer);
    entries += lines.length;
  }
  tellOverlaps(owners, findings);
  const head = [
    `# ${title}`,
    "# Written by daybook prices import; docs/prices.md tells how a book is written.",
    "currency: USD",
  ];
  const body = entries > 0 ? ["prices:", ...blocks] : ["prices: []"];
  return { yaml: `${[...head, ...body].join("\n")}\n`, entries, written };
}

/** True when the name can stand in a book and no other model has it. */
function mayHave(
  name: string,
  offer: Offer,
  owners: ReadonlyMap<string, { readonly offer: Offer; readonly says: string }>,
  says: string,
  findings: Findings,
): boolean {
  if (name.length > NAME_CHARACTERS_MAX || name.trim() === "" || /\p{Cc}/u.test(name) || !name.isWellFormed()) {
    findings.add("not_expressible", "name", "a name is 1 to 256 printable characters", shown(name));
    return false;
  }
  if (name.slice(0, -1).includes(ANY)) {
    findings.add("not_expressible", "name", "a * may only end a name, and then stands for any end", shown(name));
    return false;
  }
  const owner = owners.get(name);
  if (!owner || owner.offer === offer) return true;
  const both = `${whose(owner.offer)} and ${whose(offer)}`;
  if (owner.says === says) findings.add("merged", "name", "two models of one name and the same prices", both);
  else findings.add("conflict", name, `two models of one name and other prices: the first stands; ${APART}`, both);
  return false;
}

const APART = "import one with --provider, or write --model-prefix '{provider}/'";

/** Names of one provider that a beginning of another's fits too: the book then goes by the longer one. */
function tellOverlaps(owners: ReadonlyMap<string, { readonly offer: Offer }>, findings: Findings): void {
  const beginnings = [...owners].flatMap(([name, { offer }]) => {
    const prefix = prefixOf(name);
    return prefix === undefined ? [] : [{ prefix, offer }];
  });
  for (const [name, { offer }] of owners) {
    const other = beginnings.find((one) => one.offer.provider !== offer.provider && name.startsWith(one.prefix));
    if (!other) continue;
    const both = `${whose(offer)} and ${shown(`${other.prefix}*`)} of ${whose(other.offer)}`;
    findings.add("conflict", name, `names of two providers overlap: the longer one stands; ${APART}`, both);
  }
}

function whose({ provider, model }: Offer): string {
  return provider === "" ? shown(model) : `${shown(model)} (${shown(provider)})`;
}

/** A word of the list as it can stand in a line: plain, or quoted where it holds more than plain characters. */
function shown(word: string): string {
  const short = word.length > 100 ? `${word.slice(0, 100).toWellFormed()}…` : word;
  return /^[\w.:/@~+*…-]+$/.test(short) ? short : JSON.stringify(short);
}

function commentOf(offer: Offer): string[] {
  if (offer.missing.length === 0) return [];
  return [`  # ${whose(offer)}, not in the book: ${offer.missing.map(shown).join(", ")}`];
}

function entryText(offer: Offer, names: readonly string[], period: Period, line: PriceLine): string {
  const texts = names.map((name) => JSON.stringify(name));
  const match = [
    `model: ${texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`}`,
    ...(line.variant === "priority" ? ["serviceTier: PRIORITY"] : []),
    ...contextText(line),
    ...(line.variant === "batch" ? ["batch: true"] : []),
  ];
  return [
    `  - match: { ${match.join(", ")} }`,
    `    ${line.kind}: ${priceText(line)}`,
    `    effectiveFrom: ${formatInstant(period.from)}`,
    ...(period.to === undefined ? [] : [`    effectiveTo: ${formatInstant(period.to)}`]),
    `    source: ${JSON.stringify(offer.source)}`,
  ].join("\n");
}

function contextText({ above, atMost }: PriceLine): string[] {
  const limits = [...(above > 0 ? [`above: ${above}`] : []), ...(atMost === undefined ? [] : [`atMost: ${atMost}`])];
  return limits.length > 0 ? [`contextTokens: { ${limits.join(", ")} }`] : [];
}

function priceText({ parts }: PriceLine): string {
  if (parts.price !== undefined) return `"${parts.price}"`;
  const stated = PARTS.filter((part) => parts[part] !== undefined);
  return `{ ${stated.map((part) => `${part}: "${parts[part]}"`).join(", ")} }`;
}
