/** One model's prices while they are read: what fits goes into its table, and all else is told. Pure. */

import type { Decimal } from "../../domain/money.ts";
import { attoOf, isBeyond, isLost, UNIT_USD_MAX } from "../unit-price.ts";
import { decimalOf, isEqual, NumberText } from "./exact-decimal.ts";
import type { ListJson } from "./json-text.ts";
import {
  type ImportKind,
  linesOf,
  type Part,
  type PriceLine,
  PriceTable,
  unitsPer,
  type Variant,
} from "./price-table.ts";
import type { FindingKind, Findings } from "./report.ts";

/** Where a price belongs. `above` is 0 for prompts of any length. */
export interface Place {
  readonly kind: ImportKind;
  readonly variant: Variant;
  readonly part: Part;
  readonly above: number;
}

const TOO_LONG = "it has more than 30 digits on a side of the point";
const LOST = "it is below one attodollar (1e-18 USD) a unit";
const BEYOND = `it is above $${UNIT_USD_MAX} a token, millisecond or image`;
const UNKNOWN_LIMIT = "usage is not classed by this length; prompts of the class that it cuts have no price";
const ZERO_ONLY = "a price of 0 beside one that is not expressible would make usage free; it is left out";

export class TableReading {
  readonly #model: string;
  readonly #findings: Findings;
  readonly #missing: Set<string>;
  readonly #table = new PriceTable();
  readonly #keyOf = new Map<string, string>();
  readonly #limits = new Set<number>();
  readonly #within: { readonly key: string; readonly price: Decimal; readonly part: Part; readonly reason: string }[] =
    [];
  #costsMore = false;

  /** `missing` gathers the keys that the book does not hold. */
  constructor(model: string, findings: Findings, missing: Set<string>) {
    this.#model = model;
    this.#findings = findings;
    this.#missing = missing;
  }

  /** The number at a key; undefined, and told, when it is no price. */
  decimal(key: string, value: ListJson | undefined): Decimal | undefined {
    if (value === null) return this.tell("not_understood", key, "null stands here, and no price");
    if (!(value instanceof NumberText)) return this.tell("not_understood", key, "no number stands here");
    const decimal = decimalOf(value);
    if (!decimal) return this.miss(key, TOO_LONG);
    return decimal.numerator < 0n ? this.miss(key, "it is negative") : decimal;
  }

  /** Puts a price in the book's own unit; undefined where it got too long for a book. */
  put(key: string, place: Place, price: Decimal | undefined): undefined {
    if (!price) return this.miss(key, TOO_LONG);
    const unit = { price, per: unitsPer(place.kind), multipliers: [] };
    if (isLost(unit)) return this.miss(key, LOST);
    if (isBeyond(attoOf(unit))) return this.miss(key, BEYOND);
    const { kind, variant, part, above } = place;
    const name = JSON.stringify(place);
    const before = this.#keyOf.get(name);
    if (before === undefined) {
      this.#keyOf.set(name, key);
      this.#table.put(kind, variant, part, above, price);
      return;
    }
    const steps = this.#table.steps(kind, variant, part)!;
    const known = above === 0 ? steps.base! : steps.above.get(above)!;
    if (!isEqual(known, price)) this.tell("conflict", key, `it says other than ${before}, which stands`);
  }

  /** Notes that a part has no price for prompts of more tokens than `above`, where none was put. */
  end({ kind, variant, part, above }: Place): void {
    const steps = this.#table.steps(kind, variant, part);
    if (above > 0 && !steps?.above.has(above)) this.#table.put(kind, variant, part, above, undefined);
  }

  /** Notes a price of units that a book counts among others; it is held where it is the price of those. */
  within(key: string, part: Part, price: Decimal, reason: string): undefined {
    this.#within.push({ key, price, part, reason });
  }

  /** Notes a price that the book does not hold. */
  miss(key: string, reason: string): undefined {
    this.#missing.add(key);
    return this.tell("not_expressible", key, reason);
  }

  /** Notes a price above 0 that the book does not hold, for something that is not metered. */
  missCost(key: string, reason: string): undefined {
    this.#costsMore = true;
    this.miss(key, reason);
  }

  tell(kind: FindingKind, key: string, reason: string): undefined {
    this.#findings.add(kind, key, reason, this.#model);
    return undefined;
  }

  /** What the book says, when all keys are read. */
  lines(): PriceLine[] {
    for (const { key, price, part, reason } of this.#within) {
      const around = this.#table.steps("perMillionTokens", "standard", part);
      const same = around?.base && around.above.size === 0 && isEqual(around.base, price);
      if (same) continue;
      if (price.numerator > 0n) this.missCost(key, reason);
      else this.miss(key, reason);
    }
    if (this.#isZeroOnly()) {
      this.miss("prices of 0", ZERO_ONLY);
      return [];
    }
    return linesOf(this.#table, (limit, taken) => this.#tellLimit(limit, taken));
  }

  /** Zeros beside a price that no book holds say that usage is paid for otherwise, and not that it is free. */
  #isZeroOnly(): boolean {
    const prices = this.#table.prices();
    return this.#costsMore && prices.length > 0 && prices.every((price) => price.numerator === 0n);
  }

  #tellLimit(limit: number, taken: number | undefined): undefined {
    if (this.#limits.has(limit)) return;
    this.#limits.add(limit);
    const key = `above ${limit} tokens`;
    if (taken === undefined) this.miss(key, UNKNOWN_LIMIT);
    else this.tell("approximated", key, `taken as above ${taken} tokens`);
  }
}
