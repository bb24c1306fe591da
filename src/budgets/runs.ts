/**
 * Which of the processes that share budgets live. Each says so again and again; one that another has not heard of while
 * it spoke itself many times in a row is dead, and what it kept is given back. So nobody is held for dead because the
 * database was away, or because the one who judges was stopped.
 */

import type { Run } from "../accounts/book-rows.ts";
import type { Reservations } from "../accounts/reservations.ts";

const BEAT_MS = 5_000;
/** Beats of one's own in which another is not heard of: a minute. */
const SILENT_BEATS_MAX = 12;

interface Heard {
  readonly beat: number;
  silent: number;
}

export class Runs {
  readonly #reservations: Reservations;
  readonly #run: Run;
  readonly #beatMs: number;
  readonly #heard = new Map<string, Heard>();
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #isClosing = false;

  constructor(reservations: Reservations, run: Run, beatMs: number = BEAT_MS) {
    this.#reservations = reservations;
    this.#run = run;
    this.#beatMs = beatMs;
  }

  /** Says from now on that the run lives. */
  begin(): void {
    this.#beating ??= this.#next();
  }

  /** Ends the run, which keeps nothing any more. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (!this.#beating) return;
    clearTimeout(this.#timer);
    await this.#beating;
    await this.#reservations.forgetRun(this.#run.id, Number.MAX_SAFE_INTEGER).catch(() => {});
  }

  /** Gives back what earlier runs of the same spool kept: they have ended, for a folder has one process. */
  async endEarlier(): Promise<void> {
    await this.#end(await this.#reservations.earlierRuns(this.#run));
    await this.#reservations.settleEarlier(this.#run);
  }

  async #next(): Promise<void> {
    try {
      await this.#end(this.#silent(await this.#reservations.beat(this.#run)));
    } catch {
      // Who could not speak cannot say that others were silent. What was to be ended is found again.
      this.#heard.clear();
    }
    if (this.#isClosing) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#next();
    }, this.#beatMs);
    this.#timer.unref();
  }

  /** The runs that were silent for too long. */
  #silent(beats: ReadonlyMap<string, number>): string[] {
    for (const id of this.#heard.keys()) if (!beats.has(id)) this.#heard.delete(id);
    const dead: string[] = [];
    for (const [id, beat] of beats) {
      if (id === this.#run.id) continue;
      const heard = this.#heard.get(id);
      if (heard?.beat !== beat) this.#heard.set(id, { beat, silent: 0 });
      else {
        heard.silent += 1;
        if (heard.silent >= SILENT_BEATS_MAX) dead.push(id);
      }
    }
    return dead;
  }

  async #end(runs: readonly string[]): Promise<void> {
    await this.#reservations.releaseRuns(runs);
    for (const id of runs) await this.#reservations.forgetRun(id, this.#heard.get(id)?.beat ?? Number.MAX_SAFE_INTEGER);
  }
}
