/** A whole Daybook with its gateway, in front of a real HTTP upstream that replays recorded answers. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readGatewayConfig } from "../../src/gateway/config.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import { gatewayRoutes } from "../../src/gateway/routes.ts";
import { buildServer } from "../../src/http/server.ts";
import { Service } from "../../src/service.ts";
import { until } from "../until.ts";
import { type Got, REPLAYS } from "./recorded.ts";

export const OPERATOR_KEY = "fw_gateway-operator-0123456789";
export const UPSTREAM_KEY = "up-secret-0123456789";
export const HOME = "home";

export interface Upstream {
  readonly url: string;
  /** What came, oldest first. */
  readonly got: readonly Got[];
  close(): void;
}

/** An upstream on a port of its own. A call of a model answers as {@link REPLAYS} says; any other is echoed. */
export async function startUpstream(): Promise<Upstream> {
  const got: Got[] = [];
  const server: Server = createServer(async (request, answer) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { method = "", url = "", headers, rawHeaders } = request;
    const isJson = headers["content-type"]?.startsWith("application/json") && body.length > 0;
    const json = isJson ? jsonOf(body) : {};
    const one: Got = { method, url, headers, rawHeaders, body, json };
    got.push(one);
    const model = json.model ?? /name="model"\r\n\r\n(.*?)\r\n/.exec(body.toString("latin1"))?.[1];
    const replay = REPLAYS[String(model)];
    if (replay && method === "POST") await replay(one, answer);
    else
      answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ echo: `${method} ${url}` }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function jsonOf(body: Buffer): Got["json"] {
  try {
    return JSON.parse(body.toString()) as Got["json"];
  } catch {
    return {};
  }
}

export interface Serving {
  /** Of the server; the gateway is at `${url}/inference/v1`. */
  readonly url: string;
  readonly service: Service;
  /** The log so far. */
  readonly log: readonly string[];
  readonly spoolFolder: string;
  /** A key of the account with this role. */
  key(role: string): Promise<{ keyId: string; key: string }>;
  /** The event of an id, once it came to the ledger, under its wire fields. */
  event(id: string): Promise<Record<string, unknown>>;
  /** A metric's value, 0 when it is not there: `daybook_gateway_events_total{outcome="created"}`. */
  metric(line: string): Promise<number>;
  close(): Promise<void>;
}

export interface ServingOptions {
  /** The gateway's file. */
  readonly yaml: string;
  /** A PostgreSQL for the accounts; a file when left out. */
  readonly accountsUrl?: string | undefined;
  /** Stands between the gateway and the service. */
  readonly writeUsage?: (service: Service) => Service["writeUsage"];
}

export async function startGateway({ yaml, accountsUrl, writeUsage }: ServingOptions): Promise<Serving> {
  const dataFolder = await mkdtemp(join(tmpdir(), "daybook-gateway-"));
  const spoolFolder = join(dataFolder, "spool");
  const log: string[] = [];
  const service = await Service.open({ dataFolder, accountsUrl });
  const bootstrap = await service.accounts.bootstrap({ accountId: HOME, key: OPERATOR_KEY });
  assert.ok(bootstrap);
  const config = readGatewayConfig("gateway.yaml", yaml, { env: { UPSTREAM_KEY }, readFile: () => "" });
  let gateway: Gateway | undefined;
  const server = await buildServer({
    service,
    log: { write: (line) => void log.push(line) },
    addRoutes(scope, { registry, droppedAnnotations }) {
      const write = (writeUsage?.(service) ?? service.writeUsage).bind(service);
      const parts = {
        config,
        service: {
          accounts: service.accounts,
          budgets: service.budgets,
          now: service.now,
          quote: service.quote.bind(service),
          writeUsage: write,
        },
        spoolFolder,
      };
      gateway = new Gateway(parts, { registry, droppedAnnotations, log: scope.log });
      gatewayRoutes(scope, gateway);
    },
  });
  const url = await server.listen({ port: 0, host: "127.0.0.1" });
  const get = async (path: string): Promise<Response> =>
    fetch(`${url}${path}`, { headers: { authorization: `Bearer ${OPERATOR_KEY}` } });
  return {
    url,
    service,
    log,
    spoolFolder,
    async key(role) {
      const made = await service.accounts.createKey(HOME, "owner", { role: role as "USER" });
      return { keyId: made.apiKey.keyId, key: made.key };
    },
    event(id) {
      return until(`the event ${id}`, async () => {
        const answer = await get(`/v1/accounts/${HOME}/usageEvents/${encodeURIComponent(id)}`);
        const json = (await answer.json()) as Record<string, unknown>;
        return answer.status === 200 && json;
      });
    },
    async metric(line) {
      const text = await (await get("/metrics")).text();
      const found = text.split("\n").find((one) => one.startsWith(`${line} `));
      return Number(found?.slice(line.length + 1) ?? 0);
    },
    async close() {
      await server.close();
      await gateway?.close();
      await service.close();
      await rm(dataFolder, { recursive: true });
    },
  };
}

/** Two upstreams at one address: OpenAI's way with a map of names, Fireworks' way for names that begin so. */
export function yamlOf(upstreamUrl: string, more = ""): string {
  return `
upstreams:
  - name: open
    baseUrl: ${upstreamUrl}/v1
    apiKeyEnv: UPSTREAM_KEY
    models: { "*": "*", public-name: chat-json, public-stream: chat-stream }
    timeouts: { connectMs: 5000, firstByteMs: 5000, idleMs: 5000, finishMs: 5000 }
  - name: fireworks
    baseUrl: ${upstreamUrl}/inference/v1/
    apiKeyEnv: UPSTREAM_KEY
    models: { "accounts/fireworks/*": "accounts/fireworks/*", "fw-*": "accounts/fireworks/models/*" }
    streamUsage: always
${more}`;
}
