/** Ctrl-C for commands that finish what they have begun. */

import { EXIT } from "./refusal.ts";

export interface StopWish {
  readonly signal: AbortSignal;
  /** Leaves signals to whoever comes after. */
  forget(): void;
}

/** Ctrl-C is a wish to end after what is being written; a second one ends the process at once. */
export function stopOnSignal(): StopWish {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, stop);
  return {
    signal: controller.signal,
    forget: () => {
      for (const signal of signals) process.off(signal, stop);
    },
  };
}
