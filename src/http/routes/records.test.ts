/** The routes of accounts, users, keys and deployments, through the whole server. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Accounts } from "../../accounts/store.ts";
import { DAY_MS } from "../../domain/time.ts";
import type { Service } from "../../service.ts";
import { buildServer } from "../server.ts";

const START = Date.UTC(2026, 4, 28);
const L4 = "NVIDIA_L4_24GB";

interface Reply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the wire's JSON, whose shape is what the tests are about.
  readonly json: any;
  readonly headers: Record<string, unknown>;
}

/** A server over an empty store with the accounts `default` (its operator's key) and `acme`. */
async function open(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "daybook-routes-"));
  const now = () => START;
  const accounts = await Accounts.open({ place: { path: join(folder, "accounts.db") }, now, randomBytes });
  // These routes use nothing else of the service.
  const service = {
    accounts,
    now,
    listAccounts: accounts.listAccounts.bind(accounts),
    getAccount: accounts.getAccount.bind(accounts),
    patchAccount: accounts.patchAccount.bind(accounts),
  } as Partial<Service> as Service;
  const app = await buildServer({ service });
  t.after(async () => {
    await app.close();
    await accounts.close();
    await rm(folder, { recursive: true });
  });
  const operator = (await accounts.bootstrap())!.key;
  const call = async (key: string, line: string, body?: object): Promise<Reply> => {
    const [method, url] = line.split(" ") as ["GET", string];
    const headers = { authorization: `Bearer ${key}` };
    const reply = await app.inject({ method, url, headers, ...(body && { body }) });
    return { status: reply.statusCode, json: reply.json(), headers: reply.headers };
  };
  await call(operator, "POST /v1/accounts?accountId=acme", { email: "billing@acme.example" });
  const keyOf = async (role: string, user = "admin"): Promise<string> => {
    const made = await call(operator, `POST /v1/accounts/acme/users/${user}/apiKeys`, { apiKey: { role } });
    return made.json.key;
  };
  return { app, call, operator, keyOf };
}

