import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "../../domain/fault.ts";
import { readAddress } from "./address.ts";

test("an address names the scheme, the host, who asks and the database", () => {
  // biome-ignore format: a table
  const cases: readonly [string, object][] = [
    ["clickhouse://u:p@ch:8123/usage",            { url: "http://ch:8123", username: "u", password: "p", database: "usage" }],
    ["clickhouse://ch/usage",                     { url: "http://ch:8123", username: "default", password: "", database: "usage" }],
    ["clickhouse://u:p@ch/usage?secure=true",     { url: "https://ch:8443", username: "u", password: "p", database: "usage" }],
    ["clickhouse://u:p@ch:443/usage?secure=true", { url: "https://ch:443", username: "u", password: "p", database: "usage" }],
    ["clickhouse://u:p@[::1]:8123/u?secure=false", { url: "http://[::1]:8123", username: "u", password: "p", database: "u" }],
    ["clickhouse://a%40b:p%2F%3A%25@ch/x%20y",    { url: "http://ch:8123", username: "a@b", password: "p/:%", database: "x y" }],
  ];
  for (const [text, expected] of cases) assert.deepEqual(readAddress(text, "DAYBOOK_LEDGER_URL"), expected);
});

test("a mistake is told with its mend, and without the address", () => {
  // biome-ignore format: a table
  const cases: readonly [string, RegExp][] = [
    ["hunter22",                                       /it is no URL/],
    ["clickhouse://u:hunt/er22@ch:8123/db",            /it is no URL; a special character .* is written as % and two hex digits/],
    ["http://u:hunter22@ch:8123/db",                   /does not begin with clickhouse:\/\//],
    ["clickhouse:///db",                               /names no host/],
    ["clickhouse://u:hunter22@ch:9000/db",             /port 9000 is of ClickHouse's own protocol; name the port of its HTTP interface/],
    ["clickhouse://u:hunter22@ch:9440/db?secure=true", /port 9440/],
    ["clickhouse://u:hunter22@ch",                     /after the host it must name one database/],
    ["clickhouse://u:hunter22@ch/a/b",                 /one database/],
    ["clickhouse://u:hunter22@ch/db?sslmode=on",       /sslmode is an unknown parameter; the only one is secure=true/],
    ["clickhouse://u:hunter22@ch/db?hunter22",         /it has an unknown parameter/],
    ["clickhouse://u:hunter22@ch/db?secure=yes",       /secure is true or false/],
    ["clickhouse://u:hunter22@ch/db?secure=true&secure=false", /secure is true or false, once/],
    ["clickhouse://u:hunter22%@ch/db",                 /a % in it stands for nothing/],
    ["clickhouse://u:p#hunter22@ch/db",                /it is no URL/],
    ["clickhouse://ch/db#hunter22",                    /it has a #; a special character/],
  ];
  for (const [text, expected] of cases) {
    assert.throws(
      () => readAddress(text, "DAYBOOK_LEDGER_URL"),
      (error) => {
        assert.ok(error instanceof Fault);
        assert.match(error.message, /^DAYBOOK_LEDGER_URL: .*; write clickhouse:\/\/user:password@host:8123\/database$/);
        assert.match(error.message, expected);
        assert.doesNotMatch(JSON.stringify([error.message, error.problems]), /hunter22/, text);
        return true;
      },
    );
  }
});

test("whatever a user, a password and a database are made of, encoded they come back as they were", () => {
  const word = fc.string({ unit: "grapheme", minLength: 1 });
  fc.assert(
    fc.property(word, word, word, (username, password, database) => {
      const [u, p, d] = [username, password, database].map(encodeURIComponent);
      // A path of dots alone is no name.
      fc.pre(database !== "." && database !== ".." && !database.includes("/"));
      const read = readAddress(`clickhouse://${u}:${p}@ch/${d}`, "x");
      assert.deepEqual(read, { url: "http://ch:8123", username, password, database });
    }),
  );
});
