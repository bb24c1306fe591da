/** What an account owes by the month, and at which spends it wants to be told (contract, sections 5 and 8). */

import type { FastifyInstance } from "fastify";
import { THRESHOLD_USD_MAX, THRESHOLDS_MAX, thresholdProblems, webhookProblems } from "../../accounts/checks.ts";
import type { NotificationSettings } from "../../accounts/records.ts";
import type { Accounts } from "../../accounts/store.ts";
import { type Problem, refuseIfAny } from "../../domain/fault.ts";
import { formatInstant } from "../../domain/time.ts";
import { invoiceJson } from "../../render/invoices.ts";
import type { Service } from "../../service.ts";
import { type PageQuery, pageAskOf, pageJson, pageQuery, pageReply } from "../paging.ts";
import { basisHeaders, tellBasis } from "../report-basis.ts";
import { int64Of, sentInt64, timeSchema } from "../resource-fields.ts";
import { accountParams, errorSchema, moneySchema, noQuery, unpricedSchema } from "../schemas.ts";

const READERS = ["OPERATOR", "ADMIN", "USER"] as const;
const WRITERS = ["OPERATOR", "ADMIN"] as const;

const settingsExample = {
  monthlySpendUsdThresholds: ["500", "800"],
  webhookUrl: "https://hooks.acme.example/daybook",
  updateTime: "2026-05-01T09:30:00Z",
} as const;

const settingsReply = {
  description: "The settings",
  type: "object",
  properties: {
    monthlySpendUsdThresholds: {
      type: "array",
      items: { type: "string", description: "Whole dollars, an int64 as text" },
      description: "Spends of a month of the account's zone, ascending; none by default",
    },
    webhookUrl: { type: "string", description: 'Where notices go; "" for nowhere' },
    updateTime: { ...timeSchema, description: "The account's creation while nothing was set" },
  },
  required: Object.keys(settingsExample),
  additionalProperties: false,
  examples: [settingsExample],
} as const;

function settingsJson(settings: NotificationSettings): object {
  return {
    monthlySpendUsdThresholds: settings.monthlySpendUsdThresholds.map(String),
    webhookUrl: settings.webhookUrl,
    updateTime: formatInstant(settings.updateTime),
  };
}

const invoiceExample = {
  name: "accounts/acme/invoices/2026-10",
  state: "CLOSED",
  startTime: "2026-10-01T00:00:00Z",
  endTime: "2026-11-01T00:00:00Z",
  amount: { currencyCode: "USD", units: "417", nanos: 250331904 },
  subtotal: { currencyCode: "USD", units: "417", nanos: 250331904 },
  total: { currencyCode: "USD", units: "417", nanos: 250331904 },
  unpricedQuantities: [],
  priceBookVersion: "3",
} as const;

const versionSchema = { type: "string", examples: ["3"] } as const;

const invoiceSchema = {
  type: "object",
  properties: {
    name: { type: "string" },
    state: { type: "string", enum: ["CLOSED", "PENDING"], description: "PENDING while the month runs" },
    startTime: { ...timeSchema, description: "The start of the UTC month" },
    endTime: { ...timeSchema, description: "Its end, exclusive" },
    amount: { ...moneySchema, description: "What is owed for the month, rounded once; the same as total" },
    subtotal: { ...moneySchema, description: "The same by list prices, before what a contract takes off" },
    total: { ...moneySchema, description: "What is owed, rounded once" },
    unpricedQuantities: unpricedSchema,
    priceBookVersion: { ...versionSchema, description: "The list price book that it is billed by" },
    contractVersion: { ...versionSchema, description: "The account's contract book, where it had one" },
  },
  required: Object.keys(invoiceExample),
  additionalProperties: false,
  examples: [invoiceExample],
} as const;

interface PatchSettings {
  Params: { account_id: string };
  Body: { monthlySpendUsdThresholds?: (string | number)[]; webhookUrl?: string; webhookSecret?: string };
}

export function billingRoutes(app: FastifyInstance, service: Service): void {
  invoicesRoute(app, service);
  settingsRoutes(app, service.accounts);
}

