/** What an event is called. */

import { randomUUIDv7 } from "node:crypto";
import type { AnswerMeter } from "./answer-meter.ts";
import type { UpstreamConfig } from "./config.ts";
import { headerOf, type RawHeaders } from "./headers.ts";
import type { Route } from "./routes-table.ts";

const ID_CHARACTERS_MAX = 256;
const VISIBLE = /^[\x21-\x7e]+$/;

interface IdSources {
  readonly upstream: UpstreamConfig;
  readonly route: Route | undefined;
  readonly headers: RawHeaders;
  readonly meter: AnswerMeter | undefined;
}

/** The upstream's own name of an answer, so that one answer is one event however often it is told. */
export class EventId {
  readonly #upstream: UpstreamConfig;
  readonly #route: Route | undefined;
  readonly #meter: AnswerMeter | undefined;
  readonly #requestId: string | undefined;
  #fixed: string | undefined;

  constructor({ upstream, route, headers, meter }: IdSources) {
    this.#upstream = upstream;
    this.#route = route;
    this.#meter = meter;
    this.#requestId = headerOf(headers, "x-request-id");
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
    const good = named.find(
      (id) => id !== undefined && VISIBLE.test(id) && name.length + id.length < ID_CHARACTERS_MAX,
    );
    this.#fixed ??= `${name}:${good ?? randomUUIDv7()}`;
    return this.#fixed;
  }
}
