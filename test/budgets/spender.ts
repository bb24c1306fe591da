/** A {@link spending-process} as its starter sees it. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { LedgerOwner } from "./ledger-owner.ts";
import type { Orders, Start } from "./spending-process.ts";

const living = new Set<ChildProcess>();

export class Spender {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #ordered = 0;
  /** Ids of usage that is counted and on disk, as the process told them. */
  readonly paid: string[] = [];
  readonly ended: Promise<unknown>;
  hasEnded = false;

  private constructor(ledger: LedgerOwner) {
    const path = join(import.meta.dirname, "spending-process.ts");
    this.#child = fork(path, { serialization: "advanced", execArgv: [] });
    living.add(this.#child);
    this.ended = once(this.#child, "exit").then(() => {
      living.delete(this.#child);
      this.hasEnded = true;
      for (const { reject } of this.#waiting.values()) reject(new Error("the process has ended"));
    });
    this.#child.on("message", (message: Heard) => this.#hear(message, ledger));
  }

  static async start(ledger: LedgerOwner, start: Start): Promise<Spender> {
    const spender = new Spender(ledger);
    await spender.#send({ kind: "start", start });
    return spender;
  }

  static killAll(): void {
    for (const child of living) child.kill("SIGKILL");
  }

  /** @throws Error when the process ends before its answer. */
  order<O extends keyof Orders>(order: O, ...args: Parameters<Orders[O]>): ReturnType<Orders[O]> {
    return this.#send({ kind: "order", order, args }) as ReturnType<Orders[O]>;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  #send(message: object): Promise<unknown> {
    this.#ordered += 1;
    const id = this.#ordered;
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) return reject(new Error("the process has ended"));
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ ...message, id }, () => {});
    });
  }

  async #hear(message: Heard, ledger: LedgerOwner): Promise<void> {
    if (message.kind === "paid") return void this.paid.push(message.event);
    if (message.kind === "answer") {
      const { resolve, reject } = this.#waiting.get(message.id)!;
      this.#waiting.delete(message.id);
      return message.error === undefined ? resolve(message.value) : reject(new Error(message.error));
    }
    const method = ledger[message.method] as (...args: readonly unknown[]) => Promise<unknown>;
    const answer = await method.apply(ledger, [...message.args]).then(
      (value) => ({ value }),
      (error: Error) => ({ error: error.message }),
    );
    if (this.#child.connected) this.#child.send({ kind: "answer", id: message.id, ...answer }, () => {});
  }
}

type Heard =
  | { readonly kind: "paid"; readonly event: string }
  | { readonly kind: "answer"; readonly id: number; readonly value?: unknown; readonly error?: string }
  | {
      readonly kind: "ask";
      readonly id: number;
      readonly method: "spent" | "write" | "hasEvent";
      readonly args: readonly unknown[];
    };
