/** The gateway: an OpenAI-compatible path to upstreams that writes down what is used on the way. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Caller, Role } from "../accounts/records.ts";
import { Fault, problem, unavailable } from "../domain/fault.ts";
import type { Service } from "../service.ts";
import { admit, type Ticket } from "./admission.ts";
import { meterFor } from "./answer-meter.ts";
import { BodyRoom, KeptBody } from "./body-reader.ts";
import { CallWatch } from "./call-watch.ts";
import { drainHooks, recordWriter } from "./carry.ts";
import type { GatewayConfig, UpstreamConfig } from "./config.ts";
import { Drainer } from "./drainer.ts";
import { clientIdsOf, EventId } from "./event-id.ts";
import { headerOf, headersForClient, headersForUpstream, type RawHeaders, tagsOf } from "./headers.ts";
import { countRequest, holdCall, RATE_HEADERS } from "./holding.ts";
import { type GatewayMetrics, makeGatewayMetrics } from "./metrics.ts";
import { isSafePath } from "./paths.ts";
import { relay } from "./relay.ts";
import { type Plan, planRequest } from "./request-plan.ts";
import { type Route, routeOf } from "./routes-table.ts";
import { Routing } from "./routing.ts";
import { type SettledCall, settleCall } from "./settlement.ts";
import { Spool } from "./spool.ts";
import type { Log, Surroundings } from "./surroundings.ts";
import { plainBody, type UpstreamAnswer, Upstreams } from "./upstreams.ts";
import type { Asker, Ending } from "./usage-event.ts";

/** One call of a client. */
export interface Call {
  readonly id: string;
  readonly request: IncomingMessage;
  readonly client: ServerResponse;
  /** Behind `/v1/`, without the query. */
  readonly path: string;
  /** With its question mark; "" when there is none. */
  readonly query: string;
  readonly log: Log;
  /** Takes the answer out of the server's hands; from then on the gateway writes it. */
  take(): void;
}

export interface GatewayParts {
  readonly config: GatewayConfig;
  readonly service: Pick<Service, "accounts" | "budgets" | "now" | "quote" | "writeUsage">;
  /** The folder of the spool. */
  readonly spoolFolder: string;
}

/** A call whose upstream has answered. */
interface AnsweredCall extends SettledCall {
  readonly call: Call;
  readonly upstream: UpstreamConfig;
  readonly route: Route | undefined;
  readonly hidesUsage: boolean;
  readonly answer: UpstreamAnswer;
  readonly watch: CallWatch;
  /** Of our own for the answer. */
  readonly ownHeaders: RawHeaders;
  /** Ids that the client gave the call. */
  readonly clientIds: readonly string[];
}

