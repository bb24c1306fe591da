/** One seed from its first step to its last, and, when it fails, the fewest of its steps that still fail. */

import { createHash } from "node:crypto";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { partSeed, Random } from "./random.ts";
import { type Counts, noCounts, type World, type WorldKind } from "./world.ts";

export interface Failure {
  /** The number of the step; the number of steps when the end did not add up. */
  readonly step: number;
  readonly message: string;
  /** What was done, one line each. */
  readonly trace: readonly string[];
}

export interface SeedRun {
  readonly counts: Counts;
  readonly failure: Failure | undefined;
  /** Of all that was done: equal for equal runs. */
  readonly digest: string;
}

/** Memory that looks like a disk where there is any: a power cut is made from what was written, not by cutting power. */
const MEMORY_FOLDER = "/dev/shm";

function scratchFolder(): string {
  try {
    accessSync(MEMORY_FOLDER, constants.W_OK);
    return mkdtempSync(join(MEMORY_FOLDER, "daybook-simulator-"));
  } catch {
    return mkdtempSync(join(tmpdir(), "daybook-simulator-"));
  }
}

const PART_OF_WORLD = -1;
const PART_OF_LENGTH = -2;

/** The steps of a seed; many short lives and some long ones. */
export function stepsOf(seed: number, kind: WorldKind): number[] {
  const random = new Random(partSeed(seed, PART_OF_LENGTH));
  const count = random.int(1, random.pick([kind.stepsMax / 8, kind.stepsMax / 2, kind.stepsMax].map(Math.ceil)));
  return Array.from({ length: count }, (_, at) => at);
}

/** Runs these steps of the seed. Each step has chance of its own, so leaving one out leaves the others what they are. */
export async function runSeed(seed: number, kind: WorldKind, steps: readonly number[]): Promise<SeedRun> {
  const counts = noCounts();
  const trace: string[] = [];
  const folder = scratchFolder();
  let world: World | undefined;
  let step = -1;
  let failure: Failure | undefined;
  try {
    const note = (line: string): void => void trace.push(`${step}: ${line}`);
    world = await kind.open({ folder, random: new Random(partSeed(seed, PART_OF_WORLD)), counts, note });
    for (step of steps) {
      counts.steps += 1;
      await world.step(new Random(partSeed(seed, step)));
    }
    step = (steps.at(-1) ?? -1) + 1;
    await world.finish();
  } catch (error) {
    failure = { step, message: error instanceof Error ? (error.stack ?? error.message) : String(error), trace };
  } finally {
    // What failed may not close either, and what it says then is no news.
    await world?.close().catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  }
  return { counts, failure, digest: createHash("sha256").update(trace.join("\n")).digest("hex") };
}

/** How long steps are tried without. */
const SHRINK_MS_MAX = 20_000;

/** The fewest of failing steps that were found to fail still, by leaving out ever smaller runs of them. */
export async function shrink(seed: number, kind: WorldKind, failing: readonly number[]): Promise<readonly number[]> {
  const until = Date.now() + SHRINK_MS_MAX;
  let steps = failing;
  const fails = async (some: readonly number[]): Promise<boolean> =>
    (await runSeed(seed, kind, some)).failure !== undefined;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = steps.length - size; at > -size; at -= size) {
      if (Date.now() > until) return steps;
      const fewer = steps.filter((_, place) => place < at || place >= at + size);
      if (fewer.length < steps.length && (await fails(fewer))) steps = fewer;
    }
  }
  return steps;
}
