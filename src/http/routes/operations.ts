/** What an operator and a tool ask of the process itself. */

import type { FastifyInstance } from "fastify";
import { TZDB_VERSION } from "../../domain/time.ts";
import type { Service } from "../../service.ts";
import type { Metrics } from "../metrics.ts";
import { errorSchema, noQuery } from "../schemas.ts";

const statusResponse = {
  description: "The process answers",
  type: "object",
  properties: {
    status: { type: "string" },
    tzdb: { type: "string", description: "Version of the time zone database" },
  },
  required: ["status"],
  examples: [{ status: "ok", tzdb: "2026c" }],
} as const;

export function operationRoutes(app: FastifyInstance, service: Pick<Service, "ready">, metrics: Metrics): void {
  for (const [url, operationId, summary, check] of [
    ["/healthz", "healthz", "The process lives", async () => {}],
    ["/readyz", "readyz", "The process takes work: its files are open and its engines answer", () => service.ready()],
  ] as const) {
    app.get(
      url,
      {
        config: { access: "public" },
        logLevel: "warn",
        schema: {
          tags: ["Operations"],
          operationId,
          summary,
          security: [],
          querystring: noQuery,
          response: { 200: statusResponse, default: errorSchema },
        },
      },
      async () => {
        await check();
        return { status: "ok", tzdb: TZDB_VERSION };
      },
    );
  }
  app.get(
    "/metrics",
    {
      config: { access: "public" },
      logLevel: "warn",
      schema: {
        tags: ["Operations"],
        operationId: "metrics",
        summary: "Prometheus metrics",
        security: [],
        querystring: noQuery,
        response: { 200: { description: "Text exposition format", type: "string" }, default: errorSchema },
      },
      serializerCompiler: () => (text) => String(text),
    },
    async (_, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  app.get("/openapi.json", { config: { access: "public" }, schema: { hide: true } }, async () => app.swagger());
}
