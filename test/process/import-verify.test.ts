/** `daybook import usage` and `daybook verify` as an operator runs them: real processes on a real folder. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createWriteStream, existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { until } from "../until.ts";
import { Daybook, run, type Said, start } from "./daybook.ts";
import { ask } from "./http.ts";

/** A program of the system. */
const MKFIFO = "mkfifo";
let folder: string;
let data: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "daybook-import-"));
  data = join(folder, "data");
  const { daybook } = await start({ folder: data });
  await daybook.stop();
});
after(() => rm(folder, { recursive: true }));

const importing = (file: string, ...more: string[]): Promise<Said> =>
  run(["import", "usage", file, "--data", data, ...more], { cwd: folder });
const line = (said: Said): string => `${said.code} | ${said.stdout.trim()}`;

const event = (id: string, promptTokens: number | string): string =>
  `{"id":"${id}","time":"2026-05-01T00:00:00Z","usageType":"TEXT_COMPLETION_INFERENCE_USAGE","model":"m","promptTokens":${promptTokens}}`;

test("a file is imported once, however often it is; what is not taken goes to the rejects file", async () => {
  const file = join(folder, "events.ndjson");
  const text = [event("a", 1), event("b", 2), event("b", 2), event("a", 9), event("c", -1), "{", ""].join("\n");
  await writeFile(file, text);
  const first = await importing(file);
  assert.equal(line(first), "1 | created 2, duplicates 1, conflicts 1, rejected 2");
  assert.equal(first.stderr, `daybook: 3 lines were not taken; see ${file}.rejects.ndjson\n`);
  const rejects = (await readFile(`${file}.rejects.ndjson`, "utf8")).trim().split("\n");
  assert.deepEqual(
    rejects.map((one) => JSON.parse(one)).map(({ line: number, text: own }) => [number, own]),
    [
      [4, event("a", 9)],
      [5, event("c", -1)],
      [6, "{"],
    ],
  );
  const good = join(folder, "good.ndjson");
  await writeFile(good, text.split("\n").slice(0, 3).join("\n"));
  assert.equal(line(await importing(good)), "0 | created 0, duplicates 3, conflicts 0, rejected 0");
  assert.ok(!existsSync(`${good}.rejects.ndjson`));
});

test("what one server exports, another imports, once", async () => {
  const { daybook, url } = await start({ folder: data });
  const path = "/v1/accounts/acme/billing/metrics:export?startTime=2026-01-01T00:00:00Z&endTime=2027-01-01T00:00:00Z";
  const answer = await ask(url, { path });
  const held = await run(["verify", "--data", data]);
  assert.equal(held.code, 1);
  assert.match(held.stderr, /^daybook: data folder .* is in use by another daybook process \(process \d+\); .*\n$/);
  await daybook.stop();
  assert.ok(answer.kind === "answered" && answer.status === 200);
  const file = join(folder, "metrics.csv");
  const copy = answer.body.split("\n").slice(1, -1);
  await writeFile(file, answer.body);
  const totals = `created ${copy.length}, duplicates 0, conflicts 0, rejected 0`;
  assert.equal(line(await importing(file, "--account", "acme")), `0 | ${totals}`);
  const again = `created 0, duplicates ${copy.length}, conflicts 0, rejected 0`;
  assert.equal(line(await importing(file, "--account-id", "acme")), `0 | ${again}`);
});

