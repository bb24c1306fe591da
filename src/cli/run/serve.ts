/** `daybook serve`: one process, one folder, until a signal ends it. */

import { setFlagsFromString } from "node:v8";
import { Fault, problem } from "../../domain/fault.ts";
import { DAY_MS, formatInstant } from "../../domain/time.ts";
import { buildServer } from "../../http/server.ts";
import { SHIPPED_PRICES } from "../../price-files.ts";
import { type NotifierOptions, Service } from "../../service.ts";
import { type ThreadDeath, threadDeaths } from "../../threads/threads.ts";
import { VERSION } from "../../version.ts";
import { bookMistakes, mistakesCounted } from "../book-mistakes.ts";
import { namesOf, type Places, readPlaces, shownPlace } from "../places.ts";
import { quoted, refused, sayable } from "../refusal.ts";
import { type GatewayPart, gatewayPart, readGatewayFile } from "./gateway.ts";
import { openWhenReady } from "./waiting.ts";

interface ServeOptions {
  readonly data: string;
  readonly port?: number;
  readonly host: string;
  readonly demo?: boolean;
  readonly prices?: string;
  readonly gateway?: string;
  readonly keepEventsDays?: number;
  readonly webhookAllowPrivate?: boolean;
  readonly clickhouseCluster?: string;
}

const PORT_DEFAULT = 8484;
const PORTS_TRIED_MAX = 100;
/** A second signal sooner than this is the first one, passed on. */
const SAME_WISH_MS = 1_000;
const LOOPBACK = ["127.0.0.1", "::1", "localhost"];

type Server = Awaited<ReturnType<typeof buildServer>>;

/**
 * Runs until SIGINT or SIGTERM, then finishes accepted work and closes the files.
 * @throws Fault when the folder, an engine or the port cannot be had. An engine that is away is waited for.
 */