test("the wire shapes of account, user, key and deployment", async (t) => {
  const { call, operator, keyOf } = await open(t);
  const admin = await keyOf("ADMIN");
  const time = "2026-05-28T00:00:00Z";
  const acme = {
    name: "accounts/acme",
    displayName: "acme",
    createTime: time,
    accountType: "ENTERPRISE",
    email: "billing@acme.example",
    state: "READY",
    status: { code: "OK", message: "" },
    suspendState: "UNSUSPENDED",
    timezone: "UTC",
    updateTime: time,
  };
  assert.deepEqual((await call(admin, "GET /v1/accounts/acme")).json, acme);
  assert.deepEqual((await call(admin, "GET /v1/accounts")).json, { accounts: [acme], totalSize: 1 });
  const all = await call(operator, "GET /v1/accounts?page_size=1");
  assert.deepEqual([all.json.accounts.length, all.json.totalSize], [1, 2]);
  const rest = await call(operator, `GET /v1/accounts?pageToken=${all.json.nextPageToken}`);
  assert.deepEqual(
    rest.json.accounts.map((one: { name: string }) => one.name),
    ["accounts/default"],
  );

  const verified = await call(admin, "GET /verifyApiKey");
  assert.deepEqual([verified.status, verified.json, verified.headers["x-fireworks-account-id"]], [200, {}, "acme"]);

  const ada = { displayName: "Ada", email: "ada@acme.example" };
  const user = { ...ada, name: "accounts/acme/users/ada", role: "USER", createTime: time };
  const name = "accounts/acme/users/ada";
  assert.deepEqual((await call(admin, "POST /v1/accounts/acme/users", { ...ada, name })).json, user);
  assert.deepEqual((await call(admin, "GET /v1/accounts/acme/users/ada")).json, user);

  const apiKey = { displayName: "ci", expireTime: "2026-06-01T02:00:00.5+02:00", annotations: { team: "x", y: "z" } };
  const made = await call(admin, "POST /v1/accounts/acme/users/ada/apiKeys", { apiKey });
  const { key, ...shown } = made.json;
  assert.deepEqual(shown, {
    keyId: shown.keyId,
    displayName: "ci",
    createTime: time,
    secure: true,
    email: "ada@acme.example",
    prefix: key.slice(0, 8),
    expireTime: "2026-06-01T00:00:00.500Z",
    annotations: { team: "x" },
    role: "USER",
  });
  const listed = await call(key, "GET /v1/accounts/acme/users/-/apiKeys");
  assert.deepEqual(listed.json, { apiKeys: [{ ...shown, lastUsed: time }], totalSize: 1 });

  const deployment = {
    name: "accounts/acme/deployments/chat",
    displayName: "",
    createTime: time,
    updateTime: time,
    state: "READY",
    baseModel: "m",
    acceleratorType: L4,
    acceleratorCount: 2,
    placement: "US",
    annotations: {},
    replicaCount: 3,
    replicaChanges: [{ time, replicaCount: 3 }],
  };
  const ask = { baseModel: "m", acceleratorType: L4, acceleratorCount: 2, region: "US", replicaCount: 3 };
  const created = await call(admin, "POST /v1/accounts/acme/deployments?deployment_id=chat", ask);
  assert.deepEqual([created.status, created.json], [200, deployment]);
  assert.deepEqual((await call(key, "GET /v1/accounts/acme/deployments/chat")).json, deployment);
  const list = (await call(key, "GET /v1/accounts/acme/deployments?pageSize=9999")).json;
  assert.deepEqual(list, { deployments: [deployment], totalSize: 1 });
  const patched = await call(admin, "PATCH /v1/accounts/acme/deployments/chat", { annotations: { team: "t" } });
  assert.deepEqual(patched.json, { ...deployment, annotations: { team: "t" } });
  const scaled = await call(admin, "POST /v1/accounts/acme/deployments/chat:scale", {
    replicaCount: 1,
    time: "2026-05-27T23:00:00Z",
  });
  const earlier = { time: "2026-05-27T23:00:00Z", replicaCount: 1 };
  assert.deepEqual(scaled.json.replicaChanges, [earlier, { time, replicaCount: 3 }]);
  assert.deepEqual((await call(admin, "DELETE /v1/accounts/acme/deployments/chat")).json, {});
  assert.equal((await call(admin, "GET /v1/accounts/acme/deployments/chat")).status, 404);
});

