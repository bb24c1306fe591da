/** What no price covers, as the wire tells it: it is in no cost, and never left out. */

import type { UsageRow } from "../report/usage-rows.ts";

/** Milliseconds as seconds, exactly, without needless zeros: 1500n is "1.5". */
export function secondsText(ms: bigint): string {
  if (ms === 0n) return "0";
  const fraction = (ms % 1000n).toString().padStart(3, "0").replace(/0+$/, "");
  return fraction === "" ? `${ms / 1000n}` : `${ms / 1000n}.${fraction}`;
}

type Component = UsageRow["unpriced"] extends ReadonlyMap<infer Name, bigint> ? Name : never;

/** How each component is called on the wire, in the order they are told. */
const WIRE_NAMES: Readonly<Record<Component, string>> = {
  uncachedPromptTokens: "uncachedPromptTokens",
  cachedPromptTokens: "cachedPromptTokens",
  completionTokens: "completionTokens",
  audioInputMs: "audioInputSeconds",
  imageCount: "imageCount",
  acceleratorMs: "acceleratorSeconds",
  tokens: "tokens",
};

/** The same in order. */
export const UNPRICED_NAMES = Object.entries(WIRE_NAMES) as readonly (readonly [Component, string])[];

/** Whether a component's quantity is in milliseconds, and told in seconds. */
export function isTime(component: Component): boolean {
  return component === "audioInputMs" || component === "acceleratorMs";
}

/**
 * Each component that no price covers: tokens and images as whole numbers, time in seconds. The order is always the same:
 * that of the map would tell in which order a ledger gave its sums.
 */
export function unpricedQuantities(unpriced: UsageRow["unpriced"]): { quantity: string; amount: string }[] {
  return UNPRICED_NAMES.flatMap(([component, quantity]) => {
    const amount = unpriced.get(component);
    if (amount === undefined) return [];
    return [{ quantity, amount: isTime(component) ? secondsText(amount) : amount.toString() }];
  });
}
