/** A reader of TZif files (RFC 9636), versions 2 and later: the transitions, then the rule of the footer. */

import type { Stretch } from "./source.ts";

const HEADER_BYTES = 44;
const DAY_MS = 86_400_000;
/** Files end in the past with a rule for the future; it is worked out for these years. */
const RULE_YEARS = [2007, 2040] as const;

interface Counts {
  readonly isUt: number;
  readonly isStd: number;
  readonly leaps: number;
  readonly times: number;
  readonly types: number;
  readonly characters: number;
}

function countsAt(file: Buffer, start: number): Counts {
  if (file.toString("latin1", start, start + 4) !== "TZif") throw new Error("no TZif file");
  const at = (place: number): number => file.readUInt32BE(start + 20 + place * 4);
  return { isUt: at(0), isStd: at(1), leaps: at(2), times: at(3), types: at(4), characters: at(5) };
}

function dataBytes({ isUt, isStd, leaps, times, types, characters }: Counts, timeBytes: number): number {
  return times * (timeBytes + 1) + types * 6 + characters + leaps * (timeBytes + 4) + isStd + isUt;
}

export function readTzif(file: Buffer): Stretch[] {
  const second = HEADER_BYTES + dataBytes(countsAt(file, 0), 4);
  const counts = countsAt(file, second);
  const times = second + HEADER_BYTES;
  const indexes = times + counts.times * 8;
  const types = indexes + counts.times;
  const offsetOf = (type: number): number => file.readInt32BE(types + type * 6) * 1000;
  const stretches: Stretch[] = [{ from: Number.NEGATIVE_INFINITY, offset: offsetOf(0) }];
  for (let at = 0; at < counts.times; at += 1) {
    const from = Number(file.readBigInt64BE(times + at * 8)) * 1000;
    stretches.push({ from, offset: offsetOf(file[indexes + at]!) });
  }
  const footer = file.toString("latin1", times + dataBytes(counts, 8)).trim();
  const last = stretches.at(-1)!.from;
  return [...stretches, ...ruleStretches(footer).filter(({ from }) => from > last)];
}

const RULE = /^(<[^>]+>|[A-Za-z]+)([^A-Za-z<,]+)(?:(<[^>]+>|[A-Za-z]+)([^,]*),([^,]+),(.+))?$/;

/** What a POSIX TZ text such as `EST5EDT,M3.2.0,M11.1.0` means for each year. */
function ruleStretches(text: string): Stretch[] {
  const found = RULE.exec(text);
  if (!found) throw new Error(`no rule: ${text}`);
  const [, , west = "", summerName, summerWest, begin = "", end = ""] = found;
  const standard = -clockMs(west);
  if (!summerName) return [];
  const summer = summerWest ? -clockMs(summerWest) : standard + 3_600_000;
  const stretches: Stretch[] = [];
  for (let year = RULE_YEARS[0]; year < RULE_YEARS[1]; year += 1) {
    stretches.push({ from: localMs(begin, year) - standard, offset: summer });
    stretches.push({ from: localMs(end, year) - summer, offset: standard });
  }
  return stretches.sort((a, b) => a.from - b.from);
}

/** `-3:30` or `26` as milliseconds. */
function clockMs(text: string): number {
  const [hours = "0", minutes = "0", seconds = "0"] = text.replace(/^[+-]/, "").split(":");
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return text.startsWith("-") ? -ms : ms;
}

/** `M3.2.0/2`, `J60` or `59/1` of a year, as if its local clock were UTC. */
function localMs(rule: string, year: number): number {
  const [date = "", clock = "2"] = rule.split("/");
  return dateMs(date, year) + clockMs(clock);
}

function dateMs(date: string, year: number): number {
  const newYear = Date.UTC(year, 0, 1);
  if (date.startsWith("J")) {
    const day = Number(date.slice(1));
    const leap = new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1;
    return newYear + (day - 1 + (leap && day >= 60 ? 1 : 0)) * DAY_MS;
  }
  if (!date.startsWith("M")) return newYear + Number(date) * DAY_MS;
  const [month = 0, week = 0, weekday = 0] = date.slice(1).split(".").map(Number);
  const first = Date.UTC(year, month - 1, 1);
  const ahead = (weekday - new Date(first).getUTCDay() + 7) % 7;
  const day = first + (ahead + (week - 1) * 7) * DAY_MS;
  return new Date(day).getUTCMonth() === month - 1 ? day : day - 7 * DAY_MS;
}
