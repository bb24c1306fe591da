/** Reads request bodies into memory, each up to a bound and all together up to another. */

import type { Readable } from "node:stream";
import { Fault, overloaded, problem } from "../domain/fault.ts";

/** A body that must be seen before it is sent on. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** All bodies in memory at a time. */
const BODIES_BYTES_MAX = 512 * 1024 * 1024;

export class BodyRoom {
  #bytes = 0;

  /** @throws Fault `overloaded` */
  take(bytes: number): void {
    if (this.#bytes + bytes > BODIES_BYTES_MAX) {
      throw overloaded();
    }
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** What was read of a body; {@link KeptBody.release} gives the room back. */
export class KeptBody {
  readonly #room: BodyRoom;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(room: BodyRoom) {
    this.#room = room;
  }

  /** @throws Fault `body_too_large` or `overloaded` */
  add(chunk: Buffer): void {
    if (this.#bytes + chunk.length > BODY_BYTES_MAX) throw tooLarge();
    this.#room.take(chunk.length);
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** All that was read, in one piece. */
  whole(): Buffer {
    const [first = Buffer.alloc(0), ...others] = this.#chunks;
    const whole = others.length === 0 ? first : Buffer.concat(this.#chunks);
    this.#chunks = [whole];
    return whole;
  }

  /** Gives the room back; may be called again. */
  release(): void {
    this.#room.give(this.#bytes);
    this.#bytes = 0;
    this.#chunks = [];
  }
}

function tooLarge(): Fault {
  return new Fault(problem("body_too_large", "body", { max: BODY_BYTES_MAX }));
}

/** @throws Fault for a length that is over the bound, before anything is read. */
export function refuseLength(contentLength: string | undefined): void {
  if (Number(contentLength ?? 0) > BODY_BYTES_MAX) throw tooLarge();
}

/** Reads a whole body. @throws Fault `body_too_large` or `overloaded` */
export async function readBody(stream: Readable, into: KeptBody): Promise<Buffer> {
  for await (const chunk of stream) into.add(chunk as Buffer);
  return into.whole();
}
