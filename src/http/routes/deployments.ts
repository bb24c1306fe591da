/** Dedicated deployments and their replicas (contract, section 5). */

import type { FastifyInstance } from "fastify";
import { ACCELERATOR_COUNT_MAX, REPLICA_COUNT_MAX, scaleProblems } from "../../accounts/checks.ts";
import { replicasAt } from "../../accounts/deployments.ts";
import type { Deployment } from "../../accounts/records.ts";
import { Fault, type Problem, problem, refuseIfAny } from "../../domain/fault.ts";
import { formatInstant, type Instant } from "../../domain/time.ts";
import { ACCELERATOR_TYPES } from "../../domain/usage.ts";
import { type PageQuery, pageAskOf, pageJson, pageQuery, pageReply } from "../paging.ts";
import { annotationsSchema, emptyReply, instantOf, newId, optionalText, timeSchema } from "../resource-fields.ts";
import { accountParams, errorSchema, noQuery } from "../schemas.ts";
import type { RecordsContext } from "./accounts.ts";

const READERS = ["OPERATOR", "ADMIN", "USER"] as const;
const WRITERS = ["OPERATOR", "ADMIN"] as const;
/** Replica changes that a reply shows, the latest ones. */
const REPLICA_CHANGES_SHOWN_MAX = 100;

const deploymentExample = {
  name: "accounts/acme/deployments/chat",
  displayName: "Chat",
  createTime: "2026-05-01T09:30:00Z",
  updateTime: "2026-05-01T09:30:00Z",
  state: "READY",
  baseModel: "accounts/fireworks/models/kimi-k2p6",
  acceleratorType: "NVIDIA_H200_141GB",
  acceleratorCount: 8,
  placement: "US",
  annotations: { team: "search" },
  replicaCount: 2,
  replicaChanges: [{ time: "2026-05-01T09:30:00Z", replicaCount: 2 }],
} as const;

const acceleratorType = { type: "string", enum: ACCELERATOR_TYPES } as const;
const acceleratorCount = {
  type: "integer",
  default: 1,
  description: `Accelerators of one replica, 1 to ${ACCELERATOR_COUNT_MAX}`,
} as const;
const replicaCount = { type: "integer", description: `0 to ${REPLICA_COUNT_MAX}` } as const;
const placement = {
  type: "string",
  description: "At most 64 of A-Z, 0-9 and _",
  examples: ["US", "GLOBAL", "US_IOWA_1", "REGION_UNSPECIFIED"],
} as const;

const deploymentSchema = {
  type: "object",
  properties: {
    name: { type: "string" },
    displayName: { type: "string" },
    createTime: timeSchema,
    updateTime: timeSchema,
    state: { type: "string", enum: ["READY"] },
    baseModel: { type: "string" },
    acceleratorType,
    acceleratorCount,
    placement,
    annotations: annotationsSchema,
    replicaCount: { type: "integer", description: "Replicas that run now" },
    replicaChanges: {
      type: "array",
      maxItems: REPLICA_CHANGES_SHOWN_MAX,
      description: `From each time on, so many replicas; the latest ${REPLICA_CHANGES_SHOWN_MAX}`,
      items: {
        type: "object",
        properties: { time: timeSchema, replicaCount },
        required: ["time", "replicaCount"],
        additionalProperties: false,
      },
    },
  },
  required: Object.keys(deploymentExample),
  additionalProperties: false,
  examples: [deploymentExample],
} as const;

const deploymentReply = { ...deploymentSchema, description: "The deployment" } as const;

const deploymentParams = {
  type: "object",
  properties: { ...accountParams.properties, deployment_id: { type: "string", description: "The bare id" } },
  required: ["account_id", "deployment_id"],
} as const;

const attributeProperties = {
  displayName: optionalText,
  baseModel: optionalText,
  acceleratorType,
  acceleratorCount,
  placement,
  region: { ...placement, description: "Another word for placement" },
  annotations: annotationsSchema,
} as const;

