/** What no price covers, as the wire tells it: it is in no cost, and never left out. */

import type { UsageRow } from "../report/billing-usage.ts";

/** Milliseconds as seconds, exactly, without needless zeros: 1500n is "1.5". */
export function secondsText(ms: bigint): string {
  if (ms === 0n) return "0";
  const fraction = (ms % 1000n).toString().padStart(3, "0").replace(/0+$/, "");
  return fraction === "" ? `${ms / 1000n}` : `${ms / 1000n}.${fraction}`;
}

/** Each component that no price covers: tokens and images as whole numbers, time in seconds. */
export function unpricedQuantities(unpriced: UsageRow["unpriced"]): { quantity: string; amount: string }[] {
  return [...unpriced].map(([component, quantity]) => {
    if (component === "audioInputMs") return { quantity: "audioInputSeconds", amount: secondsText(quantity) };
    if (component === "acceleratorMs") return { quantity: "acceleratorSeconds", amount: secondsText(quantity) };
    return { quantity: component, amount: quantity.toString() };
  });
}
