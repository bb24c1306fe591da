import assert from "node:assert/strict";
import { test } from "node:test";
import { readPostgresUrl } from "./address.ts";

const CERTIFICATE = import.meta.filename;

test("a URL says host, port, user, password, database and session", () => {
  // biome-ignore format: a ledger
  const urls: [url: string, expected: object][] = [
    ["postgres://h/db",                        { host: "h", database: "db", ssl: false }],
    ["postgresql://me:pw@h:6543/db",           { host: "h", port: 6543, user: "me", password: "pw", database: "db", ssl: false }],
    ["postgres://m%40e:p%2Fw%3A%23@h/d%20b",   { host: "h", user: "m@e", password: "p/w:#", database: "d b", ssl: false }],
    ["postgres://[::1]:5432/db",               { host: "::1", port: 5432, database: "db", ssl: false }],
    ["postgres://me@%2Fvar%2Frun/db",          { host: "/var/run", user: "me", database: "db", ssl: false }],
    ["postgres://h/db?options=-csearch_path%3Dx", { host: "h", database: "db", ssl: false, options: "-csearch_path=x" }],
  ];
  for (const [url, expected] of urls) assert.deepEqual(readPostgresUrl(url, "F"), expected, url);
});

test("who need not prove its name is only who was allowed not to", () => {
  const ssl = (query: string) => readPostgresUrl(`postgres://h/db${query}`, "F").ssl;
  assert.equal(ssl("?sslmode=disable"), false);
  assert.deepEqual(ssl("?sslmode=require"), { rejectUnauthorized: false });
  assert.deepEqual(ssl("?sslmode=verify-full"), { rejectUnauthorized: true });
  const own = ssl(`?sslmode=verify-full&sslrootcert=${encodeURIComponent(CERTIFICATE)}`);
  assert.ok(own);
  assert.equal(own.rejectUnauthorized, true);
  assert.match(own.ca ?? "", /who need not prove/);
});