const INFERRERS: readonly Role[] = ["OPERATOR", "ADMIN", "USER"];
/** An answer to TRACE would show the upstream's key. */
const METHODS: readonly string[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/** Milliseconds that calls under way have to end after the gateway was told to close. */
const CLOSE_MS_MAX = 5_000;

export class Gateway {
  readonly #config: GatewayConfig;
  readonly #service: GatewayParts["service"];
  readonly #routing: Routing;
  readonly #upstreams: Upstreams;
  readonly #spool: Spool;
  readonly #metrics: GatewayMetrics;
  readonly #surroundings: Surroundings;
  readonly #drainer: Drainer;
  readonly #bodies = new BodyRoom();
  readonly #calls = new Map<CallWatch, Promise<void>>();
  #isClosing = false;

  /**
   * Opens the spool and begins to carry over what an earlier run left in it.
   * @throws Fault `folder_unusable`
   */
  constructor({ config, service, spoolFolder }: GatewayParts, surroundings: Surroundings) {
    this.#config = config;
    this.#service = service;
    this.#surroundings = surroundings;
    this.#routing = new Routing(config);
    this.#upstreams = new Upstreams(config.upstreams);
    this.#spool = Spool.open({ folder: spoolFolder, maxBytes: config.spool.maxBytes });
    this.#metrics = makeGatewayMetrics(surroundings.registry, () => this.#spool.bytes);
    this.#drainer = new Drainer(this.#spool, recordWriter(service), drainHooks(this.#metrics, surroundings.log));
    service.budgets.follow(() => this.#drainer.caughtUp());
  }

  /**
   * Answers a call. When it resolves, the answer has ended and its usage is on disk.
   * @throws Fault with nothing answered yet.
   */
  async handle(call: Call): Promise<void> {
    // An upstream may think for minutes; its own time limits end the call.
    call.client.setTimeout(0);
    const watch = new CallWatch(call.client, this.#config);
    const kept = new KeptBody(this.#bodies);
    const done = this.#handle(call, watch, kept);
    this.#calls.set(
      watch,
      done.catch(() => {}),
    );
    try {
      await done;
    } catch (error) {
      const reason = error instanceof Fault ? error.problems[0].code : "internal";
      this.#metrics.refused.inc({ reason: watch.stopped ?? reason });
      if (watch.stopped === "shutdown") throw shuttingDown();
      if (watch.stopped !== "client_gone") throw error;
      // Nobody is there to be answered.
      call.take();
      call.log.info({ reason: watch.stopped }, "the client has gone before its answer");
    } finally {
      watch.end();
      kept.release();
      this.#calls.delete(watch);
    }
  }

  /** Ends what is under way, within seconds, and leaves on disk what the ledger does not take. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const timer = setTimeout(() => {
      for (const watch of this.#calls.keys()) watch.stop("shutdown");
    }, CLOSE_MS_MAX);
    await Promise.all(this.#calls.values());
    clearTimeout(timer);
    await this.#drainer.close();
    await this.#spool.close();
    await this.#upstreams.close();
  }

  async #handle(call: Call, watch: CallWatch, kept: KeptBody): Promise<void> {
    const arrived = performance.now();
    const time = this.#service.now();
    const caller = await this.#callerOf(call);
    const { method = "GET" } = call.request;
    if (!METHODS.includes(method))
      throw new Fault(problem("not_allowed", "method", { value: method, allowed: METHODS }));
    if (!isSafePath(call.path)) throw notFound(call);
    if (method === "GET" && call.path === "models" && this.#routing.names.length > 0) return this.#listModels(call);
    const route = routeOf(method, call.path);
    if (!route && this.#config.otherPaths === "refuse" && call.path !== "models") throw notFound(call);
    const ownHeaders = route ? await countRequest(this.#service, caller) : [];
    const { rawHeaders: headers } = call.request;
    const asked = { route, headers, stream: call.request };
    const plan = await planRequest(asked, this.#routing, this.#config.upstreams[0], kept);
    const tags = tagsOf(headers);
    const asker: Asker = {
      apiKeyId: caller.keyId,
      user: caller.user,
      annotations: tags.kept,
      time,
      model: plan.target?.model ?? "",
      serviceTier: plan.serviceTier,
    };
    const { account } = caller;
    const held = { account, asker, size: plan.size, config: this.#config.budgets };
    const reservation = route && (await holdCall(this.#service, { ...held, route }));
    let ticket: Ticket | undefined;
    try {
      ticket = route && admit(this.#spool, this.#config.spool.whenFull);
      const read = performance.now();
      watch.begins(plan.upstream.timeouts.finishMs);
      const { upstream, target, hidesUsage } = plan;
      const labels = { upstream: upstream.name, model: target?.rule ?? "" };
      const answer = await this.#send(call, plan, watch).catch((error: Fault) => {
        if (!watch.stopped) this.#metrics.errors.inc({ ...labels, reason: error.problems?.[0].code ?? "internal" });
        throw error;
      });
      this.#surroundings.droppedAnnotations.inc(tags.dropped);
      // The body has been sent; an answer can take long.
      kept.release();
      const whenFull = this.#config.spool.whenFull;
      const known = { account, asker, reservation, labels, hasRoom: ticket?.hasRoom === true, whenFull };
      const times = { arrived, read };
      const clientIds = clientIdsOf(headers, plan.requestIds);
      await this.#answer({
        call,
        upstream,
        hidesUsage,
        route,
        answer,
        watch,
        ownHeaders,
        clientIds,
        ...known,
        ...times,
      });
    } finally {
      ticket?.settle();
      this.#service.budgets.release(reservation);
    }
  }

  /** @throws Fault `unauthenticated` or `role_too_low`; `bad_request` for a key that would go on in the address. */
  async #callerOf({ request, path, query }: Call): Promise<Caller> {
    const key = keyOf(request);
    const caller = await this.#service.accounts.authenticate(key);
    if (!caller) throw new Fault(problem("unauthenticated", "Authorization"));
    if (path.includes(key) || query.includes(key)) {
      throw new Fault(
        problem("bad_request", "address", { reason: "the API key is in it; send it as Authorization alone" }),
      );
    }
    if (INFERRERS.includes(caller.role)) return caller;
    throw new Fault(problem("role_too_low", "role", { value: caller.role, allowed: INFERRERS }));
  }

  #listModels(call: Call): void {
    const data = this.#routing.names.map(({ model, upstream }) => {
      return { id: model, object: "model", created: 0, owned_by: upstream };
    });
    const body = JSON.stringify({ object: "list", data });
    call.take();
    const headers = { "content-type": "application/json; charset=utf-8", "x-request-id": call.id };
    call.client.writeHead(200, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
  }

  #send(call: Call, plan: Plan, watch: CallWatch): Promise<UpstreamAnswer> {
    const { method = "GET", rawHeaders } = call.request;
    const headers = headersForUpstream(rawHeaders, plan.upstream);
    if (plan.contentLength !== undefined) headers.push("content-length", String(plan.contentLength));
    const path = `/${call.path}${call.query}`;
    return this.#upstreams.send(plan.upstream, { method, path, headers, body: plan.body, signal: watch.signal });
  }

  async #answer(answered: AnsweredCall): Promise<void> {
    const { call, upstream, hidesUsage, route, answer, watch, labels, arrived, ownHeaders, clientIds } = answered;
    const { client } = call;
    this.#metrics.requests.inc({ ...labels, route: route?.path ?? "other", status: String(answer.status) });
    const isMetered = route !== undefined && answer.status >= 200 && answer.status < 300;
    const { body, isDecoded } = isMetered ? plainBody(answer) : { body: answer.body, isDecoded: false };
    const contentType = headerOf(answer.headers, "content-type") ?? "";
    const meter = isMetered ? meterFor({ route, contentType, hidesUsage }) : undefined;
    const isChanged = isDecoded || (hidesUsage && meter?.isStream === true);
    const id = new EventId({ upstream, route, headers: answer.headers, meter, clientIds });
    let costNanoUsd: bigint | undefined;
    const beginNow = (): void => {
      if (client.headersSent || client.destroyed) return;
      const headers = headersForClient(answer.headers, isChanged, ownHeaders.length > 0 ? RATE_HEADERS : []);
      headers.push(...ownHeaders);
      if (headerOf(headers, "x-request-id") === undefined) headers.push("x-request-id", call.id);
      if (meter && id.known !== undefined) headers.push("x-daybook-event-id", id.known);
      if (costNanoUsd !== undefined) headers.push("x-daybook-cost-nano-usd", String(costNanoUsd));
      if (this.#isClosing) headers.push("connection", "close");
      try {
        client.writeHead(answer.status, headers);
      } catch (error) {
        call.log.error({ err: error, ...labels }, "the answer's headers cannot be sent on");
        client.destroy();
      }
    };
    const begin = (): boolean => {
      // A stream's headers wait for its id; those of an answer in one piece for its end, which tells its cost.
      if (!isMetered || (id.known !== undefined && meter?.isStream !== false)) beginNow();
      return client.headersSent || client.destroyed;
    };
    const settle = async (ending: Ending): Promise<boolean> => {
      if (!route) this.#metrics.unmetered.inc({ ...labels, reason: "other_path" });
      if (!isMetered) return true;
      const settler = { spool: this.#spool, metrics: this.#metrics, service: this.#service };
      const settled = await settleCall(settler, { ...answered, route, meter, ending, eventId: id.fixed() });
      if (meter?.isStream === false) costNanoUsd = settled.costNanoUsd;
      return settled.mayLeave;
    };
    call.take();
    const { idleMs } = upstream.timeouts;
    const ending = await relay({ client, body, meter, watch, idleMs, begin, beginNow, settle }).catch(
      (error: Error) => {
        // The answer is out of the server's hands, so that nobody else could end it.
        call.log.error({ err: error, ...labels }, "the gateway failed in the middle of an answer");
        client.destroy();
        return "gateway_failed" as const;
      },
    );
    if (ending !== "whole") this.#metrics.cut.inc({ ...labels, reason: ending });
    this.#metrics.answerSeconds.observe(labels, (performance.now() - arrived) / 1000);
  }
}

/** The key of a call: OpenAI's clients send it as a bearer, Anthropic's in a header of its own. */
function keyOf({ headers }: IncomingMessage): string {
  const [scheme = "", key = ""] = (headers.authorization ?? "").split(/ +/);
  if (scheme.toLowerCase() === "bearer") return key.trim();
  const own = headers["x-api-key"];
  return typeof own === "string" ? own.trim() : "";
}

function shuttingDown(): Fault {
  return unavailable("it is shutting down");
}

function notFound(call: Call): Fault {
  return new Fault(problem("route_not_found", "path", { value: call.path }));
}
