/** What runs in a thread of the Decoder: decode(), with a refusal as a value, since a thrown Fault would lose its class. */

import { Fault, type Problem } from "../domain/fault.ts";
import { type DecodeOptions, decode } from "./decode.ts";
import { buffersOf, handOver, type PackedDecoded, pack } from "./packed.ts";

export interface DecodeTask {
  readonly body: Uint8Array;
  readonly options: DecodeOptions;
}

export type DecodeAnswer =
  | { readonly kind: "decoded"; readonly packed: PackedDecoded }
  | { readonly kind: "refused"; readonly problems: readonly Problem[] };

export default function answer({ body, options }: DecodeTask): unknown {
  try {
    const packed = pack(decode(body, options));
    const value: DecodeAnswer = { kind: "decoded", packed };
    return handOver(value, buffersOf(packed));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { kind: "refused", problems: error.problems } satisfies DecodeAnswer;
  }
}
