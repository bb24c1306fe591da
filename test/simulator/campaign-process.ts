/** One campaign of several that run at once, each in a process of its own: so each core has one. */

import { fork } from "node:child_process";
import { once } from "node:events";
import {
  add,
  type Campaign,
  type CampaignOptions,
  type FailedSeed,
  runCampaign,
  type WorldTotals,
} from "./campaign.ts";
import type { WorldName } from "./worlds.ts";

type Task = Omit<CampaignOptions, "onSeed">;
/** What was done so far, and what failed once it is over. */
type Message = Pick<Campaign, "totals"> & { readonly failed?: FailedSeed | undefined };

/** Further apart than the seeds that a process comes to. */
const SEEDS_APART = 100_000_000;

/** Runs as many campaigns at once, each with seeds of its own. The first failure ends all of them. */
export async function runCampaigns(options: CampaignOptions, processes: number): Promise<Campaign> {
  const parts = new Map<number, Campaign["totals"]>();
  let failed: FailedSeed | undefined;
  const children = Array.from({ length: processes }, (_, at) => {
    const child = fork(import.meta.filename, { serialization: "advanced" });
    const { ms, world } = options;
    child.send({
      ms,
      world,
      firstSeed: options.firstSeed + at * SEEDS_APART,
      past: options.past && at === 0,
    } satisfies Task);
    child.on("message", (message: Message) => {
      parts.set(at, message.totals);
      options.onSeed?.(together(parts.values()));
      if (!message.failed) return;
      failed ??= message.failed;
      for (const one of children) one.kill();
    });
    return child;
  });
  const ends = await Promise.all(children.map((child) => once(child, "exit")));
  if (!failed && ends.some(([code]) => code !== 0)) throw new Error("a process of the simulator ended early");
  return { totals: together(parts.values()), failed };
}

function together(parts: Iterable<Campaign["totals"]>): Campaign["totals"] {
  const all = new Map<WorldName, WorldTotals>();
  for (const totals of parts) for (const [world, own] of totals) add(all, world, own);
  return all;
}

function send(message: Message): Promise<void> {
  return new Promise((resolve) => process.send!(message, undefined, undefined, () => resolve()));
}

if (import.meta.main) {
  process.once("message", async (task: Task) => {
    const { totals, failed } = await runCampaign({ ...task, onSeed: (now) => void send({ totals: now }) });
    await send({ totals, failed });
    process.disconnect!();
  });
}
