/** Why a unit of usage costs an account what it costs. */

import type { FastifyInstance } from "fastify";
import { ACCELERATOR_TYPES, SERVICE_TIERS, USAGE_TYPE_NAMES } from "../../domain/usage.ts";
import { priceExplanationJson } from "../../render/price-explanation.ts";
import type { Service } from "../../service.ts";
import type { Query } from "../query-string.ts";
import { timeSchema } from "../resource-fields.ts";
import { accountParams, errorSchema, judgedByCore } from "../schemas.ts";

const text = { type: "string" } as const;
const names = { type: "array", items: text } as const;

const lineExample = {
  priceBook: "priceBooks/1",
  line: 18,
  match: "model accounts/fireworks/models/kimi-k2p6",
  effectiveFrom: "2026-05-01T00:00:00Z",
  effectiveTo: null,
  source: "Price list, May 2026",
} as const;

const lineProperties = {
  priceBook: text,
  line: { type: "integer", description: "Where it stands in that version's text" },
  match: { type: "string", description: "What it is for" },
  effectiveFrom: timeSchema,
  effectiveTo: { type: ["string", "null"], description: "Exclusive; null while no end is known" },
  source: text,
} as const;

const entrySchema = {
  type: "object",
  properties: { kind: { type: "string", description: "The price, by its field in the book" }, ...lineProperties },
  required: ["kind", ...Object.keys(lineProperties)],
  additionalProperties: false,
} as const;

const priceSchema = {
  type: ["object", "null"],
  properties: {
    unitUsd: { type: "string", description: "Dollars for one unit, exactly as usage is rated" },
    statedUsd: { type: "string", description: "Dollars for perUnits, as the entry states them" },
    perUnits: text,
    multipliers: {
      type: "array",
      items: { type: "object", properties: { name: text, factor: text }, required: ["name", "factor"] },
    },
    discount: {
      type: ["object", "null"],
      properties: { percent: text, ...lineProperties },
      additionalProperties: false,
    },
    entry: entrySchema,
  },
  required: ["unitUsd", "statedUsd", "perUnits", "multipliers", "discount", "entry"],
  additionalProperties: false,
} as const;

const componentSchema = {
  type: "object",
  properties: {
    quantity: { type: "string", description: "What is counted: tokens, images, seconds" },
    list: { ...priceSchema, description: "By the list; null where nothing prices it" },
    net: { ...priceSchema, description: "What the account pays; null where nothing prices it" },
    others: {
      type: "array",
      description: "Entries that fit and lost; without any price, those that come nearest",
      items: {
        ...entrySchema,
        properties: {
          ...entrySchema.properties,
          lostIn: { type: ["string", "null"], description: "The field in which the winner says more" },
          needs: { ...names, description: "What would have to be otherwise for the entry to price it" },
        },
      },
    },
  },
  required: ["quantity", "list", "net", "others"],
  additionalProperties: false,
} as const;

const priceExample = {
  unitUsd: "0.00000095",
  statedUsd: "0.95",
  perUnits: "1000000",
  multipliers: [],
  discount: null,
  entry: { kind: "perMillionTokens", ...lineExample },
} as const;

const example = {
  account: "accounts/acme",
  at: "2026-10-20T12:00:00Z",
  priceBook: "priceBooks/1",
  contractPriceBook: "",
  usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
  model: "accounts/fireworks/models/kimi-k2p6",
  serviceTier: "",
  acceleratorType: "",
  placement: "",
  jobType: "",
  baseModel: "",
  batch: false,
  promptTokensAbove: "0",
  components: [{ quantity: "uncachedPromptTokens", list: priceExample, net: priceExample, others: [] }],
} as const;

const reply = {
  description: "The unit prices, and the entries that they come from",
  type: "object",
  properties: {
    account: text,
    at: timeSchema,
    priceBook: { type: "string", description: "The version of the list" },
    contractPriceBook: { type: "string", description: "The version of the account's contract; empty without one" },
    usageType: text,
    model: text,
    serviceTier: text,
    acceleratorType: text,
    placement: text,
    jobType: text,
    baseModel: text,
    batch: { type: "boolean" },
    promptTokensAbove: { type: "string", description: "The context-length class: prompts longer than this" },
    components: { type: "array", items: componentSchema },
  },
  required: Object.keys(example),
  additionalProperties: false,
  examples: [example],
} as const;

export function priceExplanationRoutes(app: FastifyInstance, service: Service): void {
  app.get(
    "/v1/accounts/:account_id/prices::explain",
    {
      config: { access: ["USER", "ADMIN", "OPERATOR"] },
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Price books"],
        operationId: "explainPrices",
        summary: "What a unit of usage costs the account at a time, and why",
        description: "Name a model, a baseModel or an acceleratorType, and what else the price may depend on.",
        params: accountParams,
        querystring: {
          type: "object",
          properties: {
            model: text,
            at: { ...timeSchema, description: "Left out: now" },
            usageType: { type: "string", enum: USAGE_TYPE_NAMES, description: "Left out: the first that has a price" },
            serviceTier: { type: "string", enum: SERVICE_TIERS },
            batch: { type: "string", enum: ["false", "true"] },
            acceleratorType: { type: "string", enum: ACCELERATOR_TYPES },
            placement: text,
            jobType: text,
            baseModel: { ...text, description: "Left out: the model, for accelerators and training" },
            promptTokens: { type: "string", description: "The length of the prompt, for prices that depend on it" },
            asOf: { ...timeSchema, description: "By the prices that were known then; left out: by the newest" },
          },
          additionalProperties: false,
        },
        response: { 200: reply, default: errorSchema },
      },
    },
    async ({ params, query }) => {
      const { account_id: account } = params as { account_id: string };
      return priceExplanationJson(await service.explainPrices(account, query as Query));
    },
  );
}
