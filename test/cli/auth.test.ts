/** Whose key, which account, which server: flags, environment, auth.ini in every form, and login. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { readSettings, writeProfile } from "../../src/cli/profile.ts";
import { Refusal } from "../../src/cli/refusal.ts";
import { ACCOUNT, daybook, folderFor, hasTerminal, onTerminal, serve } from "./prompt.ts";

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

test("auth.ini in every form", (t) => {
  // each: the text of the file, the profile, then key | account | server
  const cases: readonly (readonly [text: string, profile: string | undefined, found: string])[] = [
    ["api_key = fw_one\naccount_id = acme\n", undefined, "fw_one | acme | http://127.0.0.1:8484"],
    ["[default]\napi_key=fw_one\naccount_id=acme", undefined, "fw_one | acme | http://127.0.0.1:8484"],
    ["# comment\n; another\n\n[default]\napi_key = fw_one ; behind\n", undefined, "fw_one |  | http://127.0.0.1:8484"],
    ["[default]\r\napi_key = fw_one\r\naccount_id = acme\r\n", undefined, "fw_one | acme | http://127.0.0.1:8484"],
    ["\uFEFF[default]\n  api_key   =   fw_one  \n", undefined, "fw_one |  | http://127.0.0.1:8484"],
    ['[default]\napi_key = "fw_one#1"\n', undefined, "fw_one#1 |  | http://127.0.0.1:8484"],
    ["api_key = fw_one\n[work]\napi_key = fw_two\n", undefined, "fw_one |  | http://127.0.0.1:8484"],
    ["api_key = fw_one\n[work]\napi_key = fw_two\n", "work", "fw_two |  | http://127.0.0.1:8484"],
    ["api_key = fw_one\n[default]\napi_key = fw_two\n", undefined, "fw_two |  | http://127.0.0.1:8484"],
    ["[a.b]\napi_key = fw_two\n", "a.b", "fw_two |  | http://127.0.0.1:8484"],
    ["account_id = accounts/acme\napi_key = fw_one", undefined, "fw_one | acme | http://127.0.0.1:8484"],
    ["api_key = fw_one\nbase_url = https://a.example/v1/\n", undefined, "fw_one |  | https://a.example"],
  ];
  for (const own of [true, false]) {
    for (const [text, profile, found] of cases) {
      const home = folderFor(t);
      write(join(home, own ? ".daybook" : ".fireworks", "auth.ini"), text);
      const settings = readSettings(profile === undefined ? {} : { profile }, { home, variables: {} }, false);
      const { apiKey, accountId, baseUrl } = settings;
      assert.equal(`${apiKey?.value} | ${accountId?.value ?? ""} | ${baseUrl.value}`, found, JSON.stringify(text));
    }
  }
});

test("the first place that names a value wins: flag, DAYBOOK_, FIREWORKS_, Daybook's file, firectl's file", (t) => {
  const home = folderFor(t);
  const environment = (variables: Record<string, string>) => ({ home, variables });
  const keyOf = (flags: object, variables: Record<string, string>) =>
    readSettings(flags, environment(variables), false).apiKey?.value;
  assert.equal(keyOf({}, {}), undefined);
  write(join(home, ".fireworks/auth.ini"), "api_key = fw_five\naccount_id = five\nid_token = of-firectl\n");
  assert.equal(keyOf({}, {}), "fw_five");
  write(join(home, ".daybook/auth.ini"), "api_key = fw_four\n\n[work]\napi_key = fw_work\naccount_id = works\n");
  assert.equal(keyOf({}, {}), "fw_four");
  assert.equal(keyOf({}, { FIREWORKS_API_KEY: "fw_three" }), "fw_three");
  assert.equal(keyOf({}, { FIREWORKS_API_KEY: "fw_three", DAYBOOK_API_KEY: "fw_two" }), "fw_two");
  assert.equal(keyOf({ apiKey: "fw_one" }, { DAYBOOK_API_KEY: "fw_two" }), "fw_one");
  assert.equal(keyOf({}, { DAYBOOK_API_KEY: " " }), "fw_four", "an empty variable names nothing");
  assert.equal(
    keyOf({ profile: "work" }, { DAYBOOK_API_KEY: "fw_two" }),
    "fw_work",
    "a profile that is named is meant",
  );

  const accountOf = (flags: object, variables: Record<string, string>) =>
    readSettings(flags, environment(variables), false).accountId?.value;
  assert.equal(accountOf({}, {}), undefined, "the account of another key is not taken");
  assert.equal(accountOf({ profile: "work" }, {}), "works");
  assert.equal(accountOf({ profile: "work", apiKey: "fw_other" }, {}), undefined);
  assert.equal(accountOf({}, { FIREWORKS_ACCOUNT_ID: "env" }), "env");
});

test("a wrong line is named with its file and number, and its key is not told", (t) => {
  const cases: readonly (readonly [folder: string, text: string, said: RegExp])[] = [
    [".daybook", "[default]\napi_key fw_secret_secret\n", /auth\.ini, line 2: is neither a \[profile\], a comment nor/],
    [".daybook", "[default\napi_key = fw_x\n", /line 1: is neither/],
    [".daybook", "\napi-key = fw_x\n", /line 2: "api-key" is unknown; allowed are api_key, account_id, base_url/],
    [".fireworks", "api_key = fw_x\nwhat is this\n", /\.fireworks\/auth\.ini, line 2: is neither/],
    [".daybook", "api_key = fw_ключ\n", /holds characters that no key has/],
  ];
  for (const [folder, text, said] of cases) {
    const home = folderFor(t);
    write(join(home, folder, "auth.ini"), text);
    assert.throws(
      () => readSettings({}, { home, variables: {} }, false),
      (error: Refusal) => {
        assert.ok(error instanceof Refusal);
        assert.match(error.message, said);
        assert.doesNotMatch(error.message, /secret|ключ/);
        return error.exitCode === 3;
      },
    );
  }
});

test("a profile is written for its owner only, and the rest of the file stays", (t) => {
  const home = folderFor(t);
  const environment = { home, variables: {} };
  const path = join(home, ".daybook/auth.ini");
  const values = (key: string) => ({ api_key: key, account_id: "acme" });
  writeProfile(environment, "default", values("fw_one"));
  assert.equal(readFileSync(path, "utf8"), "[default]\napi_key = fw_one\naccount_id = acme\n");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeProfile(environment, "work", values("fw_#2"));
  writeFileSync(path, `# mine\n${readFileSync(path, "utf8")}`, { mode: 0o644 });
  writeProfile(environment, "default", values("fw_three"));
  assert.equal(
    readFileSync(path, "utf8"),
    "# mine\n[default]\napi_key = fw_three\naccount_id = acme\n\n[work]\napi_key = fw_\\#2\naccount_id = acme\n",
  );
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(readSettings({ profile: "work" }, environment, false).apiKey?.value, "fw_#2");
  writeFileSync(path, "api_key = fw_old\n; end\n");
  writeProfile(environment, "default", values("fw_new"));
  assert.equal(readFileSync(path, "utf8"), "; end\n\n[default]\napi_key = fw_new\naccount_id = acme\n");
});

test("login reads a key from standard input, checks it, and keeps it", async (t) => {
  const { server, keys } = await serve(t);
  const HOME = folderFor(t);
  const env = { HOME };
  const refused = await daybook(["login", "--api-key", "-", "--base-url", server.url], {
    env,
    stdin: "fw_nobody_knows_it\n",
  });
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /^daybook: .* does not know the API key: .*run `daybook login`\n$/);
  const said = await daybook(["login", "--api-key", "-", "--base-url", server.url, "-p", "work"], {
    env,
    stdin: `${keys.admin}\n`,
  });
  assert.equal(said.code, 0, said.stderr);
  assert.match(said.stdout, /^Signed in to account acme of http/);
  const file = join(HOME, ".daybook/auth.ini");
  assert.equal(
    readFileSync(file, "utf8"),
    `[work]\napi_key = ${keys.admin}\naccount_id = acme\nbase_url = ${server.url}\n`,
  );
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const whoami = await daybook(["whoami", "--profile", "work"], { env });
  assert.equal(whoami.code, 0, whoami.stderr);
  assert.match(whoami.stdout, /^account +acme$/m);
  for (const { stdout, stderr } of [refused, said, whoami]) {
    assert.ok(!`${stdout}${stderr}`.includes(keys.admin), "the key is not shown");
    assert.ok(!`${stdout}${stderr}`.includes("nobody_knows"), "nor is a wrong one");
  }
  const silent = await daybook(["login", "--base-url", server.url], { env });
  assert.equal(silent.code, 2);
  assert.match(silent.stderr, /no terminal to ask for the key; use --api-key - to read standard input\n$/);
});

const noTerminal = hasTerminal ? false : "SKIPPED: no `script` of util-linux here, so there is no terminal to ask on";

test("login asks at the terminal and does not show what is typed", { skip: noTerminal }, async (t) => {
  const { server, keys } = await serve(t);
  const HOME = folderFor(t);
  // The terminal of `script` takes its input as if it were typed; DEL takes a letter back.
  const stdin = `${keys.user}xy\u007f\u007f\r`;
  const said = await onTerminal(80, ["login", "--base-url", server.url], {
    env: { HOME },
    stdin,
    stdinAfter: "API key of",
  });
  assert.match(said.stdout, /API key of http:\/\/127\.0\.0\.1:\d+: \n?/);
  assert.match(said.stdout, /Signed in to account acme/);
  assert.ok(!said.stdout.includes(keys.user), "the key was echoed");
  assert.match(readFileSync(join(HOME, ".daybook/auth.ini"), "utf8"), new RegExp(`api_key = ${keys.user}\n`));
});

test("without an account the only one is found; with several the choice is asked for", async (t) => {
  const { server, env, keys } = await serve(t);
  const bare = { DAYBOOK_BASE_URL: server.url, FIREWORKS_API_KEY: keys.user };
  const found = await daybook(["account", "get", "-o", "json"], { env: bare });
  assert.equal(JSON.parse(found.stdout).name, `accounts/${ACCOUNT}`);
  const several = await daybook(["billing", "get-usage"], {
    env: { ...bare, DAYBOOK_API_KEY: "fw_contract-operator-0123456789" },
  });
  assert.equal(several.code, 2);
  assert.match(several.stderr, /the key sees 2 accounts \(acme, home\); choose one with --account-id\n$/);
  const before = await daybook(["-a", ACCOUNT, "-o", "json", "billing", "get-usage", "--account-costs-only"], { env });
  const after = await daybook(["billing", "get-usage", "--account-costs-only", "-o", "json", "-a", ACCOUNT], { env });
  assert.equal(before.code, 0, before.stderr);
  assert.equal(before.stdout, after.stdout, "global flags stand before the command or after it");
});
