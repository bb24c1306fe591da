/** `daybook migrate`: all of one place to another, and what to do then. */

import { SingleBar } from "cli-progress";
import { ledgerPlaceOf } from "../../installation.ts";
import { folderPlace, type Migration, type MigrationPlace, migrate } from "../../migration/migrate.ts";
import { type Places, readPlaces, shownPlace } from "../places.ts";
import { EXIT, keepSecret, quoted, sayable, wrongWords } from "../refusal.ts";
import { stopOnSignal } from "../stop-on-signal.ts";

interface MigrateFlags {
  readonly from: string;
  readonly to: string;
  readonly follow?: boolean;
  readonly clickhouseCluster?: string;
}

/** @throws Refusal for places that are none; Fault when one cannot be used, or a write failed half-way. */
export async function runMigrate({ from, to, follow = false, clickhouseCluster }: MigrateFlags): Promise<void> {
  const places = readPlaces(process.env, clickhouseCluster);
  const between = { from: placeOf(from, "--from", places), to: placeOf(to, "--to", places) };
  if (!("folder" in between.from || "folder" in between.to)) {
    throw wrongWords("--to: one of --from and --to must be a data folder");
  }
  if (follow && !("folder" in between.from)) {
    throw wrongWords(
      "--follow: only a data folder is followed; leave it out, and stop all servers on the engines first",
    );
  }
  const stop = stopOnSignal();
  const bar = showProgress();
  const moved = await migrate({
    ...{ ...between, follow, signal: stop.signal, now: Date.now },
    onCaughtUp: () => {
      const overTheBar = bar ? "\r\u001b[K" : "";
      process.stderr.write(`${overTheBar}daybook: all is copied but what comes now; stop the server to finish\n`);
    },
    ...(bar && { onProgress: bar.show }),
  }).finally(() => {
    bar?.end();
    stop.forget();
  });
  process.exitCode = {
    verified: EXIT.done,
    in_use: EXIT.refused,
    differs: EXIT.refused,
    interrupted: EXIT.interrupted,
  }[moved.outcome];
  process.stdout.write(`${linesOf(moved, between).map(sayable).join("\n")}\n`);
}

/** A folder, or the ClickHouse with what the environment adds to it. */
function placeOf(written: string, flag: string, places: Places): MigrationPlace {
  const { password = "" } = URL.parse(written) ?? {};
  if (written.includes("://") && password !== "") {
    keepSecret(password);
    throw wrongWords(
      `${flag}: it has a password, and command lines are for all to see; leave it out, and set DAYBOOK_LEDGER_URL to the URL with it`,
    );
  }
  const { ledgerUrl, accountsUrl, clickhouseCluster } = places;
  const named = ledgerPlaceOf(written, flag, clickhouseCluster);
  if ("folder" in named) return { folder: folderPlace(named.folder) };
  const set = ledgerUrl === undefined ? named : ledgerPlaceOf(ledgerUrl, "DAYBOOK_LEDGER_URL", clickhouseCluster);
  const meant = ledgerUrl === undefined ? named : ledgerPlaceOf(reachedAs(ledgerUrl, written), flag, clickhouseCluster);
  const isSame =
    "address" in set &&
    "address" in meant &&
    set.address.url === meant.address.url &&
    set.address.database === meant.address.database;
  if (!isSame) {
    throw wrongWords(
      `${flag}: ${quoted(written)} is another place than DAYBOOK_LEDGER_URL names; set that to the same`,
    );
  }
  if (accountsUrl === undefined) {
    throw wrongWords(
      `${flag}: accounts, keys and price books move with the usage; set DAYBOOK_ACCOUNTS_URL to the PostgreSQL that keeps them`,
    );
  }
  const shown = { ledger: shownPlace(written), accounts: shownPlace(accountsUrl) };
  return { ledger: set, accountsUrl, shown };
}

/** The place as it is written, reached in the way that the setting says, such as ?secure=true; unless it says how itself. */
function reachedAs(ledgerUrl: string, written: string): string {
  const [url, { search }] = [new URL(written), new URL(ledgerUrl)];
  url.search ||= search;
  return url.href;
}

function linesOf(moved: Migration, { from, to }: { from: MigrationPlace; to: MigrationPlace }): string[] {
  const { outcome, copied, copyingMs, accounts, behind, sums, events, voided, records, differences } = moved;
  const perSecond = Math.round((copied.listed / Math.max(copyingMs, 1)) * 1_000);
  const did =
    `copied ${copied.created} events and ${copied.voided} voids of ${accounts} accounts in ${(copyingMs / 1_000).toFixed(1)} s ` +
    `(${perSecond} events/s); ${copied.listed - copied.created} were there already`;
  switch (outcome) {
    case "verified":
      return [
        did,
        `all ${sums} sums, ${events} events and ${voided} voids agree, and so do ${records} records`,
        ...switchLines(from, to),
      ];
    case "in_use":
      return [
        did,
        `${behind} events and voids behind, as a server has the folder; stop it and run this again, or add --follow`,
      ];
    case "differs":
      return [
        did,
        ...differences,
        "the two sides differ: do not switch; stop every server that writes to --from, and run this again",
      ];
    case "interrupted":
      return [did, "interrupted; run this again, and it goes on"];
    default:
      return outcome satisfies never;
  }
}

function switchLines(from: MigrationPlace, to: MigrationPlace): string[] {
  if ("folder" in to) {
    return [`switch now: daybook serve --data ${to.folder}, without DAYBOOK_LEDGER_URL and DAYBOOK_ACCOUNTS_URL`];
  }
  const { ledger, accounts } = to.shown;
  const old = "folder" in from ? `; ${from.folder} stays as it is: start no server on it` : "";
  return [
    `switch now: daybook serve with another --data and these, whole as they are set here${old}`,
    `  DAYBOOK_LEDGER_URL=${ledger}`,
    `  DAYBOOK_ACCOUNTS_URL=${accounts}`,
  ];
}

/** On a terminal; elsewhere the last lines tell. */
function showProgress() {
  if (!process.stderr.isTTY) return undefined;
  const bar = new SingleBar({
    format: "{what} [{bar}] {value} of {total}",
    stream: process.stderr,
    clearOnComplete: true,
  });
  bar.start(1, 0, { what: "Copying" });
  return {
    show: (what: "copying" | "comparing", done: number, total: number): void => {
      bar.setTotal(Math.max(total, 1));
      bar.update(done, { what: what === "copying" ? "Copying events" : "Comparing accounts" });
    },
    end: () => bar.stop(),
  };
}
