/** What the simulator runs: a world of real code beside its oracle, changed and questioned step by step. */

import type { Random } from "./random.ts";

/** What was done, for the figures. */
export interface Counts {
  steps: number;
  events: number;
  questions: number;
  restarts: number;
  crashes: number;
}

export function noCounts(): Counts {
  return { steps: 0, events: 0, questions: 0, restarts: 0, crashes: 0 };
}

export interface World {
  /** Does one thing, and holds what came back against the oracle. @throws whatever is wrong. */
  step(random: Random): Promise<void>;
  /** Holds everything against the oracle. @throws whatever is wrong. */
  finish(): Promise<void>;
  /** Lets go of files and threads, whatever happened. */
  close(): Promise<void>;
}

/** What a world is told. */
export interface WorldOptions {
  /** An empty folder of its own. */
  readonly folder: string;
  /** Chance for what holds all along. */
  readonly random: Random;
  readonly counts: Counts;
  /** Takes one line for each thing done. */
  readonly note: (line: string) => void;
}

export interface WorldKind {
  readonly name: string;
  /** The most steps of one seed. */
  readonly stepsMax: number;
  open(options: WorldOptions): Promise<World>;
}
