/** `daybook verify`: all sums agree, or what differs. */

import { SingleBar } from "cli-progress";
import { formatInstant } from "../../domain/time.ts";
import { type Difference, verifyFolder } from "../../service.ts";
import { EXIT } from "../refusal.ts";

interface VerifyFlags {
  readonly data: string;
}

/** @throws Fault when the folder is held by a server or is none of ours. */
export async function verify({ data }: VerifyFlags): Promise<void> {
  const bar = process.stderr.isTTY
    ? new SingleBar({ format: "Verifying [{bar}] {percentage}%", stream: process.stderr, clearOnComplete: true })
    : undefined;
  bar?.start(1, 0);
  const onProgress = (done: number, total: number): void => {
    bar?.setTotal(Math.max(total, 1));
    bar?.update(done);
  };
  const found = await verifyFolder(data, { onProgress }).finally(() => bar?.stop());
  const { differences, differencesTotal, sums, events } = found;
  if (differencesTotal === 0) {
    process.stdout.write(`all ${sums} sums agree with ${events} events\n${droppedLine(found)}`);
    return;
  }
  process.exitCode = EXIT.refused;
  for (const difference of differences) process.stdout.write(`${lineOf(difference)}\n`);
  const more = differencesTotal - differences.length;
  if (more > 0) process.stdout.write(`and ${more} more\n`);
  const counted = differencesTotal === 1 ? "1 difference" : `${differencesTotal} differences`;
  process.stdout.write(`${counted} among ${sums} sums and ${events} events\n${droppedLine(found)}`);
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
