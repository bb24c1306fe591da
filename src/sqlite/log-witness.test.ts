import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { openFile } from "./file.ts";
import { lostCommits, witnessPath } from "./log-witness.ts";

const KIND = { applicationId: 7, migrations: ["CREATE TABLE t (n INTEGER) STRICT"] };
const folder = mkdtempSync(join(tmpdir(), "daybook-witness-"));
let made = 0;
after(() => rmSync(folder, { recursive: true }));

const open = (path: string): DatabaseSync => openFile(path, KIND, { readOnly: false, cacheMiB: 1 });
const count = (path: string): unknown => {
  const database = open(path);
  const row = database.prepare("SELECT count(*) AS n FROM t").get();
  database.close();
  return row?.n;
};

function commit(database: DatabaseSync, times: number): void {
  for (let time = 0; time < times; time += 1) {
    database.exec("BEGIN IMMEDIATE");
    database.exec("INSERT INTO t VALUES (1)");
    database.exec("COMMIT");
  }
}

/** The files as a killed process leaves them, after so many commits. */
function killed(commits: number, before = (_: DatabaseSync) => {}): string {
  made += 1;
  const path = join(folder, `${made}.db`);
  const database = open(path);
  before(database);
  commit(database, commits);
  const copy = remains(path);
  database.close();
  assert.equal(existsSync(witnessPath(path)), false, "a clean end needs no witness");
  return copy;
}

/** The files as they are now, under another name. */
function remains(path: string): string {
  made += 1;
  const copy = join(folder, `${made}-killed.db`);
  for (const end of ["", "-wal", "-committed"]) copyFileSync(`${path}${end}`, `${copy}${end}`);
  return copy;
}

test("a log as a crash leaves it is whole; a torn end after the last commit too", () => {
  const path = killed(5);
  assert.equal(lostCommits(path), undefined);
  writeFileSync(`${path}-wal`, Buffer.alloc(5_000, 7), { flag: "a" });
  assert.equal(lostCommits(path), undefined);
  assert.equal(count(path), 5);
});

test("a commit that the witness does not know yet is no loss", () => {
  const path = killed(3);
  const older = readFileSync(witnessPath(path));
  const longer = killed(4);
  const [salt, frames] = [readFileSync(witnessPath(longer), "latin1").slice(0, 18), older.toString().slice(18, 26)];
  writeFileSync(witnessPath(longer), `${salt}${frames} ${salt}${frames}\n`);
  assert.equal(lostCommits(longer), undefined);
  assert.equal(count(longer), 4);
});

test("every bit of the log that is turned, every end that is cut off, is told, and the log is left as it is", () => {
  const path = killed(4);
  const log = readFileSync(`${path}-wal`);
  for (let place = 0; place < log.length; place += 101) {
    // What a frame's header says of the page and the end of a transaction is summed up, and so is each page.
    const turned = Buffer.from(log);
    turned[place] = turned[place]! ^ 0x10;
    writeFileSync(`${path}-wal`, turned);
    assert.ok(lostCommits(path), `byte ${place}`);
    writeFileSync(`${path}-wal`, log.subarray(0, place));
    assert.ok(lostCommits(path), `cut at ${place}`);
  }
  assert.throws(() => open(path), /lost what was committed last: .* remove .*-committed to go on without it/);
  assert.equal(readFileSync(`${path}-wal`).length < log.length, true, "what is left stays");
  rmSync(`${path}-wal`);
  assert.match(lostCommits(path)!, /missing/);
  rmSync(witnessPath(path));
  assert.equal(lostCommits(path), undefined, "the way on that the message names");
});

test("a log that was begun anew after a checkpoint is whole; an older one is not", () => {
  const path = killed(3, (database) => {
    commit(database, 2);
    // Not the end of the file: the next commit begins the log anew.
    database.exec("PRAGMA wal_checkpoint(RESTART)");
  });
  assert.equal(lostCommits(path), undefined);
  assert.equal(count(path), 5);
  // The log of an earlier filling, as an old backup of the log alone would be.
  const [lagging, older] = [killed(2), killed(2)];
  noteSalt(lagging, (salt) => salt - 3);
  assert.equal(lostCommits(lagging), undefined, "a witness that lags by three fillings, as after a power cut");
  noteSalt(older, (salt) => salt + 3);
  assert.match(lostCommits(older)!, /an older one/);
});

test("a transaction that wrote nothing, in a log that was not begun yet, accuses no log", () => {
  made += 1;
  const path = join(folder, `${made}.db`);
  open(path).close();
  // Half of all logs begin with a salt that lies below nought, counted around; so several of them.
  for (let start = 1; start <= 8; start += 1) {
    const database = open(path);
    database.exec("BEGIN IMMEDIATE");
    database.exec("COMMIT");
    const unbegun = remains(path);
    assert.equal(lostCommits(unbegun), undefined, "killed before the log has a header");
    commit(database, 1);
    const begun = remains(path);
    database.close();
    copyFileSync(witnessPath(unbegun), witnessPath(begun));
    assert.equal(lostCommits(begun), undefined, "a power cut: the log is there, its witness lags");
    assert.equal(count(begun), start);
    assert.equal(count(unbegun), start - 1);
  }
});

test("a transaction that wrote nothing, after the log was emptied on purpose, accuses no log", () => {
  made += 1;
  const path = join(folder, `${made}.db`);
  const database = open(path);
  commit(database, 2);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.exec("BEGIN IMMEDIATE");
  database.exec("COMMIT");
  const emptied = remains(path);
  database.close();
  assert.equal(lostCommits(emptied), undefined);
  assert.equal(count(emptied), 2);
});

/** Writes a witness of another filling. */
function noteSalt(path: string, other: (salt: number) => number): void {
  const [salt = "", ...rest] = readFileSync(witnessPath(path), "latin1").trim().split(" ");
  const changed = (other(Number.parseInt(salt, 16)) >>> 0).toString(16).padStart(8, "0");
  const half = [changed, ...rest.slice(0, 2)].join(" ");
  writeFileSync(witnessPath(path), `${half} ${half}\n`);
}

test("a witness that is torn or empty knows nothing", () => {
  const path = killed(2);
  truncateSync(witnessPath(path), 20);
  assert.equal(lostCommits(path), undefined);
  writeFileSync(witnessPath(path), "");
  assert.equal(lostCommits(path), undefined);
});

test("files that could not be made use of leave no witness that accuses them later", () => {
  const path = killed(2);
  assert.throws(() => openFile(path, { ...KIND, migrations: [] }, { readOnly: false, cacheMiB: 1 }), /newer/);
  assert.equal(lostCommits(path), undefined);
  assert.equal(count(path), 2);
});
