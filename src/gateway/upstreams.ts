/** Calls to the upstreams: their own addresses, their own keys, no redirect followed, one clear fault for each failure. */

import { pipeline, type Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import { type Dispatcher, Pool } from "undici";
import { Fault, problem } from "../domain/fault.ts";
import type { UpstreamConfig } from "./config.ts";
import { pairs, type RawHeaders } from "./headers.ts";

export interface UpstreamCall {
  readonly method: string;
  /** Behind the base URL, beginning with a slash; checked by `isSafePath`. With its query. */
  readonly path: string;
  readonly headers: RawHeaders;
  readonly body: Buffer | Readable | null;
  readonly signal: AbortSignal;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: RawHeaders;
  readonly body: Readable;
}

/** What a pooled connection waits before it is closed, unless the upstream says less. */
const KEEP_ALIVE_MS = 4_000;
const RETRY_AFTER_SECONDS = 1;

export class Upstreams {
  readonly #pools: ReadonlyMap<string, Pool>;

  constructor(upstreams: readonly UpstreamConfig[]) {
    this.#pools = new Map(upstreams.map((upstream) => [upstream.name, poolOf(upstream)]));
  }

  /**
   * Sends a call and returns when the answer's headers are there.
   * @throws Fault `upstream_failed` or `upstream_timeout`; also for a redirect, and for a key that was refused.
   */
  async send(upstream: UpstreamConfig, call: UpstreamCall): Promise<UpstreamAnswer> {
    const { method, path, headers, body, signal } = call;
    let answer: Dispatcher.ResponseData;
    try {
      answer = await this.#pools.get(upstream.name)!.request({
        method: method as Dispatcher.HttpMethod,
        path: `${upstream.baseUrl.pathname.replace(/\/$/, "")}${path}`,
        headers: headers as string[],
        body,
        signal,
        responseHeaders: "raw",
      });
    } catch (error) {
      throw error instanceof Fault ? error : faultOf(upstream, error as NodeJS.ErrnoException);
    }
    const { statusCode: status } = answer;
    // With responseHeaders "raw" the headers come as a list, which the types do not tell.
    const raw = answer.headers as unknown as RawHeaders;
    const refused = refusal(status);
    if (!refused) return { status, headers: raw, body: answer.body };
    answer.body.on("error", () => {}).destroy();
    throw new Fault(problem("upstream_failed", "upstream", { value: upstream.name, reason: refused }));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }
}

function poolOf({ baseUrl, timeouts }: UpstreamConfig): Pool {
  return new Pool(baseUrl.origin, {
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: { timeout: timeouts.connectMs },
    headersTimeout: timeouts.firstByteMs,
    bodyTimeout: timeouts.idleMs,
  });
}

/** Why an answer is not handed on. A refused key is no fault of the client's, and the refusal may quote the key. */
function refusal(status: number): string | undefined {
  if (status === 401) return "it refused the gateway's key (401); the operator must set another";
  if (status >= 300 && status < 400 && status !== 304) {
    return `it answered with a redirect (${status}), and none is followed; the operator must mend its baseUrl`;
  }
  return undefined;
}

const TIMEOUTS: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  UND_ERR_HEADERS_TIMEOUT: "no answer in time",
  UND_ERR_BODY_TIMEOUT: "no more of its answer in time",
  ETIMEDOUT: "no connection in time",
};

export function isTimeout(error: NodeJS.ErrnoException): boolean {
  return error.code !== undefined && Object.hasOwn(TIMEOUTS, error.code);
}

/** The code tells enough; a message could hold an inner address. */
function faultOf({ name }: UpstreamConfig, error: NodeJS.ErrnoException): Fault {
  const { code = error.name } = error;
  if (isTimeout(error)) {
    return new Fault(problem("upstream_timeout", "upstream", { value: name, reason: `${TIMEOUTS[code]}; try again` }));
  }
  const reason = `it gave no answer (${code}); try again`;
  return new Fault(problem("upstream_failed", "upstream", { value: name, reason }), RETRY_AFTER_SECONDS);
}

const DECODERS: Readonly<Record<string, () => NodeJS.ReadWriteStream & Readable>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** More of them, one in the other, are nobody's wish. */
const ENCODINGS_MAX = 2;

/** The answer as plain bytes, where an upstream compressed it although none was asked to. */
export function plainBody({ headers, body }: UpstreamAnswer): { body: Readable; isDecoded: boolean } {
  const encodings = [...pairs(headers)]
    .filter(([name]) => name.toLowerCase() === "content-encoding")
    .flatMap(([, value]) => value.toLowerCase().split(","))
    .map((one) => one.trim())
    .filter((one) => one !== "" && one !== "identity");
  if (encodings.length === 0 || encodings.length > ENCODINGS_MAX) return { body, isDecoded: false };
  if (!encodings.every((one) => Object.hasOwn(DECODERS, one))) return { body, isDecoded: false };
  const plain = encodings.reverse().reduce((encoded: Readable, one) => {
    const decoder = DECODERS[one]!();
    // What goes wrong is told by the decoded stream.
    pipeline(encoded, decoder, () => {});
    return decoder;
  }, body);
  return { body: plain, isDecoded: true };
}
