/** All that the accounts remember of what they have read. */

import type { FoundKey } from "./keys.ts";
import type { PriceBookVersion } from "./price-books.ts";
import type { Deployment, DeploymentFacts, KeyFacts, Limits } from "./records.ts";
import { Remembered } from "./remembered.ts";
import type { Store } from "./tables.ts";
import { Watch } from "./watch.ts";

/** Keys, and as many deployments, whose facts are kept in memory. */
const REMEMBERED_MAX = 50_000;
/** Accounts whose keys' names, and whose deployments, are kept whole: each report asks for them. */
const WHOLE_ACCOUNTS_MAX = 100;

export class Memories {
  readonly keysByHash: Remembered<FoundKey>;
  readonly keyFacts: Remembered<KeyFacts>;
  readonly deploymentFacts: Remembered<DeploymentFacts>;
  readonly keyNames: Remembered<ReadonlyMap<string, string>>;
  readonly deployments: Remembered<readonly Deployment[]>;
  readonly limits: Remembered<Limits>;
  /** Never a put behind: each answer says by which prices it was made. */
  readonly priceBookVersions: Remembered<readonly PriceBookVersion[]>;

  constructor({ database, sharing }: Store) {
    const watch =
      sharing &&
      new Watch(
        () => sharing.changes(database),
        () => this.#forget(),
      );
    const fresh = watch && (() => watch.fresh());
    this.keysByHash = new Remembered(REMEMBERED_MAX, fresh);
    this.keyFacts = new Remembered(REMEMBERED_MAX, fresh);
    this.deploymentFacts = new Remembered(REMEMBERED_MAX, fresh);
    this.keyNames = new Remembered(WHOLE_ACCOUNTS_MAX, fresh);
    this.deployments = new Remembered(WHOLE_ACCOUNTS_MAX, fresh);
    this.limits = new Remembered(REMEMBERED_MAX, fresh);
    this.priceBookVersions = new Remembered(REMEMBERED_MAX, watch && (() => watch.exact()));
  }

  #forget(): void {
    const { keysByHash, keyFacts, deploymentFacts, keyNames, deployments, limits, priceBookVersions } = this;
    const all = [keysByHash, keyFacts, deploymentFacts, keyNames, deployments, limits, priceBookVersions];
    for (const memory of all) memory.forget();
  }
}
