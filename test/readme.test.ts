/** The README's shell blocks, run as they stand against a real server. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { buildServer } from "../src/http/server.ts";
import { Service } from "../src/service.ts";

const run = promisify(execFile);

test("five minutes to a first report: what the README writes is what the README's question finds", async (t) => {
  const dataFolder = await mkdtemp(join(tmpdir(), "daybook-readme-"));
  const service = await Service.open({ dataFolder, now: () => Date.UTC(2026, 10, 21) });
  const server = await buildServer({ service });
  t.after(async () => {
    await server.close();
    await service.close();
    await rm(dataFolder, { recursive: true });
  });
  const made = await service.accounts.bootstrap();
  const url = await server.listen({ port: 0, host: "127.0.0.1" });
  const readme = await readFile(join(import.meta.dirname, "..", "README.md"), "utf8");
  const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!);
  assert.equal(blocks.length, 2);

  const answers: unknown[] = [];
  for (const block of [blocks[0]!, ...blocks]) {
    const { stdout } = await run("bash", ["-c", block], { env: { ...process.env, KEY: made!.key, URL: url } });
    answers.push(JSON.parse(stdout));
  }
  const nothing = { created: 0, duplicates: 0, conflicts: [], rejected: [], droppedAnnotations: 0 };
  assert.deepEqual(answers[0], { ...nothing, created: 1 });
  assert.deepEqual(answers[1], { ...nothing, duplicates: 1 });
  const { serverlessCosts } = answers[2] as { serverlessCosts: Record<string, unknown>[] };
  assert.equal(serverlessCosts.length, 1);
  assert.deepEqual(serverlessCosts[0]!.group, { "annotations.team": "search" });
  // 200 uncached x $0.95 + 1,000 cached x $0.16 + 80 output x $4.00, each for a million tokens.
  assert.equal(serverlessCosts[0]!.costNanoUsd, 190_000 + 160_000 + 320_000);
});
