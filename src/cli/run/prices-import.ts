/** `daybook prices import`: a published price list in, a price book out, and what did not fit into it on stderr. */

import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { formatInstant, type Instant, SLOT_MS, slotStart } from "../../domain/time.ts";
import { unreadable } from "../../domain/unreadable.ts";
import { type Finding, type ImportReport, importPriceList, LIST_BYTES_MAX, type ListKind } from "../../service.ts";
import type { Context } from "../context.ts";
import { checkSink, type SinkFlags, writeWhole } from "../file-sink.ts";
import { quoted, refused, wrongWords } from "../refusal.ts";
import { readTime } from "../time.ts";

interface ImportFlags extends SinkFlags {
  readonly from: ListKind;
  readonly provider?: string;
  readonly modelPrefix: string;
  readonly effectiveFrom: string;
}

const STDIN = "-";

/** @throws Fault or Refusal when the list cannot be read, nothing of it can be priced, or the book cannot be written. */
export async function importPrices(context: Context, flags: ImportFlags, args: readonly string[]): Promise<void> {
  const [file = STDIN] = args;
  if (context.dryRun) throw wrongWords("--dry-run: import asks no server and does not know it; leave it out");
  const effectiveFrom = readEdge(flags.effectiveFrom);
  checkSink(flags);
  const { yaml, report } = importPriceList(await readText(file), {
    from: flags.from,
    name: file === STDIN ? "stdin" : basename(file),
    effectiveFrom,
    provider: flags.provider,
    modelPrefix: flags.modelPrefix,
  });
  for (const line of reportLines(report)) context.say(line);
  if (report.entries === 0) throw refused("no price of the list can be said in a book; no book was written");
  await writeWhole(context, flags, (write) => write(yaml));
  const where = flags.filename === STDIN ? "" : ` in ${quoted(flags.filename)}`;
  context.say(`${counted(report.imported, "model")} of ${report.models}, ${counted(report.entries, "entry")}${where}`);
}

function readEdge(text: string): Instant {
  const instant = readTime(text, "--effective-from", "UTC");
  if (instant % SLOT_MS === 0) return instant;
  const before = formatInstant(slotStart(instant));
  throw wrongWords(`--effective-from: ${quoted(text)} is off the 15-minute edges of UTC; the one before is ${before}`);
}

async function readText(file: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    const stream = file === STDIN ? process.stdin : createReadStream(file);
    for await (const part of stream as AsyncIterable<Uint8Array>) {
      bytes += part.length;
      if (bytes > LIST_BYTES_MAX) {
        throw new Error(`it is larger than ${LIST_BYTES_MAX} bytes; give the list itself, as it is published`);
      }
      parts.push(part);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
  } catch (error) {
    throw unreadable("FILE", file, error);
  }
}

const WORDS: Readonly<Record<Finding["kind"], string>> = {
  not_understood: "not understood",
  not_expressible: "not expressible",
  approximated: "not exactly so",
  conflict: "conflict",
  merged: "merged",
};

/** The whole report, one line a finding; conflicts of one reason share a line. */
function reportLines({ findings, partly, unpriced, free }: ImportReport): string[] {
  const lines: string[] = [];
  const conflicts = Map.groupBy(
    findings.filter(({ kind }) => kind === "conflict"),
    ({ reason }) => reason,
  );
  for (const { kind, key, reason, count, example } of findings) {
    if (kind !== "conflict") lines.push(`${WORDS[kind]}: ${key}: ${reason} (${count}, such as ${example})`);
  }
  for (const [reason, of] of conflicts) {
    lines.push(`${WORDS.conflict}: ${reason}: ${of.map(({ key, example }) => `${key} (${example})`).join(", ")}`);
  }
  for (const [reason, of] of Map.groupBy(unpriced, (one) => one.reason)) {
    lines.push(
      `without a price: ${reason}: ${counted(of.length, "model")}: ${of.map(({ model }) => model).join(", ")}`,
    );
  }
  if (free.length > 0) lines.push(`at a price of 0: ${counted(free.length, "model")}: ${free.join(", ")}`);
  if (partly.length > 0) {
    const names = partly.map(({ model }) => model).join(", ");
    lines.push(`priced in part, the book says what is missing: ${counted(partly.length, "model")}: ${names}`);
  }
  return lines;
}

function counted(count: number, what: "model" | "entry"): string {
  if (count === 1) return `1 ${what}`;
  return `${count} ${what === "entry" ? "entries" : "models"}`;
}
