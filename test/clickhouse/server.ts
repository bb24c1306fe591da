/**
 * The engine behind the part of ClickHouse's HTTP interface that the official client speaks: a process of its own. It
 * prints its address, and ends when its standard input does. `node server.ts [FOLDER [PORT]]`: a folder that is named
 * stays, so that the engine can be killed and started again on what it had.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

interface Session {
  queryAsync(sql: string, options: { readonly format: string }): Promise<{ bytes(): Uint8Array }>;
}

const [named, port = "0"] = process.argv.slice(2);
const folder = named ?? mkdtempSync(join(tmpdir(), "daybook-chdb-"));
const name = "chdb";
const { Session } = (await import(name)) as { Session: new (path: string) => Session };
/** A session does one statement after the other; several do them at once, as the engine does by itself. */
const SESSIONS = 4;
const sessions = Array.from({ length: SESSIONS }, () => new Session(folder));
for (const session of sessions) {
  await session.queryAsync("SET max_query_size = 67108864, mutations_sync = 2", { format: "CSV" });
}
const idle = [...sessions];
const waiting: ((session: Session) => void)[] = [];

async function inSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const session = idle.pop() ?? (await new Promise<Session>((resolve) => waiting.push(resolve)));
  try {
    return await work(session);
  } finally {
    const next = waiting.shift();
    if (next) next(session);
    else idle.push(session);
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const body = await text(request);
  if (url.pathname === "/ping") {
    response.end("Ok.\n");
    return;
  }
  // As the engine does: the statement is the parameter, then the body.
  const query = url.searchParams.get("query");
  const statement = query === null ? body : `${query}\n${body}`;
  try {
    const format = url.searchParams.get("default_format") ?? "TabSeparated";
    const bytes = await inSession(async (session) => {
      const result = await session.queryAsync(statement, { format });
      return Buffer.from(result.bytes());
    });
    response.setHeader("x-clickhouse-summary", "{}");
    response.end(bytes);
  } catch (error) {
    const message = (error as Error).message;
    response.statusCode = 500;
    response.setHeader("x-clickhouse-exception-code", /Code: (\d+)/.exec(message)?.[1] ?? "0");
    response.end(message);
  }
}

const server = createServer((request, response) => void answer(request, response));
server.listen(Number(port), "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.stdin.resume();
process.stdin.on("end", () => {
  if (named === undefined) rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});
