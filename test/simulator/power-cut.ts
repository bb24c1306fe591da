/**
 * What a power cut leaves of SQLite's files. All that was there at the last answer had been synced and stays. What was
 * written since may have reached the disk or not: up to some byte, or some blocks of it and others not.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "./random.ts";

type Files = ReadonlyMap<string, Buffer>;

const BLOCK = 4_096;
const LOG = "-wal";
const WITNESS = "-committed";
const LOG_HEADER = 32;
const LOG_FRAME = 24 + 4_096;
const NOTHING = Buffer.alloc(0);

/** The databases of a folder, their write-ahead logs and the witnesses of these; what else lies there is made again. */
export function readFiles(folder: string): Files {
  const names = readdirSync(folder).filter((name) => /\.db(-wal|-committed)?$/.test(name));
  return new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
}

/** Writes what a cut somewhere between the two states may leave into a new folder. */
export function writeRemains(folder: string, before: Files, after: Files, random: Random): void {
  mkdirSync(folder, { recursive: true });
  const whole = new Set<string>();
  for (const [name, now] of after) {
    if (name.endsWith(WITNESS)) continue;
    const then = before.get(name) ?? NOTHING;
    const left = then.equals(now) ? now : name.endsWith(LOG) ? cutLog(then, now, random) : blocksOf(then, now, random);
    if (left.equals(now)) whole.add(name);
    if (left.length > 0) writeFileSync(join(folder, name), left);
  }
  for (const [name, now] of after) {
    if (!name.endsWith(WITNESS)) continue;
    const then = before.get(name) ?? NOTHING;
    // A witness is written after the commit that it tells of, and is not synced: it may lag, it cannot lead.
    const mayBe = whole.has(name.replace(WITNESS, LOG)) ? [then, now, now.subarray(0, now.length / 2)] : [then];
    const left = random.pick(mayBe);
    if (left.length > 0) writeFileSync(join(folder, name), left);
  }
}

/**
 * The log is written front to back; a cut leaves it written up to some byte, or with blocks missing. A header of its own
 * for a new filling is synced before anything that follows it.
 */
function cutLog(then: Buffer, now: Buffer, random: Random): Buffer {
  let same = 0;
  while (same < then.length && same < now.length && then[same] === now[same]) same += 1;
  const frames = Math.floor((now.length - LOG_HEADER) / LOG_FRAME);
  const edge = LOG_HEADER + random.int(0, Math.max(0, frames)) * LOG_FRAME;
  const end = random.weighted<number | "blocks">([
    [3, random.int(same, now.length)],
    [3, Math.min(now.length, Math.max(same, edge))],
    [2, now.length],
    [1, same],
    [2, "blocks"],
  ]);
  if (end === "blocks")
    return blocksOf(Buffer.concat([now.subarray(0, LOG_HEADER), then.subarray(LOG_HEADER)]), now, random);
  const begun = end < LOG_HEADER ? 0 : end;
  return Buffer.concat([now.subarray(0, begun), then.subarray(begun)]);
}

/** Each block as it was or as it is; one that was not there yet may be zeros. */
function blocksOf(then: Buffer, now: Buffer, random: Random): Buffer {
  const made = Buffer.from(now);
  const share = random.pick([0.1, 0.5, 0.9]);
  for (let at = 0; at < made.length; at += BLOCK) {
    if (random.chance(share)) continue;
    const end = Math.min(at + BLOCK, made.length);
    made.fill(0, at, end);
    if (at < then.length) then.copy(made, at, at, Math.min(end, then.length));
  }
  return made;
}
