/** `daybook verify`: all sums agree, or what differs. */

import { SingleBar } from "cli-progress";
import { formatInstant } from "../../domain/time.ts";
import { type Difference, holdsLedger, verifyFolder } from "../../folder-tools.ts";
import type { JournalDifference, JournalVerification } from "../../installation.ts";
import { readPlaces } from "../places.ts";
import { EXIT } from "../refusal.ts";

interface VerifyFlags {
  readonly data: string;
  readonly clickhouseCluster?: string;
}

/**
 * @param isFolderNamed Whether --data was on the command line: then a ledger in that folder is meant, whatever the
 * environment says.
 * @throws Fault when the folder is held by a server or is none of ours, or the engine cannot be asked.
 */
export async function verify({ data, clickhouseCluster }: VerifyFlags, isFolderNamed: boolean): Promise<void> {
  const { ledgerUrl } = isFolderNamed && holdsLedger(data) ? {} : readPlaces(process.env, clickhouseCluster);
  const bar = process.stderr.isTTY
    ? new SingleBar({ format: "Verifying [{bar}] {percentage}%", stream: process.stderr, clearOnComplete: true })
    : undefined;
  bar?.start(1, 0);
  const onProgress = (done: number, total: number): void => {
    bar?.setTotal(Math.max(total, 1));
    bar?.update(done);
  };
  if (ledgerUrl !== undefined) {
    const { verifyEngine } = await import("../../installation.ts");
    tellJournal(await verifyEngine(ledgerUrl, clickhouseCluster, { onProgress }).finally(() => bar?.stop()));
    return;
  }
  const found = await verifyFolder(data, { onProgress }).finally(() => bar?.stop());
  const { differences, differencesTotal, sums, events } = found;
  if (differencesTotal === 0) {
    process.stdout.write(`all ${sums} sums agree with ${events} events\n${droppedLine(found)}`);
    return;
  }
  tellDifferences(differences.map(lineOf), differencesTotal);
  process.stdout.write(`${counted(differencesTotal)} among ${sums} sums and ${events} events\n${droppedLine(found)}`);
}

function tellJournal({ differences, differencesTotal, sums, events, busyLanes }: JournalVerification): void {
  if (differencesTotal === 0) process.stdout.write(`all ${sums} sums agree with ${events} events\n`);
  else {
    tellDifferences(differences.map(journalLine), differencesTotal);
    process.stdout.write(`${counted(differencesTotal)} among ${sums} sums and ${events} events\n`);
  }
  if (busyLanes === 0) return;
  process.stdout.write(`the sums of ${busyLanes} of the ledger's lanes were written all the time and not compared\n`);
}

function tellDifferences(lines: readonly string[], total: number): void {
  process.exitCode = EXIT.refused;
  for (const line of lines) process.stdout.write(`${line}\n`);
  if (total > lines.length) process.stdout.write(`and ${total - lines.length} more\n`);
}

function counted(differences: number): string {
  return differences === 1 ? "1 difference" : `${differences} differences`;
}

function journalLine(difference: JournalDifference): string {
  switch (difference.kind) {
    case "commit":
      return `commit: number ${difference.commit} of lane ${difference.lane} was written twice`;
    case "identity":
      return `identity: ${difference.account}, ${JSON.stringify(difference.id)} has ${difference.events} events`;
    case "void":
      return `void: ${difference.account}, ${JSON.stringify(difference.id)} is not taken out as it was counted, once`;
    case "place":
      return `event: ${difference.account}, ${JSON.stringify(difference.id)} stands in another slot than its time's, or in another commit`;
    case "series":
      return `series: ${difference.account}, ${difference.series} has events and no labels`;
    case "sums":
      return `sum: ${difference.account}, ${formatInstant(difference.slot)}: what is kept is not what its events add up to`;
    case "position":
      return `position: ${difference.account}: what is kept is not its last commit`;
    case "projection":
      return `projection: lane ${difference.lane} keeps no ${difference.projection}; answers are right, and slow`;
    default:
      return difference satisfies never;
  }
}

function droppedLine({ days, daysDropped }: Awaited<ReturnType<typeof verifyFolder>>): string {
  if (daysDropped === 0) return "";
  return `${days} of ${days + daysDropped} days were checked against their events; of the others these were dropped\n`;
}

function lineOf(difference: Difference): string {
  switch (difference.kind) {
    case "file":
      return `file: ${difference.message}`;
    case "sum": {
      const { account, slot, series, field, kept, recomputed } = difference;
      const place = `${account}, ${formatInstant(slot)}, series ${series}, ${field}`;
      return `sum: ${place}: ${kept} is kept, its events add up to ${recomputed}`;
    }
    case "identity":
      return `identity: ${difference.account}, ${JSON.stringify(difference.id)} has an event and no identity that leads to it`;
    case "twice":
      return `twice: ${difference.account}, ${JSON.stringify(difference.id)} has two events`;
    case "entry":
      return `entry: an identity leads to event ${difference.arrival} in ${formatInstant(difference.slot)}, which is not there`;
    case "dropped":
      return `dropped: not one identity leads to event ${difference.arrival} in ${formatInstant(difference.slot)}, which was dropped`;
    case "dropped_row":
      return `dropped: ${difference.account}, what is kept of dropped events of ${formatInstant(difference.slot)} is damaged`;
    case "filter":
      return `filter: that of part ${difference.part} is damaged or lacks identities; the next start makes it anew`;
    case "event": {
      const { account, id, wrong } = difference;
      const what = wrong === "slot" ? "stands in another slot than its time's" : "is of a series that is not there";
      return `event: ${account}, ${JSON.stringify(id)} ${what}`;
    }
    case "day":
      return `day: ${difference.account}, ${formatInstant(difference.day).slice(0, 10)} has sums and no version`;
    case "pack":
      return `pack: ${difference.account}, ${formatInstant(difference.day).slice(0, 10)} is packed as other sums`;
    case "counter":
      return `counter: ${difference.name} is ${difference.kept}, and ${difference.used} was given out`;
    default:
      return difference satisfies never;
  }
}
