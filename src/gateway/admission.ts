/** What a call must pass before its upstream is called, and what is told when its usage is known. */

import { unavailable } from "../domain/fault.ts";
import type { Spool } from "./spool.ts";

/** A call that may go on. */
export interface Ticket {
  /** There is room on disk for the call's event; without it the call goes on unmetered. */
  readonly hasRoom: boolean;
  /** The call is over; whatever was kept for it is given back. */
  settle(): void;
}

/** The drainer goes on by itself, so that room comes. */
const RETRY_AFTER_SECONDS = 5;

/**
 * Lets a metered call on.
 * @throws Fault `unavailable` when the spool is full and closed then.
 */
export function admit(spool: Spool, whenFull: "open" | "closed"): Ticket {
  if (spool.reserve()) return { hasRoom: true, settle: () => spool.release() };
  if (whenFull === "open") return { hasRoom: false, settle: () => {} };
  throw unavailable("the disk space for usage on its way to the ledger is used up", RETRY_AFTER_SECONDS);
}