interface SentAttributes {
  displayName?: string;
  baseModel?: string;
  acceleratorType?: string;
  acceleratorCount?: number;
  placement?: string;
  region?: string;
  annotations?: Record<string, unknown>;
}

interface OneDeployment {
  Params: { account_id: string; deployment_id: string };
}

interface CreateDeployment {
  Params: { account_id: string };
  Querystring: { deploymentId?: string };
  Body: SentAttributes & { name?: string; acceleratorType: string; replicaCount?: number };
}

interface PatchDeployment extends OneDeployment {
  Body: SentAttributes;
}

interface ScaleDeployment extends OneDeployment {
  Body: { replicaCount: number; time?: string };
}

function deploymentJson(deployment: Deployment, now: Instant): object {
  const { replicaChanges } = deployment;
  return {
    name: `accounts/${deployment.account}/deployments/${deployment.id}`,
    displayName: deployment.displayName,
    createTime: formatInstant(deployment.createTime),
    updateTime: formatInstant(deployment.updateTime),
    state: "READY",
    baseModel: deployment.baseModel,
    acceleratorType: deployment.acceleratorType,
    acceleratorCount: deployment.acceleratorCount,
    placement: deployment.placement,
    annotations: deployment.annotations,
    replicaCount: replicasAt(replicaChanges, now),
    replicaChanges: replicaChanges
      .slice(-REPLICA_CHANGES_SHOWN_MAX)
      .map((change) => ({ time: formatInstant(change.time), replicaCount: change.replicaCount })),
  };
}

/** @throws Fault when placement and region say different things. */
function placementOf({ placement, region }: SentAttributes): string | undefined {
  if (placement !== undefined && region !== undefined && placement !== region) {
    throw new Fault(problem("not_allowed", "region", { value: region, allowed: "the placement, or nothing" }));
  }
  return placement ?? region;
}

export function deploymentRoutes(app: FastifyInstance, context: RecordsContext): void {
  readRoutes(app, context);
  createRoute(app, context);
  changeRoutes(app, context);
  scaleRoute(app, context);
}

function readRoutes(app: FastifyInstance, { accounts, now }: RecordsContext): void {
  app.get<{ Params: { account_id: string }; Querystring: PageQuery }>(
    "/v1/accounts/:account_id/deployments",
    {
      config: { access: READERS },
      schema: {
        tags: ["Deployments"],
        operationId: "listDeployments",
        summary: "The deployments of an account",
        params: accountParams,
        querystring: pageQuery,
        response: {
          200: pageReply("deployments", { what: "deployments", schema: deploymentSchema, example: deploymentExample }),
          default: errorSchema,
        },
      },
    },
    async ({ params, query }) => {
      const page = await accounts.listDeployments(params.account_id, pageAskOf(query));
      return pageJson("deployments", page, (deployment) => deploymentJson(deployment, now()));
    },
  );
  app.get<OneDeployment>(
    "/v1/accounts/:account_id/deployments/:deployment_id",
    {
      config: { access: READERS },
      schema: {
        tags: ["Deployments"],
        operationId: "getDeployment",
        summary: "One deployment",
        params: deploymentParams,
        querystring: noQuery,
        response: { 200: deploymentReply, default: errorSchema },
      },
    },
    async ({ params }) => deploymentJson(await accounts.getDeployment(params.account_id, params.deployment_id), now()),
  );
}

