/**
 * Memory that large answers are written into, used again once an answer was sent: fresh memory of megabytes costs the
 * system a fault a page, each time.
 */

/** A larger answer has memory of its own, that is not kept. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;

export class AnswerBuffers {
  readonly #kept: Buffer[] = [];
  readonly #keptMax: number;

  constructor(keptMax: number) {
    this.#keptMax = keptMax;
  }

  /** Undefined where none is kept. Who takes one has it alone until it is given back. */
  take(): Buffer | undefined {
    return this.#kept.pop();
  }

  /** Keeps the memory of an answer that nobody reads any more; it may be written over at once. */
  give(answer: Buffer): void {
    const { buffer } = answer;
    if (this.#kept.length < this.#keptMax && buffer.byteLength <= BUFFER_BYTES_MAX)
      this.#kept.push(Buffer.from(buffer));
  }
}
