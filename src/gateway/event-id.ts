/** What an event is called. */

import { randomUUIDv7 } from "node:crypto";
import type { AnswerMeter } from "./answer-meter.ts";
import type { UpstreamConfig } from "./config.ts";
import { headerOf, pairs, type RawHeaders } from "./headers.ts";
import type { Route } from "./routes-table.ts";

const ID_CHARACTERS_MAX = 256;
const VISIBLE = /^[\x21-\x7e]+$/;

interface IdSources {
  readonly upstream: UpstreamConfig;
  readonly route: Route | undefined;
  readonly headers: RawHeaders;
  readonly meter: AnswerMeter | undefined;
  readonly clientIds: readonly string[];
}

/** Headers in which clients name a call; some upstreams make the answer's id of them. */
const CLIENT_ID_HEADERS = ["x-request-id", "request-id", "x-client-request-id", "x-correlation-id", "x-trace-id"];

/** The names that a client gave its call, in headers and in the body. */
export function clientIdsOf(headers: RawHeaders, bodyIds: readonly string[]): string[] {
  const sent = [...pairs(headers)].filter(([name]) => CLIENT_ID_HEADERS.includes(name.toLowerCase()));
  return [...sent.map(([, value]) => value), ...bodyIds].filter((id) => id !== "");
}

/**
 * The upstream's own name of an answer, so that one answer is one event however often it is told. A name with one in it
 * that the client gave is not taken: by sending it again, a client could have many answers counted as one.
 */
export class EventId {
  readonly #upstream: UpstreamConfig;
  readonly #route: Route | undefined;
  readonly #meter: AnswerMeter | undefined;
  readonly #requestId: string | undefined;
  readonly #clientIds: readonly string[];
  #fixed: string | undefined;

  constructor({ upstream, route, headers, meter, clientIds }: IdSources) {
    this.#upstream = upstream;
    this.#route = route;
    this.#meter = meter;
    this.#requestId = headerOf(headers, "x-request-id");
    this.#clientIds = clientIds;
    // Nothing that the answer may tell yet would be its id.
    if (upstream.eventIds === "gateway" || !route?.hasId || !meter) this.fixed();
  }

  /** The id, once it is certain. */
  get known(): string | undefined {
    return this.#fixed ?? (this.#meter?.told.id === undefined ? undefined : this.fixed());
  }

  /** The id from now on, whatever the answer tells later. */
  fixed(): string {
    const { name, eventIds } = this.#upstream;
    const told = this.#route?.hasId ? this.#meter?.told.id : undefined;
    const named = eventIds === "upstream" ? [told, this.#requestId] : [];
    const good = named.find((id) => id !== undefined && this.#isGood(id));
    this.#fixed ??= `${name}:${good ?? randomUUIDv7()}`;
    return this.#fixed;
  }

  #isGood(id: string): boolean {
    const fits = VISIBLE.test(id) && this.#upstream.name.length + id.length < ID_CHARACTERS_MAX;
    return fits && !this.#clientIds.some((one) => id.includes(one));
  }
}
