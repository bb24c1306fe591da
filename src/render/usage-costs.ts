/** usageCosts on the wire (contract, section 4). Money is rounded here, each amount once from attodollars. */

import { moneyOfAtto } from "../domain/money.ts";
import { formatInstant } from "../domain/time.ts";
import type { CostDimension } from "../domain/usage-costs-query.ts";
import type { CostRow, UsageCosts } from "../report/usage-costs.ts";
import { unpricedQuantities } from "./unpriced.ts";

const WIRE_NAME: Readonly<Record<CostDimension, string>> = {
  HOUR: "startTime",
  DAY: "startTime",
  MODEL: "model",
  MODEL_TIER: "modelTier",
  USER: "user",
  API_KEY: "apiKeyId",
};

/** The response's body. */
export function usageCostsJson(costs: UsageCosts): object {
  const { dimensions, rows, total, evaluationTime, attribution, nextPageToken } = costs;
  return {
    rows: rows.map((row) => rowJson(row, dimensions)),
    subtotal: moneyOfAtto(total.listAtto),
    total: moneyOfAtto(total.atto),
    unpricedQuantities: unpricedQuantities(total.unpriced),
    ...(nextPageToken !== undefined && { nextPageToken }),
    evaluationTime: formatInstant(evaluationTime),
    attributionCompleteness: attribution,
  };
}

function rowJson({ values, atto, listAtto, unpriced }: CostRow, dimensions: readonly CostDimension[]): object {
  const missing = dimensions.filter((_, at) => values[at] === "");
  const unattributed = missing.filter((dimension) => dimension !== "MODEL");
  return {
    dimensions: {
      ...Object.fromEntries(dimensions.map((dimension, at) => [WIRE_NAME[dimension], values[at]])),
      ...(missing.includes("MODEL") && { unknownModel: true }),
      ...(unattributed.length > 0 && { unattributedDimensions: unattributed }),
    },
    subtotal: moneyOfAtto(listAtto),
    total: moneyOfAtto(atto),
    unpricedQuantities: unpricedQuantities(unpriced),
  };
}
