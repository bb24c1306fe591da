/** Seed after seed until the time is over or one fails: first those that failed once, then new ones. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Failure, runSeed, shrink, stepsOf } from "./run-seed.ts";
import { type Counts, noCounts } from "./world.ts";
import { SHARES, WORLDS, type WorldName } from "./worlds.ts";

/** A seed that failed once, and what it found. */
interface PastSeed {
  readonly seed: number;
  readonly world: WorldName;
  readonly found: string;
}

/** What was done in one world. */
export interface WorldTotals extends Counts {
  seeds: number;
  /** Processor time, of all threads. */
  cpuMs: number;
  /** By the clock. */
  ms: number;
}

export interface FailedSeed {
  readonly seed: number;
  readonly world: WorldName;
  readonly failure: Failure;
  /** The fewest steps that were found to fail. */
  readonly steps: readonly number[];
}

export interface Campaign {
  readonly totals: ReadonlyMap<WorldName, WorldTotals>;
  readonly failed: FailedSeed | undefined;
}

export interface CampaignOptions {
  readonly ms: number;
  readonly firstSeed: number;
  /** Every seed in this world; else in all that have a share of the time. */
  readonly world?: WorldName | undefined;
  /** Whether the seeds that failed once are run first. */
  readonly past: boolean;
  readonly onSeed?: (totals: ReadonlyMap<WorldName, WorldTotals>) => void;
}

export const PAST_SEEDS = JSON.parse(
  readFileSync(join(import.meta.dirname, "seeds.json"), "utf8"),
) as readonly PastSeed[];

export async function runCampaign(options: CampaignOptions): Promise<Campaign> {
  const { ms, firstSeed, world, onSeed } = options;
  const until = Date.now() + ms;
  const totals = new Map<WorldName, WorldTotals>();
  const past = options.past
    ? PAST_SEEDS.filter((one) => (world === undefined ? one.world in SHARES : one.world === world))
    : [];
  for (let at = 0; at < past.length || Date.now() < until; at += 1) {
    const seed = past[at]?.seed ?? firstSeed + at - past.length;
    const name = past[at]?.world ?? world ?? nextWorld(totals);
    const [began, start] = [process.cpuUsage(), performance.now()];
    const steps = stepsOf(seed, WORLDS[name]);
    const run = await runSeed(seed, WORLDS[name], steps);
    const { user, system } = process.cpuUsage(began);
    add(totals, name, { ...run.counts, seeds: 1, cpuMs: (user + system) / 1_000, ms: performance.now() - start });
    onSeed?.(totals);
    if (run.failure) return { totals, failed: await failedSeed(seed, name, steps, run.failure) };
  }
  return { totals, failed: undefined };
}

/** The world that has had the least of its share. */
function nextWorld(totals: Campaign["totals"]): WorldName {
  const had = Object.entries(SHARES).map(([name, share]) => ({
    name: name as WorldName,
    part: (totals.get(name as WorldName)?.ms ?? 0) / share,
  }));
  return had.reduce((least, one) => (one.part < least.part ? one : least)).name;
}

/** Adds what was done in a world. */
export function add(totals: Map<WorldName, WorldTotals>, world: WorldName, done: WorldTotals): void {
  const own = totals.get(world) ?? { seeds: 0, cpuMs: 0, ms: 0, ...noCounts() };
  totals.set(world, own);
  for (const name of Object.keys(done) as (keyof WorldTotals)[]) own[name] += done[name];
}

/** The failure with the fewest steps, as it is told. */
export async function failedSeed(
  seed: number,
  world: WorldName,
  steps: readonly number[],
  failure: Failure,
): Promise<FailedSeed> {
  const done = steps.filter((step) => step <= failure.step);
  const fewest = await shrink(seed, WORLDS[world], done);
  const again = await runSeed(seed, WORLDS[world], fewest);
  // Where threads race, fewer steps may fail now and then only: the first failure stands.
  return again.failure ? { seed, world, failure: again.failure, steps: fewest } : { seed, world, failure, steps: done };
}

/** Seed, step, what was done, and the one command that does it again. */
export function failureText({ seed, world, failure, steps }: FailedSeed): string {
  return [
    `seed ${seed} of ${world} fails at step ${failure.step}`,
    ...failure.trace.map((line) => `  ${line}`),
    failure.message,
    `again: npm run simulate -- --seed ${seed} --engine ${world} --steps ${steps.join(",")}`,
  ].join("\n");
}