test("who may do what", async (t) => {
  const { call, operator, keyOf } = await open(t);
  const keys: Record<string, string> = { OPERATOR: operator };
  await call(operator, "POST /v1/accounts/acme/users", { name: "ada" });
  for (const role of ["ADMIN", "USER", "METER"]) keys[role] = await keyOf(role, role === "USER" ? "ada" : "admin");
  const acme = "/v1/accounts/acme";
  const cases: [string, object | undefined, operator: number, admin: number, user: number, meter: number][] = [
    ["GET /verifyApiKey", undefined, 200, 200, 200, 200],
    ["GET /v1/accounts", undefined, 200, 200, 200, 200],
    ["POST /v1/accounts", {}, 400, 403, 403, 403],
    [`GET ${acme}`, undefined, 200, 200, 200, 200],
    ["GET /v1/accounts/default", undefined, 200, 404, 404, 404],
    ["GET /v1/accounts/nowhere", undefined, 404, 404, 404, 404],
    [`GET ${acme}/users`, undefined, 200, 200, 200, 403],
    [`POST ${acme}/users`, {}, 400, 400, 403, 403],
    [`POST ${acme}/users`, { name: "boss", role: "OPERATOR" }, 200, 403, 403, 403],
    [`GET ${acme}/users/-/apiKeys`, undefined, 200, 200, 200, 403],
    [`GET ${acme}/users/ada/apiKeys`, undefined, 200, 200, 200, 403],
    [`GET ${acme}/users/admin/apiKeys`, undefined, 200, 200, 403, 403],
    [`GET ${acme}/users/nobody/apiKeys`, undefined, 404, 404, 403, 403],
    [`POST ${acme}/users/-/apiKeys`, { apiKey: {} }, 200, 200, 200, 403],
    [`POST ${acme}/users/admin/apiKeys`, { apiKey: {} }, 200, 200, 403, 403],
    [`POST ${acme}/users/ada/apiKeys`, { apiKey: { role: "OPERATOR" } }, 200, 403, 403, 403],
    [`POST ${acme}/users/ada/apiKeys`, { apiKey: { role: "ADMIN" } }, 200, 200, 403, 403],
    [`POST ${acme}/users/ada/apiKeys`, { apiKey: { role: "METER" } }, 200, 200, 403, 403],
    [`POST ${acme}/users/-/apiKeys:delete`, { keyId: "key_none" }, 404, 404, 404, 403],
    [`GET ${acme}/deployments`, undefined, 200, 200, 200, 403],
    [`POST ${acme}/deployments?deploymentId=B`, { acceleratorType: L4 }, 400, 400, 403, 403],
    [`PATCH ${acme}/deployments/none`, {}, 404, 404, 403, 403],
    [`DELETE ${acme}/deployments/none`, undefined, 404, 404, 403, 403],
    [`POST ${acme}/deployments/none:scale`, { replicaCount: 1 }, 404, 404, 403, 403],
  ];
  for (const [line, body, ...statuses] of cases) {
    for (const [at, role] of ["OPERATOR", "ADMIN", "USER", "METER"].entries()) {
      const reply = await call(keys[role]!, line, body);
      assert.equal(reply.status, statuses[at], `${role} ${line} ${JSON.stringify(reply.json)}`);
    }
    assert.equal((await call("fw_wrong", line, body)).status, 401);
  }
});

test("keys are revoked by those who could have made them", async (t) => {
  const { call, operator, keyOf } = await open(t);
  await call(operator, "POST /v1/accounts/acme/users", { name: "ada" });
  const [admin, user] = [await keyOf("ADMIN"), await keyOf("USER", "ada")];
  const make = async (who: string, role: string) =>
    (await call(operator, `POST /v1/accounts/acme/users/${who}/apiKeys`, { apiKey: { role } })).json.keyId as string;
  const cases: [string, string, string, string, number][] = [
    // caller    path  owner    role       status
    [user, "-", "ada", "USER", 200],
    [user, "ada", "ada", "USER", 200],
    [user, "-", "ada", "ADMIN", 403],
    [user, "-", "admin", "USER", 404],
    [user, "admin", "admin", "USER", 403],
    [admin, "-", "ada", "METER", 200],
    [admin, "admin", "ada", "METER", 404],
    [admin, "-", "ada", "OPERATOR", 403],
    [operator, "-", "ada", "OPERATOR", 200],
  ];
  for (const [caller, path, owner, role, status] of cases) {
    const keyId = await make(owner, role);
    const reply = await call(caller, `POST /v1/accounts/acme/users/${path}/apiKeys:delete`, { keyId });
    assert.equal(reply.status, status, `${path} ${owner} ${role} ${JSON.stringify(reply.json)}`);
  }
  const [first] = (await call(operator, "GET /v1/accounts/default/users/-/apiKeys")).json.apiKeys;
  const gone = await call(admin, "POST /v1/accounts/acme/users/-/apiKeys:delete", { keyId: first.keyId });
  assert.equal(gone.status, 404, "a key of another account");
});

