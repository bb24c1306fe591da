/** Where an export goes: a file that appears under its name only when it is whole, or standard output. */

import { createWriteStream, existsSync, linkSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Context } from "./context.ts";
import { quoted, refused, wrongWords } from "./refusal.ts";

export interface SinkFlags {
  readonly filename: string;
  readonly force?: boolean;
}

/** Writes one part and waits until there is room for the next. */
export type Write = (part: Uint8Array | string) => Promise<void>;

const STDOUT = "-";

/** Says no before anything was asked of the server. @throws Refusal */
export function checkSink({ filename, force }: SinkFlags): void {
  if (filename === "") throw wrongWords("--filename: is empty; name a file, or - for standard output");
  if (filename === STDOUT) return;
  const there = statSync(filename, { throwIfNoEntry: false });
  if (there && !force) throw exists(filename);
  if (there && !there.isFile()) {
    throw refused(`${quoted(filename)} is no plain file; choose another --filename, or - for standard output`);
  }
  if (!existsSync(dirname(filename))) {
    throw refused(`cannot write ${quoted(filename)}: its folder does not exist; make it, or choose another --filename`);
  }
}

function exists(filename: string): Error {
  return refused(`${quoted(filename)} exists already; use --force to overwrite it, or choose another --filename`);
}

/**
 * Lets `fill` write, then gives the file its name. When anything goes wrong, or Ctrl-C ends it, nothing is left behind.
 * @throws Refusal when the disk or the folder does not take it.
 */
export async function writeWhole(
  context: Context,
  flags: SinkFlags,
  fill: (write: Write) => Promise<void>,
): Promise<void> {
  if (flags.filename === STDOUT) {
    await fill((part) => writeTo(context.streams.stdout, part));
    return;
  }
  // Where the name is a link, what it points to is overwritten.
  const filename = existsSync(flags.filename) ? realpathSync(flags.filename) : flags.filename;
  const temporary = join(dirname(filename), `.${basename(filename)}.${process.pid}.part`);
  const remove = (): void => rmSync(temporary, { force: true });
  const file = createWriteStream(temporary, { flags: "wx" });
  // Told by the write that fails, or by the end.
  file.on("error", () => {});
  await context.guarded(remove, async () => {
    try {
      await fill((part) => writeTo(file, part).catch((error) => Promise.reject(diskRefusal(filename, error))));
      file.end();
      await finished(file).catch((error) => Promise.reject(diskRefusal(filename, error)));
      giveName(temporary, { ...flags, filename });
    } catch (error) {
      file.destroy();
      remove();
      throw error;
    }
  });
}

function writeTo(stream: Writable, part: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(part, (error) => (error ? reject(error) : resolve()));
  });
}

/** Renames; without --force a file that came meanwhile is not overwritten either. */
function giveName(temporary: string, { filename, force }: SinkFlags): void {
  try {
    if (!force) {
      linkSync(temporary, filename);
      rmSync(temporary);
      return;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw exists(filename);
    // A file system without links: the check at the start has to do.
  }
  try {
    renameSync(temporary, filename);
  } catch (error) {
    throw diskRefusal(filename, error);
  }
}

function diskRefusal(filename: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  const name = quoted(filename);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return refused(`cannot write ${name}: the disk is full; free some space, or choose another --filename`, {
      cause: error,
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return refused(`cannot write ${name}: it may not be written there; choose another --filename`, { cause: error });
  }
  return refused(`cannot write ${name}: ${message}; choose another --filename`, { cause: error });
}
