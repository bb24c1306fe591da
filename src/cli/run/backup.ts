/** `daybook backup`: a copy of the data folder, or one line that says why there is none. */

import { existsSync, rmSync } from "node:fs";
import { SingleBar } from "cli-progress";
import { backupFolder, holdsLedger } from "../../folder-tools.ts";
import { namesOf, readPlaces } from "../places.ts";
import { EXIT, refused, sayable } from "../refusal.ts";

interface BackupFlags {
  readonly data: string;
  readonly to: string;
}

const MB = 1_000_000;
const REMOVALS_MAX = 20;

/**
 * @param isFolderNamed Whether --data was on the command line: then that folder is copied, if it holds a ledger.
 * @throws Fault when the folder is none of ours, or the copy cannot be written; Refusal when there is more to copy.
 */
export async function backup({ data, to }: BackupFlags, isFolderNamed: boolean): Promise<void> {
  const elsewhere = namesOf(readPlaces(process.env));
  if (elsewhere.length > 0 && !(isFolderNamed && holdsLedger(data))) {
    throw refused(
      `${elsewhere.join(" and ")} ${elsewhere.length === 1 ? "is" : "are"} set, and a backup is of a data folder alone; ` +
        "back up ClickHouse by BACKUP DATABASE and PostgreSQL by pg_dump, as docs/scale-out.md tells",
    );
  }
  const bar = process.stderr.isTTY
    ? new SingleBar({ format: "Copying [{bar}] {value} of {total} MB", stream: process.stderr, clearOnComplete: true })
    : undefined;
  bar?.start(1, 0);
  const onProgress = (done: number, total: number): void => {
    bar?.setTotal(Math.ceil(total / MB));
    bar?.update(Math.ceil(done / MB));
  };
  let folder: string | undefined;
  const onFolder = (path: string): void => {
    folder = path;
  };
  const stop = (): void => {
    if (folder !== undefined) {
      // Renamed: the copy is whole, and about to be told.
      if (!existsSync(folder)) return;
      bar?.stop();
      // SQLite's thread may make a file in it meanwhile.
      rmSync(folder, { recursive: true, force: true, maxRetries: REMOVALS_MAX });
    }
    process.exit(EXIT.interrupted);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  const { events, position, bytes } = await backupFolder(data, to, { onProgress, onFolder }).finally(() => bar?.stop());
  const counts = `${events} events, position ${position}, ${(bytes / MB).toFixed(1)} MB`;
  process.stdout.write(`all of ${sayable(data)} is in ${sayable(to)}: ${counts}\n`);
}
