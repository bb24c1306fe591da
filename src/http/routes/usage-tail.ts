/** Usage as it is written, one JSON line an event, for as long as the client reads. */

import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { liveLine } from "../../render/live-usage.ts";
import type { LiveListener, Service } from "../../service.ts";
import { accountParams, errorSchema } from "../schemas.ts";

const READERS = ["USER", "ADMIN", "OPERATOR"] as const;
/** An empty line this often tells both sides that the other is there. */
const ALIVE_MS = 15_000;

const description = `Events as they come to the ledger, whoever writes them, with what they cost by today's prices: NDJSON, a
line each, until the client hangs up. Tags are those that the event counts under. An empty line every ${ALIVE_MS / 1000} s says that
nothing came. A client that reads too slowly misses events, and is told how many: {"dropped":12}. It is a view and no
record: an event that is written twice may be shown twice.`;

const example = `${JSON.stringify({
  id: "fireworks:chatcmpl-1",
  time: "2026-05-28T09:00:00Z",
  usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
  model: "accounts/fireworks/models/kimi-k2p6",
  promptTokens: 1117,
  completionTokens: 46,
  costNanoUsd: 1245150,
  cost: { currencyCode: "USD", units: "0", nanos: 1245150 },
})}\n`;

interface TailQuery {
  readonly apiKeyId?: string;
  readonly model?: string;
  readonly forSeconds?: string;
}

export function usageTailRoute(app: FastifyInstance, service: Service): void {
  const open = new Set<LiveListener>();
  app.addHook("preClose", async () => {
    for (const listener of open) listener.close();
  });
  app.get<{ Params: { account_id: string }; Querystring: TailQuery }>(
    "/v1/accounts/:account_id/usageEvents::tail",
    {
      config: { access: READERS },
      exposeHeadRoute: false,
      schema: {
        tags: ["Usage events"],
        operationId: "tailUsageEvents",
        summary: "Usage as it is written",
        description,
        params: accountParams,
        querystring: {
          type: "object",
          properties: {
            apiKeyId: { type: "string", description: "Only usage of this key" },
            model: { type: "string", description: "Only usage of this model" },
            forSeconds: {
              type: "string",
              pattern: "^\\d{1,6}$",
              description: "The answer ends after so many; when left out, only when the client hangs up",
            },
          },
          additionalProperties: false,
        },
        response: {
          200: {
            description: "NDJSON without an end",
            content: { "application/x-ndjson": { schema: { type: "string", examples: [example] } } },
          },
          default: errorSchema,
        },
      },
    },
    async ({ params: { account_id: account }, query, raw }, reply) => {
      // Nothing more is expected of the client; what it gets keeps the connection alive.
      raw.socket.setTimeout(0);
      const { apiKeyId = "", model = "", forSeconds } = query;
      const listener = service.live.listen(account, { apiKeyId, model });
      const timer =
        forSeconds === undefined ? undefined : setTimeout(() => listener.close(), Number(forSeconds) * 1000);
      open.add(listener);
      reply.raw.once("close", () => {
        clearTimeout(timer);
        open.delete(listener);
        service.live.leave(account, listener);
      });
      return reply.type("application/x-ndjson").send(Readable.from(linesOf(listener), { objectMode: false }));
    },
  );
}

async function* linesOf(listener: LiveListener): AsyncGenerator<string> {
  // The headers leave with the first bytes.
  yield "\n";
  for (let items = await listener.take(ALIVE_MS); items; items = await listener.take(ALIVE_MS)) {
    yield items.length === 0 ? "\n" : items.map(liveLine).join("");
  }
}
