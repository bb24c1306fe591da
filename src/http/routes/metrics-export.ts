/** The raw export: every metered event of a range as CSV, streamed (contract, section 8). */

import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { METRICS_COLUMNS, metricsCsv } from "../../render/metrics-csv.ts";
import type { Service } from "../../service.ts";
import type { Query } from "../query-string.ts";
import { basisHeaders, tellBasis } from "../report-basis.ts";
import { accountParams, errorSchema, judgedByCore } from "../schemas.ts";

const READERS = ["USER", "ADMIN", "OPERATOR"] as const;

const description = `One row for each event that was not voided, in the order of its quarter of an hour, then arrival; then the
accelerator time of the account's own deployments, one row for each UTC day. A range of any length. Columns: ${METRICS_COLUMNS.join(", ")}.

- email: of the user who owns the event's API key; where it names no key that is known, of the user it names, or that
  name itself where it holds an @.
- start_time, end_time: the event's time, in UTC, cut to the second; for a deployment the day's piece.
- accelerator_seconds: exact, with up to three decimals; empty where usage is not metered by it.
- base_model_name: the model that was called; for deployments and training the base model.
- model_bucket, parameter_count: from the sizes of models in the price book; empty where it has none.
- prompt_tokens: cached and uncached together; for TRAINING_TOKEN_USAGE the tokens it trained on. Audio seconds and
  images have no column: their rows show that they were, and billingUsage how much.

A value that a spreadsheet would run as a formula (it begins with =, +, - or @) has an apostrophe before it.
The answer is made while it is read. When something fails in the middle, or the server stops, the connection is broken
before the last chunk, so a client must take an answer that ends without one as cut off, and ask again.`;

const example = [
  METRICS_COLUMNS.join(","),
  "ada@example.com,2025-10-20 17:16:48 UTC,2025-10-20 17:16:48 UTC,TEXT_COMPLETION_INFERENCE_USAGE,,," +
    "accounts/fireworks/models/llama-v3p1-8b-instruct,4B - 16B,8030000000,803,109,200,603",
  "",
].join("\n");

export function metricsExportRoutes(app: FastifyInstance, service: Service): void {
  const open = new Set<Readable>();
  app.addHook("preClose", async () => {
    for (const stream of open) stream.destroy();
  });
  app.get(
    "/v1/accounts/:account_id/billing/metrics::export",
    {
      config: { access: READERS },
      // A HEAD would read the whole range to say nothing of it.
      exposeHeadRoute: false,
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Reports"],
        operationId: "exportBillingMetrics",
        summary: "Every metered event as CSV",
        description,
        params: accountParams,
        querystring: {
          type: "object",
          properties: {
            startTime: {
              type: "string",
              format: "date-time",
              description: "Inclusive",
              examples: ["2026-05-28T00:00:00Z"],
            },
            endTime: {
              type: "string",
              format: "date-time",
              description: "Exclusive",
              examples: ["2026-05-29T00:00:00Z"],
            },
          },
          required: ["startTime", "endTime"],
        },
        response: {
          200: {
            description: "CSV with a header; the ledger's position is that of the beginning",
            headers: basisHeaders,
            content: { "text/csv": { schema: { type: "string", examples: [example] } } },
          },
          default: errorSchema,
        },
      },
    },
    async (request, reply) => {
      const { account_id: account } = request.params as { account_id: string };
      const { report, basis } = await service.exportMetrics(account, request.query as Query);
      // Texts are asked for as the client takes them, and no more once it has gone.
      const stream = Readable.from(metricsCsv(report.pages), { objectMode: false });
      open.add(stream);
      stream.once("close", () => open.delete(stream));
      return tellBasis(reply, basis)
        .type("text/csv; charset=utf-8")
        .header("content-disposition", 'attachment; filename="billing_metrics.csv"')
        .send(stream);
    },
  );
}