test("an import that is killed in the middle is completed by the next one, and every sum agrees", async () => {
  const file = join(folder, "large.ndjson");
  const total = 200_000;
  await writeFile(file, Array.from({ length: total }, (_, n) => event(`large-${n}`, n)).join("\n"));
  // A pipe that gives no more than the first half, so that the kill comes in the middle on any machine.
  const pipe = join(folder, "half.ndjson");
  assert.equal(spawnSync(MKFIFO, [pipe]).status, 0);
  const killed = new Daybook(["import", "usage", pipe, "--data", data]);
  const half = createWriteStream(pipe).on("error", () => {});
  half.write((await readFile(file, "utf8")).slice(0, -(total / 2) * event("large-0", 0).length));
  const ledger = new DatabaseSync(join(data, "ledger.db"), { readOnly: true });
  const count = (): number =>
    ledger.prepare("SELECT count(*) AS n FROM events WHERE id >= 'large-' AND id < 'large.'").get()!.n as number;
  await until("a batch is written", () => count() > 0);
  killed.signal("SIGKILL");
  assert.equal((await killed.end()).signal, "SIGKILL");
  half.destroy();
  const kept = count();
  ledger.close();
  assert.ok(kept > 0 && kept < total, `${kept} of ${total} were written when it was killed`);

  const stopped = new Daybook(["import", "usage", file, "--data", data]);
  setTimeout(() => stopped.signal("SIGINT"), 900);
  const said = await stopped.end();
  if (said.code === 130) assert.match(said.stderr, /^daybook: interrupted after line \d+; import the same file again/);
  // On a busy machine it may not have begun by then, or already be done.
  else assert.ok(said.signal === "SIGINT" || said.code === 0, said.stderr);

  const done = await importing(file);
  const [, created, duplicates] = /^created (\d+), duplicates (\d+), conflicts 0, rejected 0\n$/.exec(done.stdout)!;
  assert.equal(done.code, 0);
  assert.equal(Number(created) + Number(duplicates), total);
  assert.ok(Number(duplicates) >= kept);

  const verified = await run(["verify", "--data", data]);
  assert.match(line(verified), /^0 \| all \d+ sums agree with \d+ events$/);
});

test("an empty file holds no events", async () => {
  assert.equal(line(await importing("/dev/null")), "0 | created 0, duplicates 0, conflicts 0, rejected 0");
});

test("verify finds a flipped sum, says where, and exits 1", async () => {
  const database = new DatabaseSync(join(data, "ledger.db"));
  const one = "slot = (SELECT min(slot) FROM sums)";
  database.exec(`UPDATE sums SET prompt_tokens = prompt_tokens + 1 WHERE ${one}`);
  const found = await run(["verify", "--data", data]);
  assert.equal(found.code, 1);
  assert.match(
    found.stdout,
    /^sum: acme, 2026-05-01T00:00:00Z, series \d+, promptTokens: \d+ is kept, its events add up to \d+\n/,
  );
  assert.match(found.stdout, /\n\d+ differences? among \d+ sums and \d+ events\n$/);
  database.exec(`UPDATE sums SET prompt_tokens = prompt_tokens - 1 WHERE ${one}`);
  database.close();
  assert.equal((await run(["verify", "--data", data])).code, 0);
});

const refused: readonly (readonly [args: readonly string[], code: number, stderr: RegExp])[] = [
  [["import", "usage", "none.ndjson"], 1, /^daybook: file "none.ndjson" cannot be used: there is no such file\n$/],
  [["import", "usage", "."], 1, /^daybook: file "." cannot be used: it is a folder; name a file\n$/],
  [["import", "usage", "/dev/null", "--account", "nobody"], 1, /^daybook: account: "nobody" was not found\n$/],
  [["import", "usage", "a", "--rejects", "./a"], 1, /^daybook: file "a" cannot be used: there is no such file\n$/],
];
for (const [args, code, stderr] of refused) {
  test(`refused in one line: ${args.join(" ")}`, async () => {
    const said = await run([...args, "--data", data], { cwd: folder });
    assert.equal(said.code, code);
    assert.match(said.stderr, stderr);
  });
}

test("a folder that is none of ours is not made one", async () => {
  for (const args of [["verify"], ["import", "usage", "/dev/null"]]) {
    const said = await run([...args, "--data", join(folder, "typo")]);
    assert.equal(said.code, 1);
    assert.match(said.stderr, /^daybook: data folder ".*typo" cannot be used: it holds no ledger.db; .*\n$/);
    assert.ok(!existsSync(join(folder, "typo")));
  }
});
