/** The id of a data folder. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { folderId, holdFolder } from "./folder.ts";

test("a folder keeps its id, and one whose writing was cut off is made anew: no two folders have the empty one", (t) => {
  const path = mkdtempSync(join(tmpdir(), "daybook-folder-"));
  const folder = holdFolder(path);
  t.after(() => {
    folder.release();
    rmSync(path, { recursive: true });
  });
  writeFileSync(join(path, "daybook.id"), "");
  const made = folderId(folder);
  assert.match(made, /^[0-9a-f-]{36}$/);
  assert.equal(folderId(folder), made);
  assert.equal(readFileSync(join(path, "daybook.id"), "utf8"), `${made}\n`);
});