function invoicesRoute(app: FastifyInstance, service: Service): void {
  app.get<{ Params: { account_id: string }; Querystring: PageQuery & { showPending?: "true" | "false" } }>(
    "/v1/accounts/:account_id/billing/invoices",
    {
      config: { access: READERS },
      schema: {
        tags: ["Billing"],
        operationId: "listInvoices",
        summary: "What the account owes, one invoice a UTC month, newest first",
        description:
          "Each month that has ended and has usage has an invoice. It is billed for ever by the price books that were known " +
          "when the month ended, or by the first of the installation; the running month by the newest. Usage that comes " +
          "late or is voided changes the invoice of its month.",
        params: accountParams,
        querystring: {
          type: "object",
          properties: {
            showPending: {
              type: "string",
              enum: ["true", "false"],
              default: "false",
              description: "Also the running month, with or without usage, counted up to now",
            },
            ...pageQuery.properties,
          },
          additionalProperties: false,
        },
        response: {
          200: {
            ...pageReply("invoices", {
              what: "invoices; the headers tell the prices of the running month",
              schema: invoiceSchema,
              example: invoiceExample,
            }),
            headers: basisHeaders,
          },
          default: errorSchema,
        },
      },
    },
    async ({ params, query }, reply) => {
      const ask = { ...pageAskOf(query), showPending: query.showPending === "true" };
      const { report: page, basis } = await service.listInvoices(params.account_id, ask);
      tellBasis(reply, basis);
      return pageJson("invoices", page, invoiceJson);
    },
  );
}

function settingsRoutes(app: FastifyInstance, accounts: Accounts): void {
  app.get<{ Params: { account_id: string } }>(
    "/v1/accounts/:account_id/billing/notificationSettings",
    {
      config: { access: READERS },
      schema: {
        tags: ["Billing"],
        operationId: "getNotificationSettings",
        summary: "At which monthly spends the account wants to be told",
        params: accountParams,
        querystring: noQuery,
        response: { 200: settingsReply, default: errorSchema },
      },
    },
    async ({ params }) => settingsJson(await accounts.getNotificationSettings(params.account_id)),
  );
  app.patch<PatchSettings>(
    "/v1/accounts/:account_id/billing/notificationSettings",
    {
      config: { access: WRITERS },
      schema: {
        tags: ["Billing"],
        operationId: "updateNotificationSettings",
        summary: "Change the thresholds and the webhook",
        description:
          "What is left out stays; thresholds are replaced as a whole. The first time in a month that a threshold is " +
          "reached, one notice is sent to the webhook, and again until it answers 2xx (docs/gateway.md).",
        params: accountParams,
        querystring: noQuery,
        body: {
          type: "object",
          properties: {
            monthlySpendUsdThresholds: {
              type: "array",
              items: sentInt64,
              maxItems: THRESHOLDS_MAX,
              description: `Ascending and distinct, each 1 to ${THRESHOLD_USD_MAX} whole dollars; [] for none`,
            },
            webhookUrl: { type: "string", description: 'http or https; "" takes it and its secret away' },
            webhookSecret: {
              type: "string",
              description: "16 to 256 visible ASCII characters that sign the notices; never shown again",
            },
          },
          minProperties: 1,
          additionalProperties: false,
          examples: [{ monthlySpendUsdThresholds: ["500", "800"] }],
        },
        response: { 200: settingsReply, default: errorSchema },
      },
    },
    async ({ params, body }) => {
      const problems: Problem[] = [];
      const { webhookUrl, webhookSecret } = body;
      const thresholds = body.monthlySpendUsdThresholds?.map((sent, at) =>
        int64Of(sent, `monthlySpendUsdThresholds.${at}`, problems),
      );
      const webhook = { webhookUrl, webhookSecret };
      refuseIfAny([...problems, ...thresholdProblems(thresholds ?? []), ...webhookProblems(webhook)]);
      const whole = thresholds?.filter((threshold) => threshold !== undefined);
      const patch = { monthlySpendUsdThresholds: whole, ...webhook };
      return settingsJson(await accounts.patchNotificationSettings(params.account_id, patch));
    },
  );
}
