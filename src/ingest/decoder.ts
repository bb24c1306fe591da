/** Decodes in threads of their own, so that the event loop stays free for other callers. */

import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { isMarkedAsUntransferable } from "node:worker_threads";
import { orFault, overloaded, unavailable } from "../domain/fault.ts";
import { Threads } from "../threads/threads.ts";
import { isIdentity } from "./body.ts";
import { type Decoded, type DecodeOptions, decode } from "./decode.ts";
import type { DecodeAnswer, DecodeTask } from "./decoder-thread.ts";
import { handOver, unpack } from "./packed.ts";

/**
 * Up to this many plain bytes, decoding takes the caller's thread less time than handing the body over and taking the
 * answer back. Measured with events of 335 bytes: 180 us against 230 us at 33 KB, 350 us against 275 us at 67 KB.
 */
export const DECODE_HERE_BYTES_MAX = 48 * 1024;

/** Calls that may be in threads or wait for one. */
const DECODE_CALLS_PENDING_MAX = 256;

/** Bytes, as sent, of all bodies that may be in threads or wait for one: some 2 s of one thread's work. */
export const DECODE_BYTES_PENDING_MAX = 64 * 1024 * 1024;

export interface DecoderOptions {
  /** Threads, 1 or more; one less than the machine's cores when left out. Each decodes one body at a time. */
  readonly threads?: number;
}

export class Decoder {
  readonly #threads: Threads;
  #callsPending = 0;
  #bytesPending = 0;
  #closing = false;

  private constructor({ threads = Math.max(1, availableParallelism() - 1) }: DecoderOptions) {
    this.#threads = new Threads({
      name: "decoder",
      file: new URL(`./decoder-thread${extname(import.meta.filename)}`, import.meta.url),
      count: threads,
      waitingMax: DECODE_CALLS_PENDING_MAX,
      sleeps: true,
    });
  }

  /** Resolves when its threads have started. @throws Fault `threads_unstartable` */
  static async open(options: DecoderOptions = {}): Promise<Decoder> {
    const decoder = new Decoder(options);
    await decoder.#threads.open();
    return decoder;
  }

  /**
   * Decodes a body as {@link decode} does. A larger one is given away: its memory may belong to another thread after
   * the call, unless the call was refused as overloaded.
   * @throws Fault as decode does; `overloaded` before any work when too much is waiting; `unavailable` after close(), and where a
   * thread died in the middle.
   */
  async decode(body: Uint8Array, options: DecodeOptions): Promise<Decoded> {
    if (this.#closing) throw unavailable("it is shutting down");
    if (body.byteLength <= DECODE_HERE_BYTES_MAX && isIdentity(options.contentEncoding)) return decode(body, options);
    const bytes = body.byteLength;
    if (this.#callsPending >= DECODE_CALLS_PENDING_MAX || this.#bytesPending + bytes > DECODE_BYTES_PENDING_MAX) {
      throw overloaded();
    }
    this.#callsPending += 1;
    this.#bytesPending += bytes;
    try {
      const own = ownMemory(body);
      const task: DecodeTask = { body: own, options };
      return unpack(orFault(await this.#threads.run<DecodeAnswer>(handOver(task, [own.buffer]))));
    } finally {
      this.#callsPending -= 1;
      this.#bytesPending -= bytes;
    }
  }

  /** Finishes what was accepted and ends the threads. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#threads.close();
  }
}

/** The bytes in memory that holds nothing else and can be handed over; a copy when they lie in a shared pool. */
function ownMemory(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = body;
  const whole = buffer instanceof ArrayBuffer && buffer.byteLength === body.byteLength;
  if (whole && !isMarkedAsUntransferable(buffer)) return body as Uint8Array<ArrayBuffer>;
  return new Uint8Array(body);
}
