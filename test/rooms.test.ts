/** The house's law of imports: docs/rooms.json says who may import whom, and every file under src/ is held to it. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

interface Room {
  readonly path: string;
  readonly may: readonly string[];
  readonly types?: readonly string[];
  readonly packages: readonly string[];
}

const root = join(import.meta.dirname, "..");
const { rooms } = JSON.parse(readFileSync(join(root, "docs/rooms.json"), "utf8")) as { rooms: Room[] };
const IMPORT = /(?:^|\n)\s*(import|export)\s+(type\s+)?(?:[^"';]*?\s+from\s+)?"([^"]+)"/g;
const DYNAMIC = /\bimport\("([^"]+)"\)/g;

function roomOf(file: string): Room | undefined {
  const matching = rooms.filter(({ path }) => file === path || (path.endsWith("/") && file.startsWith(path)));
  return matching.sort((a, b) => b.path.length - a.path.length)[0];
}

function covered(list: readonly string[], file: string): boolean {
  return list.some((path) => file === path || (path.endsWith("/") && file.startsWith(path)));
}

function mistakes(file: string): string[] {
  const room = roomOf(file);
  if (!room) return [`${file} lies in no room`];
  const text = readFileSync(join(root, "src", file), "utf8");
  const imports = [
    ...[...text.matchAll(IMPORT)].map((match) => ({ typeOnly: match[2] !== undefined, from: match[3]! })),
    ...[...text.matchAll(DYNAMIC)].map((match) => ({ typeOnly: false, from: match[1]! })),
  ];
  return imports.flatMap(({ typeOnly, from }) => {
    if (!from.startsWith(".")) {
      return room.packages.includes(from) || typeOnly ? [] : [`${file} imports the package ${from}`];
    }
    const target = relative(join(root, "src"), join(root, "src", dirname(file), from));
    const own = target === room.path || (room.path.endsWith("/") && target.startsWith(room.path));
    const allowed = own || covered(room.may, target) || (typeOnly && covered(room.types ?? [], target));
    return allowed ? [] : [`${file} imports ${typeOnly ? "types of " : ""}${target}`];
  });
}

test("every file under src/ lies in a room and imports only what its room may", () => {
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  const sources = files.filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
  assert.ok(sources.length > 30, "the walk found the sources");
  assert.deepEqual(sources.flatMap(mistakes), []);
});

test("every room of the table has files", () => {
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  for (const { path } of rooms)
    assert.ok(
      files.some((file) => file.startsWith(path)),
      `${path} is empty`,
    );
});
