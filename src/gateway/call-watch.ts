/** Watches over one call: its client may go, and the gateway may end. */

import type { ServerResponse } from "node:http";
import type { Ending } from "./usage-event.ts";

export interface WatchOptions {
  /** What is done when the client hangs up. */
  readonly onClientGone: "finish" | "cancel";
}

export class CallWatch {
  /** Ends the call to the upstream. */
  readonly #abort = new AbortController();
  readonly #client: ServerResponse;
  readonly #onClose: () => void;
  #finishMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped: Exclude<Ending, "whole"> | undefined;

  constructor(client: ServerResponse, { onClientGone }: WatchOptions) {
    this.#client = client;
    this.#onClose = () => {
      if (client.writableFinished) return;
      // Before the upstream was called there is nothing to finish.
      if (onClientGone === "cancel" || this.#finishMs === undefined) this.stop("client_gone");
      else this.#timer = setTimeout(() => this.stop("client_gone"), this.#finishMs);
    };
    client.once("close", this.#onClose);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Why the call was ended before its time; undefined while it was not. */
  get stopped(): Exclude<Ending, "whole"> | undefined {
    return this.#stopped;
  }

  /** From now on the upstream works for this call. @param finishMs how long it may do so for a client that is gone. */
  begins(finishMs: number): void {
    this.#finishMs = finishMs;
  }

  stop(reason: Exclude<Ending, "whole">): void {
    if (this.#stopped) return;
    this.#stopped = reason;
    this.#abort.abort();
  }

  /** The call is over. */
  end(): void {
    clearTimeout(this.#timer);
    this.#client.off("close", this.#onClose);
  }
}
