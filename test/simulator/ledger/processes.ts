/**
 * Processes on one ClickHouse, for the simulator: ledgers that know nothing of each other, each with a way of its own to
 * an engine that is real and can be killed. A process that ends forgets all; what the engine took stays.
 */

import { ClickHouseLedger } from "../../../src/ledger/clickhouse/ledger.ts";
import { verifyJournal } from "../../../src/ledger/clickhouse/verify.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { type MortalEngine, mortal } from "../../clickhouse/over-http.ts";
import { type Trouble, Way } from "../../clickhouse/way.ts";
import type { Random } from "../random.ts";

const PROCESSES = 2;

interface Process {
  readonly ledger: Ledger;
  readonly way: Way;
}

export class Processes {
  readonly #engine: MortalEngine;
  #running: Process[] = [];
  /** Those that were killed: their last calls fail in their own time. */
  readonly #gone: Process[] = [];

  private constructor(engine: MortalEngine) {
    this.#engine = engine;
  }

  static async begin(): Promise<Processes> {
    const processes = new Processes(await mortal());
    for (let at = 0; at < PROCESSES; at += 1) processes.#running.push(await processes.#start());
    return processes;
  }

  async #start(): Promise<Process> {
    const way = await Way.open(String(this.#engine.connection.url));
    return { way, ledger: await ClickHouseLedger.open({ url: way.url }) };
  }

  pick(random: Random): Ledger {
    return random.pick(this.#running).ledger;
  }

  /** Ends one as an operator does, and starts it again. */
  async restart(random: Random): Promise<void> {
    const at = random.int(0, this.#running.length - 1);
    const { ledger, way } = this.#running[at]!;
    await ledger.close();
    await way.close();
    this.#running[at] = await this.#start();
  }

  /** Of the next inserts some are lost, cut or late; says what. */
  trouble(random: Random): string {
    return this.#running
      .map(({ way }) => {
        const troubles = random.times(0, 3, () => random.pick<Trouble>(["lose", "lose", "cut", "late"]));
        for (const trouble of troubles) way.troubleNext(trouble, random.pick([0, 0, 1, 5]));
        return troubles.join("+") || "none";
      })
      .join(" | ");
  }

  /** No more trouble; what was late arrives, and all that arrived is done. */
  async calm(): Promise<void> {
    for (const { way } of [...this.#running, ...this.#gone]) {
      way.calm();
      await way.deliver();
      await way.settled();
    }
  }

  /**
   * One of them is killed after so many statements of its own. `ended` resolves when it is dead: its calls are not
   * answered any more, and what it sent last may reach the engine at {@link calm}.
   */
  kill(random: Random): { readonly ledger: Ledger; readonly ended: Promise<void>; readonly end: () => void } {
    const [process] = this.#running.splice(random.int(0, this.#running.length - 1), 1) as [Process];
    this.#gone.push(process);
    process.way.endAfter(random.int(1, 8), random.pick<Trouble>(["lose", "cut", "late"]));
    return { ledger: process.ledger, ended: process.way.ended, end: () => process.way.end() };
  }

  /** As many as there were at the beginning. */
  async replace(): Promise<void> {
    while (this.#running.length < PROCESSES) this.#running.push(await this.#start());
  }

  /** `kill -9` of the engine after so many milliseconds, and its start on what it had. */
  async killEngine(): Promise<void> {
    await this.#engine.kill();
    await this.#engine.revive();
  }

  async verify(): Promise<readonly unknown[]> {
    return (await verifyJournal(this.#engine.connection)).differences;
  }

  async close(): Promise<void> {
    for (const { way } of this.#running) way.calm();
    await Promise.all(
      [...this.#running, ...this.#gone].map(async ({ ledger, way }) => {
        await ledger.close();
        await way.close();
      }),
    );
    await this.#engine.close();
  }
}