test("bad requests say what is wrong, all of it", async (t) => {
  const { call, operator } = await open(t);
  const acme = "/v1/accounts/acme";
  const cases: [string, object | undefined, string[]][] = [
    ["GET /v1/accounts?page_size=x", undefined, ["pageSize"]],
    ["GET /v1/accounts?pageSize=-1", undefined, ["pageSize"]],
    ["GET /v1/accounts?pageSize=1&pageSize=2", undefined, ["pageSize"]],
    ["GET /v1/accounts?pageToken=!", undefined, ["pageToken"]],
    ["GET /v1/accounts?size=1&colour=red", undefined, ["size", "colour"]],
    ["GET /verifyApiKey?x=1", undefined, ["x"]],
    ["POST /v1/accounts", { name: "accounts/", email: "x" }, ["accountId", "email"]],
    ["POST /v1/accounts?accountId=a1", { name: "accounts/a2" }, ["name"]],
    ["POST /v1/accounts?accountId=a1", { name: 5, id: "a" }, ["name", "id"]],
    [`POST ${acme}/users`, { name: "accounts/other/users/ada" }, ["userId"]],
    [`POST ${acme}/users`, { name: "ada", role: "KING" }, ["role"]],
    [
      `POST ${acme}/users/-/apiKeys`,
      { apiKey: { displayName: "\u0000", expireTime: "tomorrow", annotations: { team: "" } } },
      ["apiKey.expireTime", "apiKey.displayName", "apiKey.annotations.team"],
    ],
    [`POST ${acme}/users/-/apiKeys`, { displayName: "x" }, ["displayName"]],
    [`POST ${acme}/users/-/apiKeys:delete`, {}, ["keyId"]],
    [`POST ${acme}/deployments`, { acceleratorType: L4 }, ["deploymentId"]],
    [`POST ${acme}/deployments?deploymentId=d`, { acceleratorCount: "2" }, ["acceleratorType", "acceleratorCount"]],
    [`POST ${acme}/deployments?deploymentId=d`, { acceleratorType: L4, placement: "US", region: "EU" }, ["region"]],
    [`POST ${acme}/deployments/d:scale`, { replicaCount: 10_001, time: "soon" }, ["time", "replicaCount"]],
    [
      `POST ${acme}/deployments/d:scale`,
      { replicaCount: 1, time: new Date(START + DAY_MS + 1).toISOString() },
      ["time"],
    ],
  ];
  for (const [line, body, fields] of cases) {
    const { status, json } = await call(operator, line, body);
    assert.equal(status, 400, `${line} ${JSON.stringify(json)}`);
    const violations = json.details[0].fieldViolations as { field: string; description: string }[];
    assert.deepEqual(violations.map((one) => one.field).sort(), fields.sort(), `${line} ${JSON.stringify(json)}`);
    assert.equal(json.message, violations[0]!.description);
  }
  const twice: [string, object, number, number][] = [
    ["POST /v1/accounts", { name: "acme" }, 409, 6],
    [`POST ${acme}/users`, { name: "admin" }, 409, 6],
    [`POST ${acme}/deployments/none:scale`, { replicaCount: 1 }, 404, 5],
    [`POST ${acme}/deployments/none:start`, {}, 404, 5],
  ];
  for (const [line, body, status, code] of twice) {
    const reply = await call(operator, line, body);
    assert.deepEqual([reply.status, reply.json.code], [status, code], line);
  }
});

test("the routes are described, with examples", async (t) => {
  const { app } = await open(t);
  const { paths } = app.swagger() as { paths: Record<string, Record<string, { operationId?: string }>> };
  const described = Object.entries(paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => `${verb} ${path} ${operation.operationId}`),
  );
  for (const line of [
    "get /v1/accounts listAccounts",
    "get /verifyApiKey verifyApiKey",
    "post /v1/accounts/{account_id}/users/{user_id}/apiKeys:delete deleteApiKey",
    "post /v1/accounts/{account_id}/deployments/{deployment_id}:scale scaleDeployment",
    "patch /v1/accounts/{account_id}/deployments/{deployment_id} updateDeployment",
  ]) {
    assert.ok(described.includes(line), line);
  }
});
