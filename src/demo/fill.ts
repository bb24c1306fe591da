/**
 * Writes the made-up company into a service. What is there already stays, so a fill that was cut off goes on where it
 * stopped, and one on a later day adds the days since.
 */

import { SingleBar } from "cli-progress";
import type { Instant } from "../domain/time.ts";
import type { Service } from "../service.ts";
import { type DemoAccount, demoCompany } from "./company.ts";
import { type DemoEvent, dayEvents, demoDays, replicaChanges } from "./events.ts";

export { DEMO_ACCOUNT, DEMO_KEY } from "./company.ts";

/** Calls of a day's events that are under way at once: some are decoded while others are written. */
const CALLS_IN_FLIGHT = 4;
const USERS_MAX = 200;

/** What shows how far the fill is. */
interface Progress {
  add(events: number): void;
  end(): void;
}

/**
 * Fills the service with the company; `account`, which exists, becomes its main account.
 * @throws Error when anything was refused or could not be written; what was written before stays.
 */
export async function fillDemo(service: Service, account: string): Promise<void> {
  const now = service.now();
  const company = demoCompany(account);
  const days = demoDays(now);
  const progress = showProgress(company.length * days.length);
  try {
    for (const one of company) {
      const keyIds = await addRecords(service, one, now);
      const calls = days.values().map((day) => dayEvents(one, keyIds, { day, now }));
      const work = async (): Promise<void> => {
        for (const events of calls) progress.add(await writeDay(service, one.id, events));
      };
      await Promise.all(Array.from({ length: CALLS_IN_FLIGHT }, work));
    }
  } finally {
    progress.end();
  }
}

/** Adds what the account lacks of its users, keys and deployments. Returns the keys' ids by their names. */
async function addRecords({ accounts }: Service, one: DemoAccount, now: Instant): Promise<Map<string, string>> {
  const { id, displayName, email } = one;
  if (!(await accounts.hasAccount(id))) await accounts.createAccount({ id, displayName, email });

  const users = new Set((await accounts.listUsers(id, { pageSize: USERS_MAX })).items.map((user) => user.id));
  for (const user of one.users) if (!users.has(user.id)) await accounts.createUser(id, user);

  // Names of revoked keys count: their usage stays theirs.
  const keyIds = new Map((await accounts.keyNames(id)).entries().map(([keyId, name]) => [name, keyId]));
  for (const { name, user, annotations } of one.keys) {
    if (keyIds.has(name)) continue;
    const { apiKey } = await accounts.createKey(id, user, { displayName: name, role: "USER", annotations });
    keyIds.set(name, apiKey.keyId);
  }

  const known = new Map((await accounts.deploymentsForUsage(id)).map((deployment) => [deployment.id, deployment]));
  for (const { rota: _, ...ask } of one.deployments) {
    if (!known.has(ask.id)) known.set(ask.id, await accounts.createDeployment(id, ask));
  }
  for (const deployment of one.deployments) {
    const { deleteTime, replicaChanges: done } = known.get(deployment.id)!;
    if (deleteTime !== undefined) continue;
    const last = done.at(-1)?.time ?? Number.NEGATIVE_INFINITY;
    for (const change of replicaChanges(deployment, now)) {
      if (change.time > last) await accounts.scaleDeployment(id, deployment.id, change);
    }
  }
  return keyIds;
}

/** Writes a day's events in one call, which is kept whole or not at all. Returns how many there are. */
async function writeDay(service: Service, account: string, events: readonly DemoEvent[]): Promise<number> {
  const last = events.at(-1);
  // The last one is there, so all are.
  if (!last || (await service.findUsage(account, last.id))) return events.length;
  const bytes = new TextEncoder().encode(events.map((event) => JSON.stringify(event)).join("\n"));
  const body = { bytes, contentType: "application/x-ndjson", contentEncoding: "" };
  const { rejected, conflicts } = await service.writeUsage(account, body);
  const refusal = rejected[0]?.message ?? (conflicts[0] && `${conflicts[0].field}: is another one already`);
  if (refusal) {
    const count = rejected.length + conflicts.length;
    throw new Error(`demo: ${count} of ${events.length} events from ${events[0]!.time} were refused; ${refusal}`);
  }
  return events.length;
}

const FORMAT = "Filling the demo [{bar}] {percentage}% | {events} events";

/** A bar on a terminal; elsewhere a line at the start and one at the end. Both on stderr. */
function showProgress(daysTotal: number): Progress {
  const started = performance.now();
  let events = 0;
  let days = 0;
  const bar = process.stderr.isTTY ? new SingleBar({ format: FORMAT }) : undefined;
  if (bar) bar.start(daysTotal, 0, { events });
  else process.stderr.write("Filling the demo: 60 days of a made-up company's usage\n");
  return {
    add(more) {
      events += more;
      days += 1;
      bar?.update(days, { events });
    },
    end() {
      bar?.stop();
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      if (!bar) process.stderr.write(`Filling the demo: ${events} events in ${seconds} s\n`);
    },
  };
}
