/** `daybook prices check`: a price book's file read here, without a server. */

import { Fault, sentence } from "../../domain/fault.ts";
import { formatInstant } from "../../domain/time.ts";
import { checkPriceBook as readBook, readBookFile } from "../../price-files.ts";
import { bookCheckJson } from "../../render/price-books.ts";
import { snakeCased } from "../../render/snake-json.ts";
import { grouped } from "../../render/usage-text.ts";
import { bookMistakes, mistakesCounted } from "../book-mistakes.ts";
import type { Context } from "../context.ts";
import { EXIT, quoted, refused, wrongWords } from "../refusal.ts";
import { timeText } from "../show.ts";

interface CheckFlags {
  readonly accountContract?: boolean;
}

/** @throws Fault or Refusal when the file cannot be read or has a mistake. */
export async function checkPriceBook(
  context: Context,
  { accountContract }: CheckFlags,
  [file = ""]: readonly string[],
): Promise<void> {
  if (context.dryRun) throw wrongWords("--dry-run: check asks no server and does not know it; leave it out");
  const text = readBookFile(file);
  let check: ReturnType<typeof readBook>;
  try {
    check = readBook(text, accountContract ? "contract" : "list");
  } catch (error) {
    return tellMistakes(context, file, error);
  }
  if (context.output === "json") return context.print(JSON.stringify(snakeCased(bookCheckJson(check)), null, 2));
  context.print(`${grouped(String(check.entryCount))} ${check.entryCount === 1 ? "entry" : "entries"}, no mistakes`);
  for (const { kind, match, lines, from, to } of check.gaps) {
    const span = `${timeText(formatInstant(from))}${to === undefined ? " on" : ` to ${timeText(formatInstant(to))}`}`;
    context.print(`${file}:${lines[0]}: gap: no ${kind} for ${match} from ${span}`);
  }
}

function tellMistakes(context: Context, file: string, error: unknown): void {
  const mistakes = bookMistakes(error);
  if (!mistakes || !(error instanceof Fault)) throw error;
  if (context.output !== "json") {
    context.streams.stderr.write(`${mistakes.join("\n")}\n`);
    throw refused(`${quoted(file)} has ${mistakesCounted(mistakes)}`);
  }
  const list = error.problems.map((one) => ({ line: one.facts.line, field: one.field, message: sentence(one) }));
  context.print(JSON.stringify({ mistakes: list }, null, 2));
  process.exitCode = EXIT.refused;
}