export async function serve(options: ServeOptions): Promise<void> {
  if (options.demo && !LOOPBACK.includes(options.host) && !process.env.DAYBOOK_BOOTSTRAP_KEY) {
    const allowed = `${LOOPBACK[0]}, as the demo's key is known to everyone; or set DAYBOOK_BOOTSTRAP_KEY`;
    throw new Fault(problem("not_allowed", "--host", { value: options.host, allowed }));
  }
  const config = options.gateway === undefined ? undefined : readGatewayFile(options.gateway);
  const places = readPlaces(process.env, options.clickhouseCluster);
  let server: Server | undefined;
  let gateway: GatewayPart | undefined;
  const held: Held = { service: undefined };
  let port = options.port;
  const waiting = new AbortController();
  const early = async (server: Server): Promise<void> => {
    port = Number(new URL(await listen(server, options)).port);
  };
  const stop = stopOnSignal(async () => {
    waiting.abort();
    await server?.close();
    await gateway?.close();
    await held.service?.close();
  });
  try {
    const { signal } = waiting;
    const open = () => begin(options, places, { held, signal });
    // Where all is in the data folder there is nothing to wait for.
    const hasEngines = namesOf(places).length > 0;
    const { service, first } = await (hasEngines ? openWhenReady(open, { listen: early, signal }) : open());
    gateway = gatewayPart(config, service, options.data);
    server = await buildServer({ service, log: process.stderr, addRoutes: gateway.addRoutes });
    logDeaths(server);
    const url = await listen(server, { ...options, ...(port !== undefined && { port }) });
    collectAtTwice();
    if (options.keepEventsDays !== undefined) service.keepEvents(options.keepEventsDays, retentionLog(server));
    service.notifySpend({ allowsPrivate: options.webhookAllowPrivate === true, ...noticeLog(server) });
    sayBook(service, options);
    process.stdout.write(banner(url, { options, places }, first));
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Has garbage collected when a thread's heap is twice what was in use the last time. Where there is much memory the engine
 * waits for four times, and writing then takes 80 MB more. From now on, as the start itself is faster without it.
 */
function collectAtTwice(): void {
  setFlagsFromString("--heap-growing-percent=100");
}

/** Writes a log line for each thread that died. */
function logDeaths({ log }: Server): void {
  threadDeaths.subscribe((death) => {
    const { name, reason } = death as ThreadDeath;
    log.error(
      { threads: name, reason },
      "a thread died; the calls in it were told to come again, and the next starts it anew",
    );
  });
}

/** Writes a log line for each try of a notice. */
function noticeLog({ log }: Server): Pick<NotifierOptions, "told" | "failed"> {
  return {
    told({ thresholdUsd, nextTryTime, ...facts }) {
      const shown = { ...facts, thresholdUsd: `${thresholdUsd}` };
      if (facts.status !== undefined && facts.status < 300) log.info(shown, "told an account of its spend");
      else if (nextTryTime === undefined) log.error(shown, "an account was not told of its spend, and will not be");
      else log.warn({ ...shown, nextTry: formatInstant(nextTryTime) }, "an account could not be told of its spend yet");
    },
    failed: (error) => log.warn({ err: error }, "spends could not be compared with thresholds; it is tried again"),
  };
}

/** What is to be closed at the end, from when it is opened. */
interface Held {
  service: Service | undefined;
}

/** The service, opened, and the first key. @throws Fault `unavailable` when an engine is away; then nothing is held. */
async function begin(
  options: ServeOptions,
  places: Places,
  { held, signal }: { readonly held: Held; readonly signal: AbortSignal },
) {
  const service = await openService(options, places);
  held.service = service;
  try {
    return { service, first: await firstKey(service, options) };
  } catch (error) {
    // At a signal it is being closed already.
    if (!signal.aborted) {
      held.service = undefined;
      await service.close();
    }
    throw error;
  }
}

/** @throws Refusal when the first price book has mistakes, each of which was told. */
async function openService({ data, prices }: ServeOptions, places: Places): Promise<Service> {
  try {
    return await Service.open({ dataFolder: data, ...places, pricesFile: prices });
  } catch (error) {
    const mistakes = bookMistakes(error);
    if (!mistakes || prices === undefined) throw error;
    process.stderr.write(`${mistakes.join("\n")}\n`);
    throw refused(`--prices: ${quoted(prices)} has ${mistakesCounted(mistakes)}; correct the file and start again`);
  }
}

/** Writes one log line for each run. */
function retentionLog({ log }: Server): Parameters<Service["keepEvents"]>[1] {
  return ({ before, dropped, accounts, error }) => {
    const facts = { before: formatInstant(before), dropped, accounts };
    if (error) log.error({ ...facts, err: error }, "dropping raw events was cut off; it goes on within the hour");
    else log.info(facts, "raw events were dropped");
  };
}

/** Which price book is in force, where this start changed it, did not take one or might take another. */
function sayBook({ bookAtStart }: Service, { prices = "" }: ServeOptions): void {
  const { inForce, isNew, refused: fault, shippedIsNewer } = bookAtStart;
  const { version, knownFrom } = inForce;
  if (isNew) process.stdout.write(`Price book version ${version} in force, known from ${formatInstant(knownFrom)}.\n`);
  if (fault) {
    const mistakes = bookMistakes(fault) ?? [sayable(fault.message)];
    const kept = `daybook: --prices: ${quoted(prices)} was not taken; price book version ${version} stays in force`;
    process.stderr.write(`${mistakes.join("\n")}\n${kept}\n`);
  }
  if (shippedIsNewer) {
    process.stdout.write(
      `This Daybook comes with a newer price book than version ${version}, which stays in force. See what it would ` +
        `change with daybook prices diff ${SHIPPED_PRICES}, and take it with daybook prices put ${SHIPPED_PRICES}\n`,
    );
  }
}

interface FirstKey {
  readonly account: string;
  /** The key's text, when it was made now or is the demo's: never one that was given. */
  readonly key: string | undefined;
}

/** On an empty folder: the first account and key, and the demo's usage when it is asked for. */
async function firstKey(service: Service, options: ServeOptions): Promise<FirstKey> {
  const demo = options.demo ? await import("../../demo/fill.ts") : undefined;
  const account = process.env.DAYBOOK_BOOTSTRAP_ACCOUNT ?? demo?.DEMO_ACCOUNT;
  const key = process.env.DAYBOOK_BOOTSTRAP_KEY ?? demo?.DEMO_KEY;
  const made = await service.accounts.bootstrap({ ...(account && { accountId: account }), ...(key && { key }) });
  const given = process.env.DAYBOOK_BOOTSTRAP_KEY !== undefined;
  if (made) {
    await demo?.fillDemo(service, made.account);
    return given ? { account: made.account, key: undefined } : made;
  }
  // A later start: a key that was named beforehand is the same as ever.
  const known = key === undefined ? undefined : await service.accounts.authenticate(key);
  // A folder that knows the demo key is a demo; any other is never written to.
  if (demo && known && key === demo.DEMO_KEY) await topUpDemo(demo.fillDemo(service, known.account));
  return { account: known?.account ?? account ?? "default", key: given ? undefined : known && key };
}

/** Finishes a fill that was interrupted, and adds the days since; an older demo that was changed by hand still starts. */
async function topUpDemo(filling: Promise<void>): Promise<void> {
  try {
    await filling;
  } catch (error) {
    process.stderr.write(`daybook: the demo's newest days were not added: ${(error as Error).message}\n`);
  }
}

/** Listens on the port that was asked for; when none was, on 8484 or the next free one. */
async function listen(server: Server, options: ServeOptions): Promise<string> {
  const first = options.port ?? PORT_DEFAULT;
  const last = options.port === undefined ? first + PORTS_TRIED_MAX : first;
  for (let port = first; ; port += 1) {
    try {
      const url = await server.listen({ port, host: options.host });
      if (port !== first) process.stdout.write(`Port ${first} is taken; using ${port}.\n`);
      return url;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "EADDRINUSE" && port < last) continue;
      const reason = code === "EADDRINUSE" ? "it is taken; stop the other process or choose another --port" : message;
      throw new Fault(problem("address_unusable", "--port", { value: `${options.host}:${port}`, reason }));
    }
  }
}

function banner(
  url: string,
  { options, places }: { readonly options: ServeOptions; readonly places: Places },
  { account, key }: FirstKey,
): string {
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const range = `startTime=${formatInstant(today - 7 * DAY_MS)}&endTime=${formatInstant(today + DAY_MS)}`;
  const given = process.env.DAYBOOK_BOOTSTRAP_KEY !== undefined;
  const known = given ? "as given in DAYBOOK_BOOTSTRAP_KEY" : "as printed at the first start";
  const bearer = key ?? (given ? "$DAYBOOK_BOOTSTRAP_KEY" : "$DAYBOOK_API_KEY");
  const lines = [
    `Daybook ${VERSION}`,
    `  URL      ${url}`,
    `  Account  ${account}`,
    `  Key      ${key ?? known}`,
    `  Data     ${options.data}`,
    ...(places.ledgerUrl === undefined ? [] : [`  Ledger   ${shownPlace(places.ledgerUrl)}`]),
    ...(places.accountsUrl === undefined ? [] : [`  Accounts ${shownPlace(places.accountsUrl)}`]),
    "",
    "Who used what in the last 7 days, and what did it cost? Try:",
    `  curl -s -H "Authorization: Bearer ${bearer}" "${url}/v1/accounts/${account}/billingUsage?${range}"`,
    "",
    "Ctrl-C stops it.",
    "",
  ];
  return lines.join("\n");
}

/** Runs `stop` once at the first signal; a second signal ends the process at once. Returns the same stop. */
function stopOnSignal(stop: () => Promise<void>): () => Promise<void> {
  let stopping: Promise<void> | undefined;
  let asked = 0;
  const once = (): Promise<void> => {
    stopping ??= stop();
    return stopping;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // Ctrl-C under npm or an older Node comes twice: from the terminal, and passed on by the parent.
      if (stopping && Date.now() - asked < SAME_WISH_MS) return;
      if (stopping) process.exit(130);
      asked = Date.now();
      once().then(
        () => process.exit(0),
        (error: Error) => {
          process.stderr.write(`daybook: ${error.message}\n`);
          process.exit(1);
        },
      );
    });
  }
  return once;
}
