/** LiteLLM's model_prices_and_context_window.json: dollars a token, a second or an image, by model. Pure. */

import type { Decimal } from "../../domain/money.ts";
import type { Offer } from "./book-text.ts";
import { countOf, decimalOf, multiplied, NumberText } from "./exact-decimal.ts";
import { isObject, type JsonObject, type ListJson } from "./json-text.ts";
import { IMAGES_SENT, type LitellmKey, litellmKey, NOT_MODELS } from "./litellm-keys.ts";
import type { Part, PriceLine } from "./price-table.ts";
import type { ReadList, ReadOptions } from "./published-list.ts";
import { TableReading } from "./table-reading.ts";

const TOKENS_PER_PRICE = 1_000_000n;
const SECONDS_PER_PRICE = 60n;
/** Modes in which a price for an image given is for an image made. */
const GENERATES: ReadonlySet<string> = new Set(["image_generation", "image_edit"]);
/** The mode in which a price for a second is for a second of sound. */
const HEARS = "audio_transcription";

/** Reads the models of the list. */
export function readLitellm(list: JsonObject, options: ReadOptions): ReadList {
  const providers = new Set<string>();
  const offers: Offer[] = [];
  for (const [model, fields] of Object.entries(list)) {
    if (NOT_MODELS.has(model)) continue;
    if (!isObject(fields)) {
      options.findings.add("not_understood", "model", "a model is an object of keys", model);
      continue;
    }
    const provider = typeof fields.litellm_provider === "string" ? fields.litellm_provider : "";
    if (provider) providers.add(provider);
    if (options.provider !== undefined && provider !== options.provider) continue;
    const missing = new Set<string>();
    const lines = new ModelReading(fields, new TableReading(model, options.findings, missing)).lines();
    offers.push({
      provider,
      model,
      names: [model],
      periods: lines.length > 0 ? [{ from: options.effectiveFrom, to: undefined, lines }] : [],
      source: options.sourceOf(...(typeof fields.source === "string" ? [fields.source] : [])),
      missing: [...missing],
    });
  }
  return { offers, providers };
}

/** A price in the list's own unit, about which other keys of the model decide. */
interface Waiting {
  readonly key: string;
  readonly value: Decimal;
}
type Side = "input" | "output";
type Inexpressible = Extract<LitellmKey, { readonly kind: "not_expressible" }>;

/** One model of the list while it is read. */
class ModelReading {
  readonly #fields: JsonObject;
  readonly #table: TableReading;
  readonly #seconds: Partial<Record<Side, Waiting>> = {};
  readonly #images: Partial<Record<Side, Waiting>> = {};

  constructor(fields: JsonObject, table: TableReading) {
    this.#fields = fields;
    this.#table = table;
  }

  lines(): PriceLine[] {
    for (const [key, value] of Object.entries(this.#fields)) this.#readKey(key, value);
    this.#priceSeconds();
    this.#priceImages();
    return this.#table.lines();
  }

  #readKey(key: string, value: ListJson): undefined {
    const meaning = litellmKey(key);
    switch (meaning.kind) {
      case "no_price":
        return;
      case "unknown":
        return this.#table.tell("not_understood", key, "an unknown key");
      case "ranges":
        return this.#readRanges(key, value);
      case "not_expressible":
        return this.#readInexpressible(key, value, meaning);
      default: {
        const decimal = this.#table.decimal(key, value);
        if (!decimal) return;
        if (meaning.kind === "token") this.#putTokens(key, meaning, decimal);
        else if (meaning.kind === "audio_second") this.#putAudio(key, meaning.above, decimal);
        else if (meaning.kind === "second") this.#seconds[meaning.side] = { key, value: decimal };
        else this.#images[meaning.side] = { key, value: decimal };
      }
    }
  }

  #putTokens(key: string, place: Omit<Extract<LitellmKey, { kind: "token" }>, "kind">, value: Decimal): undefined {
    this.#table.put(key, { ...place, kind: "perMillionTokens" }, multiplied(value, TOKENS_PER_PRICE));
  }

