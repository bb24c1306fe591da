/** Time zone databases other than the runtime's: an npm package's own, and the machine's where it has one. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import moment from "moment-timezone";
import { readTzif } from "./tzif.ts";

/** A stretch of time with one offset, up to where the next one begins. */
export interface Stretch {
  /** The first instant; -Infinity for the first stretch of a zone. */
  readonly from: number;
  /** Milliseconds that local time is ahead of UTC. */
  readonly offset: number;
}

export interface ZoneSource {
  readonly name: string;
  /** Such as `2026c`. */
  readonly version: string;
  readonly zones: readonly string[];
  /** The stretches of a zone, ascending, for the years that the tests look at. */
  stretches(zone: string): readonly Stretch[];
}

/** Neighbours with one offset are one stretch: a change of name or of `isdst` alone is no change of the clock. */
function joined(stretches: readonly Stretch[]): Stretch[] {
  return stretches.filter(({ offset }, at) => offset !== stretches[at - 1]?.offset);
}

/** The data that moment-timezone carries: compiled by its makers with zic, not taken from ICU. */
export function packagedSource(): ZoneSource {
  const packed = createRequire(import.meta.url)("moment-timezone/data/packed/latest.json") as { version: string };
  return {
    name: "moment-timezone",
    version: packed.version,
    zones: moment.tz.names(),
    stretches: (name) => {
      const zone = moment.tz.zone(name)!;
      return joined(
        zone.offsets.map((minutesWest, at) => ({
          from: at === 0 ? Number.NEGATIVE_INFINITY : zone.untils[at - 1]!,
          offset: -minutesWest * 60_000,
        })),
      );
    },
  };
}

const SYSTEM_FOLDER = "/usr/share/zoneinfo";
const NO_ZONES = ["posix", "right", "posixrules", "localtime", "Factory"];

/** The machine's own TZif files, undefined where it has none. */
export function systemSource(): ZoneSource | undefined {
  const version = systemVersion();
  if (version === undefined) return undefined;
  const zones = readdirSync(SYSTEM_FOLDER, { recursive: true, encoding: "utf8" }).filter(
    (name) => !NO_ZONES.includes(name.split("/")[0]!) && isTzif(join(SYSTEM_FOLDER, name)),
  );
  return {
    name: SYSTEM_FOLDER,
    version,
    zones,
    stretches: (zone) => joined(readTzif(readFileSync(join(SYSTEM_FOLDER, zone)))),
  };
}

function systemVersion(): string | undefined {
  const rules = join(SYSTEM_FOLDER, "tzdata.zi");
  if (!existsSync(rules)) return undefined;
  return /^# version (\S+)/.exec(readFileSync(rules, "latin1"))?.[1];
}

function isTzif(path: string): boolean {
  try {
    return readFileSync(path).toString("latin1", 0, 4) === "TZif";
  } catch {
    return false;
  }
}
