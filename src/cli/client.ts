/** The control plane over HTTP: one request at a time, busy servers asked again, every failure one sentence with its mend. */

import { setTimeout as sleep } from "node:timers/promises";
import { type Json, parseExact } from "./exact-json.ts";
import { Refusal, refused, sayable } from "./refusal.ts";

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Path and query, beginning with /. */
  readonly path: string;
  readonly body?: object;
}

/** Parameters as a query; what a query may hold as it is stays readable. */
export function queryText(parameters: readonly (readonly [string, string])[]): string {
  const encoded = (text: string): string => encodeURIComponent(text).replaceAll("%3A", ":").replaceAll("%2F", "/");
  return parameters.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&");
}

export interface ClientOptions {
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Where waiting and, with `debug`, the traffic is told. */
  readonly say: (line: string) => void;
  readonly debug: boolean;
}

const RETRIES_MAX = 4;
const BACK_OFF_FIRST_MS = 500;
/** A server that wants to be left alone for longer is not waited for. */
const RETRY_AFTER_MS_MAX = 120_000;
const BUSY = [429, 503];
const REFUSAL_CHARACTERS_MAX = 400;

/** The server said no. `status` tells what kind of no. */
export class HttpRefusal extends Refusal {
  readonly status: number;

  constructor(status: number, message: string) {
    super(status === 401 ? 3 : 1, message);
    this.status = status;
  }
}

export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
    useProxyOfEnvironment();
  }

  /** The answer as JSON with exact numbers, and its headers. @throws Refusal */
  async call(request: ApiRequest): Promise<{ readonly json: Json; readonly headers: Headers }> {
    const response = await this.open(request);
    const text = await this.#reading(() => response.text());
    try {
      return { json: parseExact(text), headers: response.headers };
    } catch {
      throw refused(this.#stranger(response));
    }
  }

  /** A good answer whose body is still to be read. @throws Refusal */
  async open(request: ApiRequest): Promise<Response> {
    for (let retry = 0; ; retry += 1) {
      const response = await this.#send(request);
      if (response.ok) return response;
      const waitMs = BUSY.includes(response.status) && retry < RETRIES_MAX ? waitBefore(response, retry) : undefined;
      if (waitMs === undefined) throw await this.#refusal(response);
      await response.body?.cancel();
      this.#options.say(
        `the server is busy (${response.status}); trying again in ${waitMs / 1000} s (${retry + 1} of ${RETRIES_MAX})`,
      );
      await sleep(waitMs);
    }
  }

  /** Reads a body's parts; a connection that breaks is a refusal like any other. */
  async *parts(response: Response): AsyncGenerator<Uint8Array> {
    const reader = response.body!.getReader();
    try {
      for (;;) {
        const { done, value } = await this.#reading(() => reader.read());
        if (done) return;
        yield value;
      }
    } finally {
      // A body that is left half-read would keep the process alive.
      await reader.cancel().catch(() => {});
    }
  }

  async #send({ method, path, body }: ApiRequest): Promise<Response> {
    const { baseUrl, apiKey, debug, say } = this.#options;
    const headers: Record<string, string> = { authorization: `Bearer ${apiKey}`, accept: "application/json, text/csv" };
    if (body) headers["content-type"] = "application/json";
    if (debug) say(`> ${method} ${baseUrl}${path}${body ? ` ${JSON.stringify(body)}` : ""}`);
    const started = performance.now();
    const response = await this.#reading(() =>
      fetch(`${baseUrl}${path}`, {
        method,
        headers,
        // A key is for the server that was named, not for one it points to.
        redirect: "manual",
        ...(body && { body: JSON.stringify(body) }),
      }),
    );
    if (debug) {
      const id = response.headers.get("x-request-id");
      say(`< ${response.status} in ${Math.round(performance.now() - started)} ms${id ? `, request id ${id}` : ""}`);
    }
    return response;
  }

  /** Does network work; what goes wrong becomes one sentence. */
  async #reading<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw refused(networkSentence(error, this.#options.baseUrl), { cause: error });
    }
  }

  async #refusal(response: Response): Promise<HttpRefusal> {
    const { status } = response;
    const text = await this.#reading(() => response.text());
    const said = refusalText(text);
    if (status === 401) {
      const { baseUrl } = this.#options;
      return new HttpRefusal(
        401,
        `${baseUrl} does not know the API key: it is wrong, revoked or expired; run \`daybook login\``,
      );
    }
    if (said === undefined) return new HttpRefusal(status, this.#stranger(response));
    return new HttpRefusal(status, `${said}${mendOf(status)}`);
  }

  /** An answer that is not the API's: another server, or something between. */
  #stranger({ status, headers }: Response): string {
    const type = headers.get("content-type")?.split(";")[0] ?? "no content type";
    const to = headers.get("location");
    const more = to ? `, pointing to ${new URL(to, this.#options.baseUrl).origin}` : "";
    return `${this.#options.baseUrl} answered ${status} (${type}${more}), which is not the API; check --base-url and any proxy`;
  }
}

