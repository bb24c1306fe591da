/** What answers on ClickHouse's port in the tests that need no engine: a few statements, and then what a test says. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";

/** An error as the engine tells it. */
export interface EngineError {
  readonly code: number;
  readonly type: string;
  readonly message: string;
}

export interface ScriptedEngine {
  readonly port: number;
  /** The basic credentials of the last statement, decoded. */
  readonly credentials: string;
  /** From now on each statement that this matches fails so. */
  fail(statement: RegExp, error: EngineError): void;
  /** Nobody listens any more. */
  away(): Promise<void>;
  back(): Promise<void>;
}

/** An engine with the ledger's tables and nothing in them; it ends with the test. */
export async function scriptedEngine(t: TestContext): Promise<ScriptedEngine> {
  let server: Server | undefined;
  let port = 0;
  let credentials = "";
  let failing: { readonly statement: RegExp; readonly error: EngineError } | undefined;
  const back = async (): Promise<void> => {
    server = createServer(async (request, response) => {
      const url = new URL(request.url ?? "/", "http://localhost");
      const body = await text(request);
      const statement = url.searchParams.get("query") ?? body;
      credentials = Buffer.from((request.headers.authorization ?? "").slice("Basic ".length), "base64").toString();
      if (failing?.statement.test(statement)) {
        const { code, type, message } = failing.error;
        response.writeHead(500, { "x-clickhouse-exception-code": String(code) });
        response.end(`Code: ${code}. DB::Exception: ${message}. (${type}) (version 26.7.1.1)`);
      } else response.end(answerTo(statement));
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  };
  const away = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    closing?.closeAllConnections();
    if (closing) await new Promise((done) => closing.close(done));
  };
  await back();
  t.after(away);
  return {
    get port() {
      return port;
    },
    get credentials() {
      return credentials;
    },
    fail(statement, error) {
      failing = { statement, error };
    },
    away,
    back,
  };
}

function answerTo(statement: string): string {
  if (statement.startsWith("SELECT version()")) return '["26.7.1.1"]\n';
  return statement.startsWith("SELECT 1") ? '["1"]\n' : "";
}
