/** Files that a command cannot read: one sentence that names the file and says what is wrong, as words, not as codes. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { daybook, folderFor } from "./prompt.ts";

const NONE = "there is no such file";
const FOLDER = "it is a folder; name a file";
const CODES = /ENOENT|EISDIR|ERR_/;

test("every command that reads a file says in words that there is none, or that it is a folder", async (t) => {
  const cwd = folderFor(t);
  writeFileSync(join(cwd, "key.yaml"), "upstreams:\n  - { name: a, baseUrl: http://127.0.0.1:1, apiKeyFile: none }\n");
  const env = { DAYBOOK_API_KEY: "fw_none", DAYBOOK_ACCOUNT_ID: "acme", DAYBOOK_BASE_URL: "http://127.0.0.1:1" };
  const fault = (file: string, reason: string): string => `daybook: file "${file}" cannot be used: ${reason}\n`;
  const flag = (name: string, file: string, reason: string): string =>
    `daybook: ${name}: "${file}" cannot be read: ${reason}`;
  // biome-ignore format: a ledger
  const cases: [line: string, code: number, said: string][] = [
    ["prices check none", 1, fault("none", NONE)],
    ["prices check .", 1, fault(".", FOLDER)],
    ["prices put none", 1, fault("none", NONE)],
    ["prices put .", 1, fault(".", FOLDER)],
    ["prices diff none", 1, fault("none", NONE)],
    ["prices import none --from litellm", 1, fault("none", NONE)],
    ["prices import . --from litellm", 1, fault(".", FOLDER)],
    ["serve --data d --port 0 --prices none", 1, fault("none", NONE)],
    ["serve --data d --port 0 --prices .", 1, fault(".", FOLDER)],
    ["serve --data d --port 0 --gateway none", 1, flag("--gateway", "none", NONE)],
    ["serve --data d --port 0 --gateway .", 1, flag("--gateway", ".", FOLDER)],
    ["serve --data d --port 0 --gateway key.yaml", 1, `key.yaml:2: upstreams[0].apiKeyFile: the file cannot be read: ${NONE}\n`],
    ["billing notification-settings update --webhook-secret-file none", 2, flag("--webhook-secret-file", "none", NONE)],
    ["billing notification-settings update --webhook-secret-file .", 2, flag("--webhook-secret-file", ".", FOLDER)],
  ];
  for (const [line, code, sentence] of cases) {
    const said = await daybook(line.split(" "), { cwd, env });
    assert.ok(said.stderr.startsWith(sentence), `${line}: ${said.stderr}`);
    assert.equal(said.code, code, line);
    assert.equal(said.stdout, "", line);
    assert.doesNotMatch(said.stderr, CODES, line);
  }
});
