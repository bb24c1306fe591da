/** What the gateway needs of the server that it is part of. */

import type { Registry } from "prom-client";

/** Log lines: of one call, or of the gateway. */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export interface Surroundings {
  readonly registry: Registry;
  readonly droppedAnnotations: { inc(count: number): void };
  readonly log: Log;
}
