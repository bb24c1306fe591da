/** How `daybook serve` starts while an engine is away: it waits, says so, and answers probes meanwhile. */

import { setTimeout as wait } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { Fault } from "../../domain/fault.ts";
import { buildWaitingServer } from "../../http/waiting.ts";

export interface Waiting {
  /** Listens where the server will. */
  readonly listen: (server: FastifyInstance) => Promise<unknown>;
  readonly signal: AbortSignal;
}

const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 5_000;
/** Probes are answered when opening takes longer than this, as it does while a host is silent. */
const QUICK_MS = 1_000;
/** The same reason is told again after so long. */
const TOLD_EVERY_MS = 60_000;

type Attempt<T> = { readonly opened: T } | { readonly away: string };

/**
 * Opens what takes engines, as soon as they answer, however long that is: whoever runs many processes starts them in any
 * order. Only what waiting can mend is waited for.
 * @throws whatever `open` throws but `unavailable`; the signal's reason.
 */
export async function openWhenReady<T>(open: () => Promise<T>, { listen, signal }: Waiting): Promise<T> {
  const first = attempt(open);
  // Told where it is awaited.
  first.catch(() => {});
  const quick = await Promise.race([first, wait(QUICK_MS)]);
  if (quick && "opened" in quick) return quick.opened;
  let reason = "it is starting";
  const server = buildWaitingServer({ log: process.stderr, reason: () => reason });
  const tell = (why: string): void => {
    reason = why;
    server.log.warn({ reason }, "waiting for an engine; the server starts when it answers");
  };
  try {
    await listen(server);
    const opened = await repeated(first, { open, tell, signal });
    server.log.info("the engines answer");
    return opened;
  } finally {
    // What it opened is the caller's to close, also where the address cannot be had.
    await first.catch(() => {});
    await server.close();
  }
}

async function repeated<T>(
  first: Promise<Attempt<T>>,
  { open, tell, signal }: { open: () => Promise<T>; tell: (reason: string) => void; signal: AbortSignal },
): Promise<T> {
  let told = { reason: "", at: 0 };
  let latest = await first;
  for (let pauseMs = PAUSE_MS_MIN; "away" in latest; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
    const { away } = latest;
    if (told.reason !== away || performance.now() - told.at > TOLD_EVERY_MS) {
      tell(away);
      told = { reason: away, at: performance.now() };
    }
    await wait(pauseMs, undefined, { signal });
    latest = await attempt(open);
  }
  return latest.opened;
}

async function attempt<T>(open: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { opened: await open() };
  } catch (error) {
    if (!(error instanceof Fault) || error.problems[0].code !== "unavailable") throw error;
    return { away: String(error.problems[0].facts.reason) };
  }
}
