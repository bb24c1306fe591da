/** What a call may use at most, by what its client sent. Pure. */

import type { BudgetConfig } from "./config.ts";
import type { Route } from "./routes-table.ts";
import type { Quantities } from "./usage-body.ts";

/** What bounds the usage of a request. */
export interface RequestSize {
  /** Of the body as the client sent it; undefined where it did not tell. */
  readonly bytes: number | undefined;
  /** The client's own limit of an answer's tokens. */
  readonly outputTokensMax: number | undefined;
  /** Answers that were asked for. */
  readonly answers: number;
  /** It names what stands elsewhere: an image's address, a file, an earlier answer. */
  readonly refersElsewhere: boolean;
}

/** What upstreams put around a prompt: templates, instructions for tools. */
const ADDED_TOKENS = 1_024;
/** A body whose client did not tell its length, as streamed forms. */
const FORM_BYTES_MAX = 64 * 1024 * 1024;
/** No codec in use needs less for a second of speech. */
const AUDIO_BYTES_PER_SECOND_MIN = 500;
/** No model counts more for a second of audio. */
const AUDIO_TOKENS_PER_SECOND_MAX = 50;

/** @param model the upstream's name of it. */
export function worstCase(route: Route, model: string, size: RequestSize, config: BudgetConfig): Quantities {
  const { answers, refersElsewhere } = size;
  const bytes = size.bytes ?? FORM_BYTES_MAX;
  // A token is one byte of text at least.
  const promptTokens = bytes + ADDED_TOKENS + (refersElsewhere ? config.elsewhereTokens : 0);
  const completionTokens = answers * (size.outputTokensMax ?? outputTokensOf(model, config));
  switch (route.usageType) {
    case "EMBEDDING_INFERENCE_USAGE":
      return { promptTokens };
    case "IMAGE_GENERATION_USAGE":
      return { promptTokens, completionTokens, imageCount: answers };
    case "AUDIO_INFERENCE_USAGE": {
      const audioInputSeconds = Math.ceil(bytes / AUDIO_BYTES_PER_SECOND_MIN);
      return {
        audioInputSeconds,
        promptTokens: audioInputSeconds * AUDIO_TOKENS_PER_SECOND_MAX + ADDED_TOKENS,
        completionTokens,
      };
    }
    default:
      return { promptTokens, completionTokens };
  }
}

function outputTokensOf(model: string, { maxOutputTokens, maxOutputTokensOf }: BudgetConfig): number {
  const found = maxOutputTokensOf.find(({ model: name }) => {
    return name.endsWith("*") ? model.startsWith(name.slice(0, -1)) : model === name;
  });
  return found?.tokens ?? maxOutputTokens;
}
