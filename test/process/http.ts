/** A plain HTTP client that tells apart what a careful caller must: answered, cut, and refused at the door. */

import { type Agent, type IncomingMessage, request } from "node:http";
import { KEY } from "./daybook.ts";

export type Answer =
  | { readonly kind: "answered"; readonly status: number; readonly body: string }
  /** The connection was made and ended without a status line. */
  | { readonly kind: "cut"; readonly code: string }
  /** No connection was made. */
  | { readonly kind: "refused"; readonly code: string };

export interface Ask {
  readonly method?: "GET" | "POST";
  readonly path: string;
  readonly key?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: a connection of its own. */
  readonly agent?: Agent;
}

export function ask(url: string, { method, path, key = KEY, body, headers, agent }: Ask): Promise<Answer> {
  return new Promise((resolve) => {
    const call = request(`${url}${path}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      agent: agent ?? false,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        ...headers,
      },
    });
    let answer: IncomingMessage | undefined;
    let text = "";
    const settle = (error?: NodeJS.ErrnoException): void => {
      // A status line is an answer, even when the rest of it was lost.
      if (answer) resolve({ kind: "answered", status: answer.statusCode!, body: text });
      else resolve({ kind: error?.code === "ECONNREFUSED" ? "refused" : "cut", code: error?.code ?? "closed" });
    };
    call.on("response", (response) => {
      answer = response;
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("close", settle).on("error", settle);
    });
    call.on("error", settle).on("close", settle);
    call.end(body);
  });
}

/** An answer that must be 200, as the JSON it holds. */
export async function askJson<T>(url: string, what: Ask): Promise<T> {
  const answer = await ask(url, what);
  if (answer.kind !== "answered" || answer.status !== 200) {
    throw new Error(`${what.path}: ${JSON.stringify(answer)}`);
  }
  return JSON.parse(answer.body) as T;
}
