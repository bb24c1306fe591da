/** The size of a model and the bucket of sizes that a price book prices it in. Pure. */

import type { UsageType } from "../domain/usage.ts";
import { rangeText } from "./describe.ts";
import { kindPrices } from "./match.ts";
import type { ModelSize, PriceBook, SizeRange } from "./price.ts";

/** Of a model whose size the book does not know, neither is known. */
export interface ModelBucket {
  readonly parameters: bigint | undefined;
  /** Such as "4B - 16B" or "MoE up to 56B"; "" when the book has no bucket for the size. */
  readonly bucket: string;
}

const UNKNOWN: ModelBucket = { parameters: undefined, bucket: "" };

/** The size of the model and the bucket that usage of this type falls in by size alone, whatever names the model. */
export function modelBucket(book: PriceBook, usageType: UsageType, model: string): ModelBucket {
  const size = book.models.get(model);
  if (!size) return UNKNOWN;
  for (const { kind, match } of book.entries) {
    if (!match.parameters || !kindPrices(kind, usageType) || !holds(match.parameters, size)) continue;
    if (match.usageType && !match.usageType.includes(usageType)) continue;
    if (match.architecture && !match.architecture.includes(size.architecture)) continue;
    const moe = match.architecture !== undefined && size.architecture === "moe";
    return { parameters: size.parameters, bucket: `${moe ? "MoE " : ""}${rangeText(match.parameters)}` };
  }
  return { parameters: size.parameters, bucket: "" };
}

function holds({ start, end }: SizeRange, { parameters }: ModelSize): boolean {
  return parameters >= start && (end === undefined || parameters < end);
}
