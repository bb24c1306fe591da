/** A process that may open few files: it starts, or it says in one sentence what it lacks and leaves the folder in order. */

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ACCOUNT, Daybook, run, start } from "./daybook.ts";
import { askJson } from "./http.ts";

const root = mkdtempSync(join(tmpdir(), "daybook-few-files-"));
after(() => {
  Daybook.killAll();
  rmSync(root, { recursive: true, force: true });
});

/** The runtime, allowed to have so many files open. */
function nodeOf(files: number): string {
  const node = join(root, `node-${files}`);
  writeFileSync(node, `#!/bin/sh\nulimit -n ${files}\nexec ${process.execPath} "$@"\n`);
  chmodSync(node, 0o755);
  return node;
}

test("whichever part of a start finds no file left, the refusal is one line, and the next start is as any other", async () => {
  const folder = join(root, "data");
  const refusals: string[] = [];
  for (let files = 26; files <= 74; files += 6) {
    const served = new Daybook(["serve", "--data", folder, "--port", "0"], { node: nodeOf(files) });
    let isEnded = false;
    const ended = served.ended.then(() => {
      isEnded = true;
    });
    while (!isEnded && !served.url) await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 10))]);
    if (!isEnded) {
      assert.equal((await served.stop()).code, 0);
      continue;
    }
    const { code, stdout, stderr } = await served.end();
    assert.deepEqual([code, stdout], [1, ""], `${files} files: ${stderr}`);
    assert.match(stderr, /^daybook: [^\n]*(cannot start|cannot be used|cannot listen)[^\n]*\n$/, `${files} files`);
    refusals.push(stderr);
  }
  assert.ok(refusals.some((line) => /^daybook: the threads of the .* cannot start: .*\(ulimit -n\)/.test(line)));
  const { daybook, url } = await start({ folder });
  await askJson(url, { path: `/v1/accounts/${ACCOUNT}` });
  assert.equal((await daybook.stop()).code, 0);
  assert.equal((await run(["verify", "--data", folder])).code, 0);
});