  #putAudio(key: string, above: number, value: Decimal): undefined {
    const place = { kind: "perAudioMinute", variant: "standard", part: "price", above } as const;
    this.#table.put(key, place, multiplied(value, SECONDS_PER_PRICE));
  }

  /** Ranges of prompt lengths, each with all of its prices; the last goes on without end. */
  #readRanges(key: string, value: ListJson): undefined {
    if (!Array.isArray(value)) return this.#table.tell("not_understood", key, "no list stands here");
    const starts: number[] = [];
    const parts = new Set<Part>();
    for (const range of value as readonly ListJson[]) {
      const above = isObject(range) ? startOf(range.range) : undefined;
      if (isObject(range) && above !== undefined) {
        starts.push(above);
        for (const part of this.#readRange(key, range, above)) parts.add(part);
      } else if (isObject(range) && range.max_results_range !== undefined) {
        this.#table.missCost(key, "results of searches are not metered");
      } else this.#table.tell("not_understood", key, "a range has no start");
    }
    // What one range states and another does not has no price there.
    for (const above of starts) {
      for (const part of parts) this.#table.end({ kind: "perMillionTokens", variant: "standard", part, above });
    }
  }

  /** The parts that the range states. */
  #readRange(key: string, range: JsonObject, above: number): Part[] {
    const parts: Part[] = [];
    for (const [name, value] of Object.entries(range)) {
      if (name === "range") continue;
      const path = `${key}.${name}`;
      const meaning = litellmKey(name);
      if (meaning.kind === "not_expressible") this.#readInexpressible(path, value, meaning, range);
      else if (meaning.kind === "token" && meaning.variant === "standard" && meaning.above === 0) {
        const decimal = this.#table.decimal(path, value);
        parts.push(meaning.part);
        if (decimal) this.#putTokens(path, { ...meaning, above }, decimal);
      } else this.#table.tell("not_understood", path, "an unknown key");
    }
    return parts;
  }

  /** `beside` is the range that the key stands in. */
  #readInexpressible(key: string, value: ListJson, { reason, within }: Inexpressible, beside?: JsonObject): undefined {
    if (value === null) return this.#table.tell("not_understood", key, "null stands here, and no price");
    const price = value instanceof NumberText ? decimalOf(value) : undefined;
    // What is not metered and costs nothing is not missing.
    if (!within && costsNothing(value)) return;
    if (!price || !within) return this.#table.missCost(key, reason);
    if (beside && isSame(beside[within === "output" ? "output_cost_per_token" : "input_cost_per_token"], value)) return;
    if (beside) return this.#table.missCost(key, reason);
    const perMillion = multiplied(price, TOKENS_PER_PRICE);
    if (perMillion) this.#table.within(key, within, perMillion, reason);
    else this.#table.missCost(key, reason);
  }

  /** A second is of sound where sound becomes text; there one of the two keys may repeat the other, or be 0. */
  #priceSeconds(): undefined {
    const stated = [this.#seconds.input, this.#seconds.output].filter((one) => one !== undefined);
    const costly = stated.filter(({ value }) => value.numerator > 0n);
    if (this.#fields.mode === HEARS) {
      for (const { key, value } of costly.length > 0 ? costly : stated) this.#putAudio(key, 0, value);
      return;
    }
    for (const { key } of costly) this.#table.missCost(key, "seconds of computing or of what is made are not metered");
  }

  #priceImages(): undefined {
    const { input, output } = this.#images;
    const generates = GENERATES.has(String(this.#fields.mode));
    const made = [output, ...(generates ? [input] : [])].filter((one) => one !== undefined);
    const chosen = made.find(({ value }) => value.numerator > 0n) ?? (generates ? made[0] : undefined);
    if (chosen) {
      const place = { kind: "perImage", variant: "standard", part: "price", above: 0 } as const;
      this.#table.put(chosen.key, place, multiplied(chosen.value, 1n));
    }
    if (input && input !== chosen && input.value.numerator > 0n) this.#table.missCost(input.key, IMAGES_SENT);
  }
}

/** The first token count of `[start, end]`. */
function startOf(range: ListJson | undefined): number | undefined {
  const [start] = Array.isArray(range) ? (range as readonly ListJson[]) : [];
  return start instanceof NumberText ? countOf(start) : undefined;
}

function isSame(a: ListJson | undefined, b: ListJson): boolean {
  return a instanceof NumberText && b instanceof NumberText && a.text === b.text;
}

function costsNothing(value: ListJson): boolean {
  if (value instanceof NumberText) return decimalOf(value)?.numerator === 0n;
  return isObject(value) && Object.values(value).every(costsNothing);
}
