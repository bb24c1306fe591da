/** Threads that are known to have started, and that are started anew when one of them died. */

import { channel } from "node:diagnostics_channel";
import type { Worker } from "node:worker_threads";
import { Piscina } from "piscina";
import { Fault, problem, unavailable } from "../domain/fault.ts";

/** A call was in a thread that died: what it did until then is done, and nobody knows how much that is. */
export class ThreadDied extends Fault {
  constructor(name: string) {
    super(problem("unavailable", "server", { reason: `a thread of the ${name} died`, seconds: 1 }), 1);
  }
}

export interface ThreadsOptions {
  /** What they are for, in the words of an operator: "ledger writer". */
  readonly name: string;
  /** The module that each of them runs. It exports `open`, which is called before anything else. */
  readonly file: URL;
  readonly count: number;
  /** Calls that one thread has at once. Default 1. */
  readonly callsAtOnce?: number;
  /** Calls that may wait. Default: any number. */
  readonly waitingMax?: number;
  readonly data?: unknown;
  /** Whether an idle thread sleeps until its next call, which begins sooner, and does nothing else meanwhile. */
  readonly sleeps?: boolean;
}

type TransferList = NonNullable<NonNullable<Parameters<Piscina["run"]>[1]>["transferList"]>;

/** A thread that ended by itself, told to whoever listens to {@link threadDeaths}. */
export interface ThreadDeath {
  readonly name: string;
  readonly reason: string;
}

/** Each {@link ThreadDeath}, by which the log is written. */
export const threadDeaths = channel("daybook.thread-death");

/** The threads of one life: when one of them dies the others are ended with it. */
interface Pool {
  readonly piscina: Piscina;
  /** Resolves when all have ended, their files closed. */
  readonly ended: Promise<unknown>;
  death: Error | undefined;
}

export class Threads {
  readonly #options: ThreadsOptions;
  readonly #running = new Set<Promise<unknown>>();
  #pool: Pool | undefined;
  #before: Promise<unknown> = Promise.resolve();
  #lastDeath: Error | undefined;
  #isEnding = false;
  #isCut = false;

  /** Begins to start them; {@link open} says whether they did. @throws Fault `threads_unstartable` */
  constructor(options: ThreadsOptions) {
    this.#options = options;
    this.#pool = this.#begin();
  }

  /**
   * Waits until each thread has started and opened what it works on.
   * @returns what their `open` gave.
   * @throws Fault `threads_unstartable`; then, and when `open` throws, they are ended.
   */
  async open<T>(): Promise<T[]> {
    const { count, name } = this.#options;
    // One that died before is not started again and again.
    const opening = this.#lastDeath ? [] : Array.from({ length: count }, () => this.run<T>(undefined, "open"));
    const opened = await Promise.allSettled(opening);
    const failed = opened.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
    if (this.#lastDeath || failed) await this.end();
    if (this.#lastDeath) throw unstartable(name, this.#lastDeath);
    if (failed) throw failed.reason;
    return opened.map((one) => (one as PromiseFulfilledResult<T>).value);
  }

  /** Calls that wait for a thread. */
  get waiting(): number {
    return this.#pool?.piscina.queueSize ?? 0;
  }

  /**
   * Calls a function of the module; the default one when none is named.
   * @throws ThreadDied when its thread, or one beside it, died; Fault `unavailable` when none can be started; whatever the function throws.
   */
  async run<T>(task: unknown, name = "default", transferList: readonly unknown[] = []): Promise<T> {
    if (this.#isEnding) throw ending();
    const running = this.#call<T>(task, name, transferList);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #call<T>(task: unknown, name: string, transferList: readonly unknown[]): Promise<T> {
    const pool = this.#pool ?? (await this.#startedAnew());
    try {
      return await pool.piscina.run(task, { name, transferList: transferList as TransferList });
    } catch (error) {
      if (pool.death) throw new ThreadDied(this.#options.name);
      throw this.#isCut ? ending() : error;
    }
  }

  /** Finishes what was called and ends the threads. */
  async close(): Promise<void> {
    this.#isEnding = true;
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
    await this.end();
  }

  /** Ends the threads, in the middle of their work too. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#isCut = true;
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.piscina.destroy();
    await this.#before;
  }

  async #startedAnew(): Promise<Pool> {
    // A file that a dead thread held is closed with its last breath.
    await this.#before;
    if (this.#isCut) throw ending();
    try {
      this.#pool ??= this.#begin();
    } catch (error) {
      throw error instanceof Fault ? unavailable(error.message) : error;
    }
    return this.#pool;
  }

  #begin(): Pool {
    const { name, file, count, callsAtOnce = 1, waitingMax = Number.POSITIVE_INFINITY } = this.#options;
    const { data, sleeps = false } = this.#options;
    let piscina: Piscina;
    try {
      piscina = new Piscina({
        filename: file.href,
        minThreads: count,
        maxThreads: count,
        concurrentTasksPerWorker: callsAtOnce,
        maxQueue: waitingMax,
        workerData: data,
        atomics: sleeps ? "sync" : "disabled",
        recordTiming: false,
      });
    } catch (error) {
      throw unstartable(name, error as Error);
    }
    // The deaths are watched below, thread by thread.
    piscina.on("error", () => {});
    const workers = piscina.threads;
    const exits = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
    const pool: Pool = { piscina, ended: Promise.all(exits), death: undefined };
    for (const worker of workers) this.#watch(worker, pool);
    return pool;
  }

  /** Before the pool itself, which would start a single thread anew, and end the process where that fails. */
  #watch(worker: Worker, pool: Pool): void {
    worker.prependOnceListener("error", (error: unknown) => this.#died(pool, error as Error));
    worker.prependOnceListener("exit", (code) => this.#died(pool, new Error(`it ended with code ${code}`)));
  }

  #died(pool: Pool, death: Error): void {
    if (pool.death || this.#pool !== pool) return;
    pool.death = death;
    this.#lastDeath = death;
    this.#pool = undefined;
    this.#before = pool.ended;
    pool.piscina.destroy().catch(() => {});
    threadDeaths.publish({ name: this.#options.name, reason: death.message } satisfies ThreadDeath);
  }
}

function ending(): Fault {
  return unavailable("it is shutting down");
}

function unstartable(name: string, { message }: Error): Fault {
  return new Fault(problem("threads_unstartable", "threads", { name, reason: message.split("\n")[0] }));
}
