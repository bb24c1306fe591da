/** What of a call's headers goes to the upstream, and what of its answer's to the client. */

import { keepGoodAnnotations } from "../domain/annotations.ts";

/** Names and values in turn, as they were sent. */
export type RawHeaders = readonly string[];

/** Of one connection only (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
];

/** Never sent on: who the client is, what it may do, where it stands, and what the gateway writes itself. */
const KEPT_FROM_UPSTREAM = new Set([
  ...HOP_BY_HOP,
  "host",
  "expect",
  "content-length",
  "accept-encoding",
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "openai-organization",
  "openai-project",
  "cookie",
  "cookie2",
  "forwarded",
  "via",
  "x-real-ip",
  "x-client-ip",
  "true-client-ip",
  "cf-connecting-ip",
  "fireworks-annotations",
  "daybook-annotations",
  // A GET that says it is a POST would not be metered.
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
]);
const KEPT_PREFIXES = ["x-forwarded-", "x-daybook-"];

/** What an upstream says to the one it talks with, which is not the client. */
const KEPT_FROM_CLIENT = new Set([
  ...HOP_BY_HOP,
  "set-cookie",
  "set-cookie2",
  "alt-svc",
  "strict-transport-security",
  "x-daybook-event-id",
  "x-daybook-cost-nano-usd",
]);

/** The names that a Connection header takes out of a message. */
function namedByConnection(headers: RawHeaders): Set<string> {
  const names = new Set<string>();
  for (const [name, value] of pairs(headers)) {
    if (name.toLowerCase() !== "connection") continue;
    for (const one of value.split(",")) names.add(one.trim().toLowerCase());
  }
  return names;
}

/** Names with their values. */
export function* pairs(headers: RawHeaders): Generator<[name: string, value: string]> {
  for (let at = 0; at + 1 < headers.length; at += 2) yield [headers[at]!, headers[at + 1]!];
}

function without(headers: RawHeaders, isKept: (name: string) => boolean): string[] {
  const byConnection = namedByConnection(headers);
  return [...pairs(headers)].flatMap(([name, value]) => {
    const lower = name.toLowerCase();
    return isKept(lower) || byConnection.has(lower) ? [] : [name, value];
  });
}

export interface UpstreamKey {
  readonly apiKey: string | undefined;
  readonly auth: "bearer" | "x-api-key";
}

/** The headers for the upstream, with its own key and no other. */
export function headersForUpstream(headers: RawHeaders, { apiKey, auth }: UpstreamKey): string[] {
  const sent = without(headers, (name) => {
    return KEPT_FROM_UPSTREAM.has(name) || KEPT_PREFIXES.some((prefix) => name.startsWith(prefix));
  });
  // An answer that is compressed could not be read in passing.
  sent.push("accept-encoding", "identity");
  if (apiKey === undefined) return sent;
  return auth === "bearer" ? [...sent, "authorization", `Bearer ${apiKey}`] : [...sent, "x-api-key", apiKey];
}

/**
 * @param isChanged the body is not the one that its length and encoding tell of.
 * @param ours names in whose place the gateway puts headers of its own.
 */
export function headersForClient(headers: RawHeaders, isChanged: boolean, ours: readonly string[] = []): string[] {
  return without(headers, (name) => {
    return (
      KEPT_FROM_CLIENT.has(name) ||
      ours.includes(name) ||
      (isChanged && (name === "content-length" || name === "content-encoding"))
    );
  });
}

/** A header's value; undefined when it was not sent. */
export function headerOf(headers: RawHeaders, name: string): string | undefined {
  for (const [one, value] of pairs(headers)) if (one.toLowerCase() === name) return value;
  return undefined;
}

const ANNOTATION_HEADERS = ["fireworks-annotations", "daybook-annotations"];

/**
 * The tags of a call: `Fireworks-Annotations: team=search,project=ranker`, or the same under Daybook's name, which wins.
 * Bad ones are dropped and counted; no call fails for them.
 */
export function tagsOf(headers: RawHeaders): ReturnType<typeof keepGoodAnnotations> {
  const sent: Record<string, string> = Object.create(null);
  let dropped = 0;
  for (const header of ANNOTATION_HEADERS) {
    for (const [name, value] of pairs(headers)) {
      if (name.toLowerCase() !== header) continue;
      for (const part of value.split(",").map((one) => one.trim())) {
        const equals = part.indexOf("=");
        if (equals > 0) sent[part.slice(0, equals).trim()] = part.slice(equals + 1).trim();
        else if (part !== "") dropped += 1;
      }
    }
  }
  const good = keepGoodAnnotations(sent);
  return { kept: good.kept, dropped: dropped + good.dropped };
}
