/** Sees what other processes wrote, so that what is remembered is never older than it may be. */

/** What was remembered is right if nothing was written so long ago or earlier. Milliseconds. */
export const FRESH_MS = 500;

export class Watch {
  readonly #changes: () => Promise<number>;
  readonly #forget: () => void;
  /** The changes when it was asked last. */
  #known: number | undefined;
  /** When that question was put, in `performance.now()`. */
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /**
   * @param changes Reads the count of changes that were committed.
   * @param forget Drops all that is remembered.
   */
  constructor(changes: () => Promise<number>, forget: () => void) {
    this.#changes = changes;
    this.#forget = forget;
  }

  /**
   * When it resolves, nothing that was written more than {@link FRESH_MS} ago is missing from what is remembered: at
   * most one question in that time, however many ask.
   * @throws Fault `unavailable`.
   */
  async fresh(): Promise<void> {
    if (performance.now() - this.#askedAt < FRESH_MS) return;
    await (this.#asking ?? this.#ask());
  }

  /** When it resolves, nothing that was written before the call is missing. @throws Fault `unavailable`. */
  exact(): Promise<void> {
    if (!this.#asking) return this.#ask();
    // The question under way may have been answered already. All who come meanwhile share the one after it.
    this.#next ??= this.#asking
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#ask();
      });
    return this.#next;
  }

  #ask(): Promise<void> {
    const asking = this.#compare().finally(() => {
      if (this.#asking === asking) this.#asking = undefined;
    });
    this.#asking = asking;
    return asking;
  }

  async #compare(): Promise<void> {
    const askedAt = performance.now();
    const changes = await this.#changes();
    // Unequal, not more: a database that was restored counts from where it was.
    if (changes !== this.#known) this.#forget();
    this.#known = changes;
    this.#askedAt = Math.max(this.#askedAt, askedAt);
  }
}