/** The sentences of an error body, all of them; undefined when it is none. */
function refusalText(body: string): string | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return undefined;
  }
  const { message, error, details } = (json ?? {}) as {
    message?: unknown;
    error?: { message?: unknown };
    details?: unknown;
  };
  const first = typeof message === "string" ? message : error?.message;
  if (typeof first !== "string" || first === "") return undefined;
  const violations = (Array.isArray(details) ? details : []).flatMap((detail: { fieldViolations?: unknown }) =>
    Array.isArray(detail?.fieldViolations) ? detail.fieldViolations : [],
  );
  const sentences = new Set([
    first,
    ...violations.map((one: { description?: unknown }) => String(one?.description ?? "")),
  ]);
  const text = sayable([...sentences].filter((sentence) => sentence !== "").join("; and "));
  return text.length <= REFUSAL_CHARACTERS_MAX ? text : `${text.slice(0, REFUSAL_CHARACTERS_MAX).toWellFormed()}…`;
}

function mendOf(status: number): string {
  switch (status) {
    case 403:
      return "; ask an administrator, or use a key that may";
    case 404:
      return "; check the id, --account-id and --base-url";
    case 429:
    case 503:
      return "; the server stayed busy, try again later";
    case 501:
      return "; this server does not have it";
    default:
      return "";
  }
}

/** Milliseconds to wait: Retry-After when it is sent, else doubling. Undefined when the server asks for too long. */
function waitBefore(response: Response, retry: number): number | undefined {
  const sent = response.headers.get("retry-after")?.trim();
  const backOff = BACK_OFF_FIRST_MS * 2 ** retry;
  if (!sent) return backOff;
  const ms = /^\d{1,9}$/.test(sent) ? Number(sent) * 1000 : Math.max(0, Date.parse(sent) - Date.now());
  if (Number.isNaN(ms)) return backOff;
  return ms <= RETRY_AFTER_MS_MAX ? ms : undefined;
}

/** Never asked of a proxy, as in Go programs. */
const LOCAL_HOSTS = "localhost,127.0.0.1,::1,[::1]";

/** The proxy that the environment names for the server, as Go programs read it, firectl among them. */
function proxyOf(baseUrl: string): string | undefined {
  const { env } = process;
  const name = baseUrl.startsWith("https:") ? "https_proxy" : "http_proxy";
  return env[name] || env[name.toUpperCase()] || undefined;
}

function useProxyOfEnvironment(): void {
  const { env } = process;
  if (!proxyOf("http:") && !proxyOf("https:")) return;
  const noProxy = [env.no_proxy || env.NO_PROXY, LOCAL_HOSTS].filter(Boolean).join(",");
  try {
    process.getBuiltinModule("node:http").setGlobalProxyFromEnv({ ...env, no_proxy: noProxy, NO_PROXY: noProxy });
  } catch (error) {
    const { message } = error as Error;
    throw refused(`the proxy of HTTP_PROXY or HTTPS_PROXY cannot be used: ${message}; correct it, or unset it`);
  }
}

interface Failure {
  readonly code?: string;
  readonly message?: string;
  readonly cause?: Failure;
  readonly errors?: readonly Failure[];
}

/** The innermost reason: fetch wraps it, and a name with several addresses gives one for each. */
function reasonOf(error: Failure): Failure {
  if (error.cause) return reasonOf(error.cause);
  if (error.errors?.[0]) return reasonOf(error.errors[0]);
  return error;
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/;

function networkSentence(error: unknown, baseUrl: string): string {
  const { code = "", message = String(error) } = reasonOf(error as Failure);
  const server = `the server ${baseUrl}`;
  if (proxyOf(baseUrl) && !LOCAL_HOSTS.split(",").includes(new URL(baseUrl).hostname) && !CERTIFICATE.test(code)) {
    return `the proxy on the way to ${baseUrl} failed (${code || message}); check HTTP_PROXY, HTTPS_PROXY and NO_PROXY`;
  }
  if (code === "ECONNREFUSED") {
    return `cannot reach ${server}: nothing listens there; start it with \`daybook serve\` or name another with --base-url`;
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return `cannot reach ${server}: its name was not found; check --base-url and the network`;
  }
  if (code === "CERT_HAS_EXPIRED")
    return `${server} shows a certificate that has expired; renew it, or check this clock`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `${server} shows a certificate of another name; check --base-url`;
  if (CERTIFICATE.test(code)) {
    return `${server} shows a certificate that is not trusted (${code}); name its issuer's file in NODE_EXTRA_CA_CERTS`;
  }
  if (code.startsWith("ERR_SSL") || code === "EPROTO") {
    return `${server} does not speak TLS (${code}); perhaps its URL begins with http://`;
  }
  if (code === "ETIMEDOUT" || code.endsWith("_TIMEOUT")) {
    return `${server} did not answer in time; check the network, or try again later`;
  }
  if (code === "ECONNRESET" || code.startsWith("UND_ERR_SOCKET") || code === "EPIPE") {
    return `${server} cut the connection before the answer was whole; try again, or check --base-url`;
  }
  return `cannot reach ${server}: ${code || message}; check --base-url and the network`;
}
