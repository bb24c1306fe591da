/** HTTP over a bare socket: it sends what no client library would, and tells an answer, a cut and silence apart. */

import { connect } from "node:net";
import type { WireCall } from "./mutate.ts";

export type Reply =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly head: string;
      readonly body: string;
      readonly ms: number;
    }
  /** The connection ended without a whole answer. */
  | { readonly kind: "cut"; readonly ms: number; readonly received: string }
  | { readonly kind: "silent"; readonly ms: number };

/** No answer may take longer, on a machine that has a core for it. */
export const ANSWER_MS_MAX = 2_000;
/** What is not answered by then, on the slowest machine, hangs. */
const HANG_MS_MAX = 60_000;
/** A request that is told to be longer than it is gets its end after this. */
const PATIENCE_MS = 100;

export function bytesOf({ method, path, headers, body }: WireCall): Buffer {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    "connection: close",
  ];
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  return body ? Buffer.concat([head, body]) : head;
}

/** Sends the bytes on a connection of their own and waits for the end of the answer. */
export function sendBytes(port: number, bytes: Buffer, framed = true): Promise<Reply> {
  return new Promise((resolve) => {
    const started = performance.now();
    const socket = connect(port, "127.0.0.1");
    const parts: Buffer[] = [];
    const finish = (kind: "ended" | "silent"): void => {
      clearTimeout(limit);
      clearTimeout(patience);
      socket.destroy();
      const ms = performance.now() - started;
      resolve(kind === "silent" ? { kind, ms } : replyOf(Buffer.concat(parts), ms));
    };
    const limit = setTimeout(() => finish("silent"), HANG_MS_MAX);
    const patience = framed ? undefined : setTimeout(() => socket.end(), PATIENCE_MS);
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.on("error", () => {});
    socket.on("close", () => finish("ended"));
    socket.write(bytes);
  });
}

/** The first final answer of what came; what follows it on the connection is not looked at. */
function replyOf(all: Buffer, ms: number): Reply {
  let text = all.toString("latin1");
  while (/^HTTP\/1\.1 1\d\d /.test(text)) text = text.slice(text.indexOf("\r\n\r\n") + 4);
  const end = text.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
  if (end < 0 || !status) return { kind: "cut", ms, received: text.slice(0, 200) };
  const head = text.slice(0, end);
  const rest = text.slice(end + 4);
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  const body = /^transfer-encoding: chunked$/im.test(head)
    ? unchunked(rest)
    : rest.slice(0, Number(length ?? rest.length));
  return { kind: "answered", status: Number(status), head, body: Buffer.from(body, "latin1").toString(), ms };
}

function unchunked(text: string): string {
  let body = "";
  for (let at = 0; ; ) {
    const line = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (line < 0 || !(size > 0)) return body;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}
