/** An upstream of plain sockets: what it answers is written byte for byte as a test says, sound HTTP or not. */

import { createServer, type Socket } from "node:net";

/** Pieces of an answer, each a write of its own; a number is a pause in milliseconds, "cut" ends the connection. */
export type RawAnswer = readonly (string | Buffer | number)[];

export interface RawUpstream {
  readonly url: string;
  /** Whole requests as they came, oldest first. */
  readonly got: readonly string[];
  /** How many connections were made. */
  readonly connections: number;
  close(): void;
}

export const CUT = "cut";

/** @param answers by the model in a request's body, or else by its path. */
export async function startRawUpstream(answers: Readonly<Record<string, RawAnswer>>): Promise<RawUpstream> {
  const got: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    let rest = "";
    let last = Promise.resolve();
    socket.setEncoding("latin1").on("data", (part: string) => {
      rest += part;
      for (let length = lengthOf(rest); length <= rest.length; length = lengthOf(rest)) {
        const request = rest.slice(0, length);
        rest = rest.slice(length);
        got.push(request);
        const name = /"model":"([^"]*)"/.exec(request)?.[1] ?? request.split(" ")[1]!;
        last = last.then(() => write(socket, answers[name] ?? whole(`{"echo":${JSON.stringify(name)}}`)));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    got,
    get connections() {
      return connections;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** The length of the first request in a text; infinite while its head has not ended. */
function lengthOf(text: string): number {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return Number.POSITIVE_INFINITY;
  const body = head + 4;
  if (!/^transfer-encoding: chunked/im.test(text.slice(0, head))) {
    return body + Number(/^content-length: (\d+)/im.exec(text.slice(0, head))?.[1] ?? 0);
  }
  const end = text.indexOf("\r\n0\r\n\r\n", body - 2);
  return end < 0 ? Number.POSITIVE_INFINITY : end + 7;
}

async function write(socket: Socket, answer: RawAnswer): Promise<void> {
  for (const piece of answer) {
    if (socket.destroyed) return;
    if (typeof piece === "number") await new Promise((resolve) => setTimeout(resolve, piece));
    else if (piece === CUT) socket.destroySoon();
    else if (!socket.write(piece)) await new Promise((resolve) => socket.once("drain", resolve).once("close", resolve));
  }
}

/** An answer of status 200 with its length. */
export function whole(body: string | Buffer, type = "application/json", more = ""): RawAnswer {
  const bytes = Buffer.from(body);
  const head = `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${more}content-length: ${bytes.length}\r\n\r\n`;
  return [Buffer.concat([Buffer.from(head), bytes])];
}

/** An answer in chunks, each piece one. */
export function chunked(pieces: readonly (string | Buffer | number)[], type: string, more = ""): RawAnswer {
  const head = `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${more}transfer-encoding: chunked\r\n\r\n`;
  const parts = pieces.map((piece) => {
    if (typeof piece === "number" || piece === CUT) return piece;
    const bytes = Buffer.from(piece);
    return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
  });
  return [head, ...parts, "0\r\n\r\n"];
}
