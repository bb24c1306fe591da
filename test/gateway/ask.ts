/** A call as a careful client sees it. */

import { request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  /** The connection ended before the answer did. */
  readonly isCut: boolean;
}

export interface Ask {
  readonly url: string;
  readonly key: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

/** A call as a careful client sees it: cut answers are told apart from whole ones. */
export function ask({
  method = "POST",
  path = "/inference/v1/chat/completions",
  headers = {},
  url,
  key,
  body = "",
}: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers };
    // Not as a URL, which would be tidied up.
    const { hostname, port } = new URL(url);
    const call = request({ hostname, port, path, method, headers: sent, agent: false });
    call.on("response", (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => {});
      answer.on("close", () => {
        const { statusCode: status = 0, headers: got, complete } = answer;
        resolve({ status, headers: got, body: Buffer.concat(chunks).toString(), isCut: !complete });
      });
    });
    call.on("error", (error) => reject(new Error(`${method} ${path} ${body.slice(0, 80)}`, { cause: error })));
    call.end(body);
  });
}

/** The body of a chat completion. */
export const chat = (model: string, more: object = {}): string => JSON.stringify({ model, messages: [], ...more });
