/** What runs in a thread of the Decoder: decode(). */

import { orRefusal, type Refusal } from "../domain/fault.ts";
import { type DecodeOptions, decode } from "./decode.ts";
import { buffersOf, handOver, type PackedDecoded, pack } from "./packed.ts";

export interface DecodeTask {
  readonly body: Uint8Array;
  readonly options: DecodeOptions;
}

export type DecodeAnswer = PackedDecoded | Refusal;

/** There is nothing to open. */
export function open(): void {}

export default function answer({ body, options }: DecodeTask): unknown {
  return orRefusal(() => {
    const packed = pack(decode(body, options));
    return handOver(packed, buffersOf(packed));
  });
}