function createRoute(app: FastifyInstance, { accounts, now }: RecordsContext): void {
  app.post<CreateDeployment>(
    "/v1/accounts/:account_id/deployments",
    {
      config: { access: WRITERS },
      schema: {
        tags: ["Deployments"],
        operationId: "createDeployment",
        summary: "Make a deployment",
        description: "The id of a deleted deployment cannot be used again: its usage keeps the name.",
        params: accountParams,
        querystring: {
          type: "object",
          properties: { deploymentId: { type: "string", description: "The bare id; or send the body's name" } },
          additionalProperties: false,
        },
        body: {
          type: "object",
          properties: {
            name: { type: "string", description: "chat or accounts/acme/deployments/chat" },
            ...attributeProperties,
            replicaCount: { ...replicaCount, description: "Replicas from now on; none when left out" },
          },
          required: ["acceleratorType"],
          additionalProperties: false,
          examples: [
            {
              name: "chat",
              baseModel: "accounts/fireworks/models/kimi-k2p6",
              acceleratorType: "NVIDIA_H200_141GB",
              acceleratorCount: 8,
              placement: "US",
              annotations: { team: "search" },
              replicaCount: 2,
            },
          ],
        },
        response: { 200: deploymentReply, default: errorSchema },
      },
    },
    async ({ params: { account_id: account }, query, body: { name, region, ...body } }) => {
      const prefix = `accounts/${account}/deployments/`;
      const id = newId({ parameter: "deploymentId", sent: query.deploymentId, name, prefix });
      const placement = placementOf({ ...body, ...(region !== undefined && { region }) });
      return deploymentJson(await accounts.createDeployment(account, { ...body, id, placement }), now());
    },
  );
}

function changeRoutes(app: FastifyInstance, { accounts, now }: RecordsContext): void {
  app.patch<PatchDeployment>(
    "/v1/accounts/:account_id/deployments/:deployment_id",
    {
      config: { access: WRITERS },
      schema: {
        tags: ["Deployments"],
        operationId: "updateDeployment",
        summary: "Change what is named, from now on",
        description: "Usage up to now keeps what held then. Annotations are replaced as a whole.",
        params: deploymentParams,
        querystring: noQuery,
        body: {
          type: "object",
          properties: attributeProperties,
          additionalProperties: false,
          examples: [{ annotations: { team: "ranking" } }],
        },
        response: { 200: deploymentReply, default: errorSchema },
      },
    },
    async ({ params, body: { region, ...body } }) => {
      const placement = placementOf({ ...body, ...(region !== undefined && { region }) });
      const patch = { ...body, placement };
      return deploymentJson(await accounts.patchDeployment(params.account_id, params.deployment_id, patch), now());
    },
  );
  app.delete<OneDeployment>(
    "/v1/accounts/:account_id/deployments/:deployment_id",
    {
      config: { access: WRITERS },
      schema: {
        tags: ["Deployments"],
        operationId: "deleteDeployment",
        summary: "End a deployment and its usage now; past usage stays",
        params: deploymentParams,
        querystring: noQuery,
        response: { 200: emptyReply, default: errorSchema },
      },
    },
    async ({ params }) => {
      await accounts.deleteDeployment(params.account_id, params.deployment_id);
      return {};
    },
  );
}

function scaleRoute(app: FastifyInstance, { accounts, now }: RecordsContext): void {
  app.post<ScaleDeployment>(
    // A verb after a parameter needs the parameter's end said: without it the router takes the colons into its name.
    "/v1/accounts/:account_id/deployments/:deployment_id([^:]+)::scale",
    {
      config: { access: WRITERS },
      schema: {
        tags: ["Deployments"],
        operationId: "scaleDeployment",
        summary: "Set the number of replicas from a time on",
        description:
          "The time may lie in the past, also before the creation, and up to 24 hours ahead. A scale at the time of an " +
          "earlier one replaces it.",
        params: deploymentParams,
        querystring: noQuery,
        body: {
          type: "object",
          properties: { replicaCount, time: { ...timeSchema, description: "RFC 3339; now when left out" } },
          required: ["replicaCount"],
          additionalProperties: false,
          examples: [{ replicaCount: 3, time: "2026-05-28T00:00:00Z" }],
        },
        response: { 200: deploymentReply, default: errorSchema },
      },
    },
    async ({ params, body }) => {
      const problems: Problem[] = [];
      const scale = { replicaCount: body.replicaCount, time: instantOf(body.time, "time", problems) };
      refuseIfAny([...problems, ...scaleProblems(scale, now())]);
      const { account_id: account, deployment_id: id } = params;
      return deploymentJson(await accounts.scaleDeployment(account, id, scale), now());
    },
  );
}
