/** Episodes one after the other until the time is over; and the same from the prompt, `npm run fuzz`. */

import { misused, readWords, wholeNumber } from "../../tools/script-words.ts";
import { partSeed } from "../simulator/random.ts";
import { type EpisodeOptions, episode } from "./episode.ts";

export interface FuzzOptions {
  /** Of the first episode; the others' follow from it. */
  readonly seed: number;
  readonly seconds: number;
}

export interface FuzzTotals {
  readonly episodes: number;
  readonly requests: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly peakMiB: number;
}

/** Few enough that a failed episode is replayed in seconds, many enough that its state is worth damaging. */
const REQUESTS_PER_EPISODE = 3_000;

/** @throws Error of the first episode that fails, with the command that replays it. */
export async function fuzz({ seed, seconds }: FuzzOptions, onEpisode = (_: EpisodeOptions) => {}): Promise<FuzzTotals> {
  const until = Date.now() + seconds * 1_000;
  const statuses: Record<string, number> = {};
  let [episodes, slowestMs, peakMiB] = [0, 0, 0];
  do {
    const options = { seed: episodes === 0 ? seed : partSeed(seed, episodes), requests: REQUESTS_PER_EPISODE };
    onEpisode(options);
    const result = await episode(options);
    episodes += 1;
    for (const [status, count] of result.statuses) statuses[status] = (statuses[status] ?? 0) + count;
    slowestMs = Math.max(slowestMs, Math.round(result.slowestMs));
    peakMiB = Math.max(peakMiB, result.peakMiB ?? 0);
  } while (Date.now() < until);
  return { episodes, requests: episodes * REQUESTS_PER_EPISODE, statuses, slowestMs, peakMiB };
}

const USAGE = `npm run fuzz -- [--minutes N] [--seed S] [--requests N]

  --minutes N   how long episodes of damaged calls are made, one after the other (10)
  --seed S      of the first episode; any when left out
  --requests N  one episode of so many calls, as a failure names it`;

async function main(): Promise<void> {
  const words = readWords(USAGE, {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: `${Math.floor(Math.random() * 2 ** 32)}` },
    requests: { type: "string" },
  });
  const seed = wholeNumber("seed", words.seed, USAGE);
  const minutes = Number(words.minutes);
  if (!(minutes >= 0)) misused(`--minutes: "${words.minutes}" is no number from 0 on`, USAGE);
  if (words.requests !== undefined) {
    const result = await episode({ seed, requests: wholeNumber("requests", words.requests, USAGE) });
    console.log(`seed ${seed}: nothing found;`, Object.fromEntries(result.statuses));
    return;
  }
  const totals = await fuzz({ seed, seconds: minutes * 60 }, (one) => console.log(`episode of seed ${one.seed}`));
  console.log(`seed ${seed}: nothing found;`, JSON.stringify(totals));
}

if (import.meta.main) await main();
