/** The paths that are metered, and how the answers of each tell their usage. */

import type { UsageType } from "../domain/usage.ts";

export interface Route {
  /** The path behind `/v1/`; also the route's name in metrics. */
  readonly path: string;
  readonly usageType: UsageType;
  /** In whose words the usage is told. */
  readonly style: "openai" | "anthropic";
  /** Its answers have an id. */
  readonly hasId: boolean;
  /** A stream of this path tells its usage only when `stream_options` asks for it. */
  readonly asksForUsage: boolean;
  /** A stream whose usage is whole only when its last event has come. */
  readonly endsWithEvent: boolean;
}

function route(path: string, usageType: UsageType, more: Partial<Route> = {}): Route {
  return { path, usageType, style: "openai", hasId: true, asksForUsage: false, endsWithEvent: false, ...more };
}

const ROUTES: ReadonlyMap<string, Route> = new Map(
  [
    route("chat/completions", "TEXT_COMPLETION_INFERENCE_USAGE", { asksForUsage: true }),
    route("completions", "TEXT_COMPLETION_INFERENCE_USAGE", { asksForUsage: true }),
    route("responses", "TEXT_COMPLETION_INFERENCE_USAGE", { endsWithEvent: true }),
    route("messages", "TEXT_COMPLETION_INFERENCE_USAGE", { style: "anthropic", endsWithEvent: true }),
    route("embeddings", "EMBEDDING_INFERENCE_USAGE", { hasId: false }),
    route("audio/transcriptions", "AUDIO_INFERENCE_USAGE", { hasId: false }),
    route("audio/translations", "AUDIO_INFERENCE_USAGE", { hasId: false }),
    route("images/generations", "IMAGE_GENERATION_USAGE", { hasId: false }),
  ].map((one) => [one.path, one]),
);

/** True for a path whose calls are metered when they are POST. */
export function isMeteredPath(path: string): boolean {
  return ROUTES.has(path);
}

/** The metered route of a call; undefined for one that is passed through. */
export function routeOf(method: string, path: string): Route | undefined {
  return method === "POST" ? ROUTES.get(path) : undefined;
}
