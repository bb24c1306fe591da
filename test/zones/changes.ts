/** What releases of the time zone database changed about 2020 to 2030: the only differences that two versions may have. */

/** Releases up to this one are in the table. */
export const CHANGES_KNOWN_TO = "2026f";

/** `from`: the first instant at which the release and the one before it disagree. */
interface Change {
  readonly release: string;
  readonly from: number;
}

// biome-ignore format: a ledger
const TABLE: readonly [release: string, from: string, zones: string][] = [
  ["2026a", "2022-03-27T00:00Z", "Europe/Chisinau Europe/Tiraspol"],
  ["2026b", "2026-11-01T09:00Z", "America/Vancouver Canada/Pacific"],
  ["2026c", "2026-09-20T01:00Z", "Africa/Casablanca Africa/El_Aaiun"],
  ["2026c", "2026-11-01T08:00Z", "America/Edmonton America/Yellowknife Canada/Mountain"],
  ["2026d", "2026-11-01T08:00Z", "America/Inuvik"],
  ["2026e", "2026-11-01T07:00Z", "America/Winnipeg America/Rainy_River Canada/Central"],
  ["2026f", "2026-11-01T05:00Z", "America/Havana Cuba"],
];

/** What changed for a zone between two releases, whichever is the later. */
export function changesBetween(zone: string, one: string, other: string): Change[] {
  const [older, newer] = [one, other].sort() as [string, string];
  return TABLE.filter(
    ([release, , zones]) => release > older && release <= newer && zones.split(" ").includes(zone),
  ).map(([release, from]) => ({ release, from: Date.parse(from) }));
}
