/** What the readers of the published lists share. */

import type { Instant } from "../../domain/time.ts";
import type { Offer } from "./book-text.ts";
import type { Findings } from "./report.ts";

export interface ReadOptions {
  readonly effectiveFrom: Instant;
  /** Only this provider's models. */
  readonly provider: string | undefined;
  readonly findings: Findings;
  /** The text of an entry's source, with what the list itself names as its source. */
  readonly sourceOf: (...details: readonly string[]) => string;
}

export interface ReadList {
  readonly offers: readonly Offer[];
  /** Every provider that the list names. */
  readonly providers: ReadonlySet<string>;
}
