/** examples/azure-trace.ts as a person runs it: a process that talks to a real server over HTTP. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildServer } from "../src/http/server.ts";
import { Service } from "../src/service.ts";

const ROOT = join(import.meta.dirname, "..");
const TRACE = join(ROOT, "../shared/data/azure-llm-inference-2023-conv.csv");
const KEY = "fw_test_azure_trace_0001";
const skip = existsSync(TRACE) ? false : `the Azure trace is not at ${TRACE}, so its totals were NOT checked`;

let folder: string;
let service: Service;
let server: Awaited<ReturnType<typeof buildServer>>;
let url: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "daybook-azure-"));
  service = await Service.open({ dataFolder: join(folder, "data") });
  await service.accounts.bootstrap({ accountId: "tracer", key: KEY });
  server = await buildServer({ service });
  url = await server.listen({ port: 0, host: "127.0.0.1" });
});

after(async () => {
  await server.close();
  await service.close();
  await rm(folder, { recursive: true });
});

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function example(...words: string[]): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["examples/azure-trace.ts", ...words],
      { cwd: ROOT },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

test("the trace counts to the token, and a second run changes nothing", { skip }, async () => {
  const total = "2023-11-16: prompt 22,361,870, completion 4,088,665\n";
  const name = "azure-llm-inference-2023-conv.csv";

  const first = await example("--url", url, "--key", KEY);
  assert.deepEqual(first, {
    code: 0,
    stdout: `${name}: 19366 events, 19366 new, 0 known already\n${total}`,
    stderr: "",
  });

  const second = await example("--url", url, "--key", KEY, "--account", "tracer", TRACE);
  assert.deepEqual(second, {
    code: 0,
    stdout: `${name}: 19366 events, 0 new, 19366 known already\n${total}`,
    stderr: "",
  });
});

test("totals that differ end with 1", async () => {
  const file = join(folder, "small-trace.csv");
  const rows = [
    "TIMESTAMP,ContextTokens,GeneratedTokens",
    "2023-11-17 23:59:59.9999999,10,1",
    "2023-11-18 00:00:00.0000000,20,2",
  ];
  await writeFile(file, rows.join("\r\n"));

  const whole = await example("--url", url, "--key", KEY, file);
  const days = "2023-11-17: prompt 10, completion 1\n2023-11-18: prompt 20, completion 2\n";
  assert.deepEqual(whole, {
    code: 0,
    stdout: `small-trace.csv: 2 events, 2 new, 0 known already\n${days}`,
    stderr: "",
  });

  await service.voidUsage("tracer", ["azure-trace-000002"]);
  const less = await example("--url", url, "--key", KEY, file);
  assert.equal(less.code, 1);
  assert.equal(
    less.stderr,
    "azure-trace: the server counted otherwise: the file has in all: prompt 30, completion 3; " +
      "it counted in all: prompt 10, completion 1\n",
  );
});

test("what cannot work ends with 1 and one line that names the mend", async () => {
  const absent = await example("--url", url, "--key", KEY, "no-such.csv");
  assert.deepEqual(absent, {
    code: 1,
    stdout: "",
    stderr: "azure-trace: there is no file no-such.csv; name the trace's CSV as the last word\n",
  });

  const file = join(folder, "one-row.csv");
  await writeFile(file, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-19 00:00:00.0,1,1\n");
  const stranger = await example("--url", url, "--key", "fw_unheard_of_unheard_of", file);
  assert.equal(stranger.code, 1);
  assert.match(stranger.stderr, /^azure-trace: \/verifyApiKey answered 401: .+\n$/);

  const nobody = `http://127.0.0.1:${await freePort()}`;
  const alone = await example("--url", nobody, file);
  assert.equal(alone.code, 1);
  assert.match(
    alone.stderr,
    /^azure-trace: cannot reach http:\/\/127\.0\.0\.1:\d+ \(.*ECONNREFUSED.*\); is the server running\? .+\n$/,
  );
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
