/** Whatever goes wrong: one line on stderr that says the mend, the exit codes of the contract, and never a key. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer as createTcp, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "../until.ts";
import { daybook, folderFor, MAIN, type Said, serve, shell } from "./prompt.ts";

const KEY = "fw_bad-input-key-0123456789";
// Programs of the system, which some machines lack.
const [OPENSSL, MOUNT, UNMOUNT] = ["openssl", "mount", "umount"];
const DAY = ["--start-time", "2026-05-28", "--end-time", "2026-05-29"];

/** One line that begins with the program's name, and no key. */
function check({ stdout, stderr, code }: Said, expected: number, said: RegExp, what: string): void {
  assert.match(stderr, said, `${what}: exit code ${code}, stderr ${JSON.stringify(stderr)}`);
  assert.match(stderr, /^daybook: [^\n]+\n$/, `${what}: one line`);
  assert.equal(code, expected, what);
  assert.equal(stdout, "", what);
  assert.doesNotMatch(stderr, /bad-input-key|secret/, `${what}: a key was told`);
}

/** A server's address; it is gone after the test. */
async function listening(t: TestContext, server: Server): Promise<string> {
  // A test that fails must not keep the process alive.
  server.listen(0, "127.0.0.1").unref();
  await once(server, "listening");
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("wrong words: exit 2, and the flag, the value and what is right", async () => {
  const cases: readonly (readonly [args: string, said: RegExp])[] = [
    [
      "billing get-usage --grup-by model_name",
      /unknown option '--grup-by'; did you mean --group-by; see daybook billing/,
    ],
    ["biling get-usage", /unknown command 'biling'; did you mean billing; see daybook --help/],
    ["billing get-usag", /unknown command 'get-usag'; did you mean get-usage; see daybook billing --help/],
    [
      "billing get-usage --usage-type gpu",
      /--usage-type <type>' argument 'gpu' is invalid. Allowed choices are all, serverless/,
    ],
    ["billing get-usage --start-time yesterday", /--start-time: "yesterday" is not a time; use YYYY-MM-DD or/],
    ["billing get-usage --start-time 2026-02-30", /--start-time: "2026-02-30" is not a time/],
    [
      "billing get-usage --start-time 2026-05-02 --end-time 2026-05-01",
      /--end-time: "2026-05-01" is not after --start-time/,
    ],
    ["billing get-usage --start-time 2026-05-02 --end-time 2026-05-02", /the end is exclusive and must be later/],
    ["billing get-usage --start-time 0001-01-01", /longer than 50 years/],
    [
      "billing get-usage --timezone Mars/Olympus",
      /--timezone: "Mars\/Olympus" is not an IANA time zone; use one such as/,
    ],
    ["billing get-usage --filter model_name", /--filter: "model_name" is not key=value/],
    ["billing get-usage -o yaml", /argument 'yaml' is invalid. Allowed choices are text, json, csv/],
    ["whoami -o csv", /--output: "csv" is not for this command; allowed are text, json/],
    ["whoami too much", /too many arguments/],
    ["quota update monthly-spend-usd --value lots", /--value: "lots" is not a whole number/],
    ["quota update monthly-spend-usd", /required option '--value <n>' not specified/],
    ["api-key delete", /missing required argument 'key-id'/],
    ["api-key create --expire-time soon", /--expire-time: "soon" is not a time/],
    ["deployment scale chat --replica-count -1", /--replica-count: "-1" is not a whole number/],
    ["billing notification-settings update --monthly-spend-usd-thresholds=5,x", /"x" is not a number of whole dollars/],
    [
      "whoami --base-url ftp://example.com",
      /--base-url: "ftp:\/\/example.com" is not a server's URL; use one such as http/,
    ],
    ["whoami --base-url http://ada:secret@example.com", /leave the user and password out/],
    ["serve --port 99999", /--port: "99999" is not a port; use 0 to 65535/],
    [`${KEY}-typed-in-the-wrong-place`, /unknown command 'fw_…'/],
    ["completion tcsh", /'tcsh' is invalid .*Allowed choices are bash, zsh, fish/],
  ];
  const work = cases.map(async ([args, said]) => {
    check(await daybook(args.split(" "), { env: { DAYBOOK_API_KEY: KEY, DAYBOOK_ACCOUNT_ID: "acme" } }), 2, said, args);
  });
  await Promise.all(work);
});

test("not signed in: exit 3", async (t) => {
  const { server } = await serve(t);
  const none = await daybook(["whoami"], { env: { HOME: folderFor(t) } });
  check(none, 3, /no API key was found; run `daybook login`, or set DAYBOOK_API_KEY/, "no key");
  const wrong = await daybook(["whoami"], { env: { DAYBOOK_API_KEY: KEY, DAYBOOK_BASE_URL: server.url } });
  check(wrong, 3, /does not know the API key: it is wrong, revoked or expired; run `daybook login`/, "wrong key");
  const profile = await daybook(["whoami", "-p", "nope"], { env: { HOME: folderFor(t), DAYBOOK_API_KEY: KEY } });
  check(profile, 3, /profile "nope" is in no auth.ini; run `daybook login --profile nope`/, "no such profile");
});

test("what the server refuses: exit 1, in its own words", async (t) => {
  const { server, env, keys } = await serve(t);
  const cases: readonly (readonly [args: string, env: object, said: RegExp])[] = [
    ["billing get-usage --group-by model", {}, /groupBy: "model" is not a dimension; allowed are model_name/],
    ["billing get-usage -a nobody", {}, /account: "nobody" was not found; check the id, --account-id/],
    ["deployment get nope", {}, /"nope" was not found/],
    [
      "quota update monthly-spend-usd --value 9",
      { DAYBOOK_API_KEY: keys.user },
      /role: "USER" may not do this; it takes/,
    ],
  ];
  for (const [args, more, said] of cases) {
    check(await daybook(args.split(" "), { env: { ...env, ...more } }), 1, said, args);
  }
  const many = await daybook(["billing", "get-usage", "--group-by", "one,two", ...DAY], { env });
  check(many, 1, /"one" is not a dimension.*; and groupBy: "two" is not/, "all problems at once");
  assert.ok(server.log.every((line) => !line.includes(keys.admin)));
});

test("a server that cannot be reached: exit 1, and why", async (t) => {
  const gone = createTcp();
  const free = await listening(t, gone);
  gone.close();
  const cut = await listening(
    t,
    createTcp((socket) => socket.destroy()),
  );
  const plain = await listening(
    t,
    createHttp((_, response) => response.end("<html>")),
  );
  const foreign = await listening(
    t,
    createHttp((_, response) => response.writeHead(502, { "content-type": "text/html" }).end("<html>")),
  );
  const elsewhere = await listening(
    t,
    createHttp((_, response) => response.writeHead(302, { location: "https://sso.example.com/login" }).end()),
  );
  const cases: readonly (readonly [url: string, env: object, said: RegExp])[] = [
    [`http://${free}`, {}, /nothing listens there; start it with `daybook serve` or name another with --base-url/],
    ["http://no-such-host.invalid", {}, /its name was not found; check --base-url and the network/],
    [`http://${cut}`, {}, /cut the connection before the answer was whole/],
    [`https://${plain}`, {}, /does not speak TLS .*; perhaps its URL begins with http:/],
    [`http://${plain}`, {}, /answered 200 \(no content type\), which is not the API; check --base-url and any proxy/],
    [`http://${foreign}`, {}, /answered 502 \(text\/html\), which is not the API/],
    [`http://${elsewhere}`, {}, /answered 302 \(.*pointing to https:\/\/sso.example.com\), which is not the API/],
    [
      "http://example.invalid",
      { HTTP_PROXY: `http://${free}` },
      /the proxy on the way to .* failed \(ECONNREFUSED\); check/,
    ],
    ["https://example.invalid", { HTTPS_PROXY: `http://${foreign}` }, /the proxy on the way to .* failed/],
  ];
  for (const [url, more, said] of cases) {
    const env = { DAYBOOK_API_KEY: KEY, DAYBOOK_ACCOUNT_ID: "acme", DAYBOOK_BASE_URL: url, ...more };
    check(await daybook(["whoami"], { env }), 1, said, url);
  }
});

test("a certificate that is not trusted: exit 1, and how to trust its issuer", async (t) => {
  const folder = folderFor(t);
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const words =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1";
  const made = spawnSync(OPENSSL, [...words.split(" "), "-keyout", key, "-out", cert]);
  if (made.status !== 0) return t.skip("SKIPPED: no openssl here to make a certificate with");
  const answer: RequestListener = (_, response) => response.end('{"name":"accounts/acme"}');
  const url = await listening(t, createHttps({ key: readFileSync(key), cert: readFileSync(cert) }, answer));
  const env = { DAYBOOK_API_KEY: KEY, DAYBOOK_ACCOUNT_ID: "acme", DAYBOOK_BASE_URL: `https://${url}` };
  const said = /a certificate that is not trusted \(\w+\); name its issuer's file in NODE_EXTRA_CA_CERTS/;
  check(await daybook(["whoami"], { env }), 1, said, "self-signed");
  const trusted = await daybook(["whoami"], { env: { ...env, NODE_EXTRA_CA_CERTS: cert } });
  assert.equal(trusted.code, 0, trusted.stderr);
});

test("429 and 503 are tried again at most 4 times, each wait is said, and Retry-After is kept", async (t) => {
  let asked = 0;
  let answer: RequestListener = (_, response) => response.end();
  const url = await listening(
    t,
    createHttp((request, response) => {
      asked += 1;
      answer(request, response);
    }),
  );
  const env = { DAYBOOK_API_KEY: KEY, DAYBOOK_ACCOUNT_ID: "acme", DAYBOOK_BASE_URL: `http://${url}` };
  const busy =
    (status: number, headers: Record<string, string>): RequestListener =>
    (_, response) =>
      response.writeHead(status, headers).end('{"code":8,"message":"server: too much work is waiting","details":[]}');
  const ask = async (listener: RequestListener): Promise<Said & { asked: number }> => {
    [asked, answer] = [0, listener];
    return { ...(await daybook(["account", "get"], { env })), asked };
  };

  const never = await ask(busy(429, { "retry-after": "0" }));
  assert.equal(never.asked, 5);
  assert.equal(never.code, 1);
  const lines = never.stderr.split("\n");
  assert.equal(lines[0], "daybook: the server is busy (429); trying again in 0 s (1 of 4)");
  assert.equal(lines[4], "daybook: server: too much work is waiting; the server stayed busy, try again later");

  const soon = await ask((request, response) =>
    asked < 3 ? busy(503, {})(request, response) : response.end('{"name":"accounts/acme"}'),
  );
  assert.equal(soon.code, 0);
  assert.equal(soon.stdout, "id  acme\n");
  const waits = [...soon.stderr.matchAll(/busy \(503\); trying again in ([\d.]+) s/g)].map((match) => match[1]);
  assert.deepEqual(waits, ["0.5", "1"], "back-off doubles where the server names no time");

  const long = await ask(busy(503, { "retry-after": "3600" }));
  assert.equal(long.asked, 1, "an hour is not waited for");
  const broken = await ask(busy(500, {}));
  assert.deepEqual([broken.asked, broken.code], [1, 1], "other refusals are not tried again");
});

test("a reader that has seen enough ends the command quietly; a full disk does not", async (t) => {
  const { env } = await serve(t);
  const usage = `daybook billing get-usage --start-time 2026-01-01 --end-time 2026-06-01 -o csv`;
  const head = await shell(`set -o pipefail; ${usage} | head -n 1 > head.txt; echo "\${PIPESTATUS[0]}"`, {
    env,
    cwd: folderFor(t),
  });
  assert.deepEqual(head, { code: 0, stdout: "0\n", stderr: "" });
  if (!existsSync("/dev/full")) return t.skip("SKIPPED: no /dev/full here");
  const full = await shell(`${usage} > /dev/full`, { env });
  check(full, 1, /cannot write the output: the disk is full; free some space/, "standard output on a full disk");
});

test("commands on a data folder refuse the flags of a request", async (t) => {
  const cwd = folderFor(t);
  for (const words of [["serve"], ["verify"], ["import", "usage", "events.ndjson"]]) {
    const said = await daybook([...words, "--data", "new", "--dry-run"], { cwd });
    check(said, 2, /^daybook: --dry-run: \w+ works on a data folder and does not know it; leave it out$/m, words[0]!);
  }
  assert.deepEqual(readdirSync(cwd), []);
});

test("an export is whole or not there, and overwrites only with --force", async (t) => {
  const { env } = await serve(t);
  const cwd = folderFor(t);
  const range = ["--start-time", "2026-05-01", "--end-time", "2026-06-01"];
  const exportTo = (...args: string[]) => daybook(["billing", "export-metrics", ...range, ...args], { env, cwd });
  writeFileSync(join(cwd, "there.csv"), "mine\n");
  check(
    await exportTo("--filename", "there.csv"),
    1,
    /"there.csv" exists already; use --force to overwrite it/,
    "exists",
  );
  assert.equal(readFileSync(join(cwd, "there.csv"), "utf8"), "mine\n");
  check(await exportTo("--filename", "no/where.csv"), 1, /its folder does not exist; make it/, "no folder");
  const forced = await exportTo("--filename", "there.csv", "--force");
  assert.equal(forced.code, 0, forced.stderr);
  assert.match(readFileSync(join(cwd, "there.csv"), "utf8"), /^email,start_time,end_time,usage_type,/);
  assert.deepEqual(readdirSync(cwd), ["there.csv"], "nothing else is left");

  mkdirSync(join(cwd, "folder"));
  check(await exportTo("--filename", "folder", "--force"), 1, /"folder" is no plain file; choose another/, "a folder");
  symlinkSync("there.csv", join(cwd, "link.csv"));
  writeFileSync(join(cwd, "there.csv"), "mine\n");
  assert.equal((await exportTo("--filename", "link.csv", "--force")).code, 0);
  assert.match(readFileSync(join(cwd, "there.csv"), "utf8"), /^email,/, "what a link points to is overwritten");
  rmSync(join(cwd, "folder"), { recursive: true });
  rmSync(join(cwd, "link.csv"));

  const page = await listening(
    t,
    createHttp((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>Sign in</html>")),
  );
  const signIn = await daybook(["billing", "export-metrics", ...range, "--filename", "there.csv", "--force"], {
    env: { ...env, DAYBOOK_BASE_URL: `http://${page}` },
    cwd,
  });
  check(signIn, 1, /answered 200 \(text\/html\), which is not the export; check --base-url/, "a page on the way");
  assert.match(readFileSync(join(cwd, "there.csv"), "utf8"), /^email,/, "the export of before is still there");

  const cut = await listening(
    t,
    createHttp((_, response) => {
      response.writeHead(200, { "content-type": "text/csv" });
      response.write("email,start_time\n");
      setTimeout(() => response.destroy(), 100);
    }),
  );
  const broken = await daybook(["billing", "export-metrics", ...range, "--filename", "cut.csv"], {
    env: { ...env, DAYBOOK_BASE_URL: `http://${cut}` },
    cwd,
  });
  check(broken, 1, /cut the connection before the answer was whole; try again/, "cut off");
  assert.deepEqual(readdirSync(cwd), ["there.csv"], "no half file is left");
});

test("an export onto a full disk: exit 1, and nothing is left", async (t) => {
  const disk = mkdtempSync(join(tmpdir(), "daybook-disk-"));
  if (spawnSync(MOUNT, ["-t", "tmpfs", "-o", "size=16k", "tmpfs", disk]).status !== 0) {
    return t.skip("SKIPPED: no small disk can be mounted here");
  }
  t.after(() => {
    spawnSync(UNMOUNT, [disk]);
    rmSync(disk, { recursive: true });
  });
  const endless = await listening(
    t,
    createHttp((_, response) => {
      response.writeHead(200, { "content-type": "text/csv" });
      const timer = setInterval(() => response.write("x,y\n".repeat(4_000)), 5);
      response.on("close", () => clearInterval(timer));
    }),
  );
  const env = { DAYBOOK_API_KEY: KEY, DAYBOOK_ACCOUNT_ID: "acme", DAYBOOK_BASE_URL: `http://${endless}` };
  const said = await daybook(["billing", "export-metrics", ...DAY, "--filename", join(disk, "metrics.csv")], { env });
  check(said, 1, /the disk is full; free some space, or choose another --filename/, "full disk");
  assert.deepEqual(readdirSync(disk), []);
});

test("Ctrl-C ends with 130, one line, and no half file", async (t) => {
  const cwd = folderFor(t);
  const slow = createHttp((_, response) => {
    response.writeHead(200, { "content-type": "text/csv" });
    response.write("email\n");
  });
  const url = await listening(t, slow);
  t.after(() => slow.closeAllConnections());
  const env = {
    PATH: process.env.PATH,
    HOME: cwd,
    DAYBOOK_API_KEY: KEY,
    DAYBOOK_ACCOUNT_ID: "acme",
    DAYBOOK_BASE_URL: `http://${url}`,
  };
  const child = spawn(process.execPath, [MAIN, "billing", "export-metrics", ...DAY], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const [, ...others] = await until("it writes under a temporary name", () => {
    const names = readdirSync(cwd);
    return names.length > 0 && names;
  });
  assert.deepEqual(others, []);
  child.kill("SIGINT");
  const [code] = await once(child, "close");
  assert.deepEqual([code, stderr], [130, "daybook: interrupted; nothing was written, run it again\n"]);
  assert.deepEqual(readdirSync(cwd), []);
});

test("--debug tells requests and where an error came from, and still no key", async (t) => {
  const { env } = await serve(t);
  const said = await daybook(["whoami", "--debug", "-a", "nobody"], { env });
  assert.match(said.stderr, /^daybook: > GET http:\/\/127\.0\.0\.1:\d+\/v1\/accounts\/nobody$/m);
  assert.match(said.stderr, /^daybook: < 404 in \d+ ms, request id [\w-]+$/m);
  assert.match(said.stderr, /^ *at .*client\.ts/m);
  assert.ok(!said.stderr.includes(env.DAYBOOK_API_KEY!));
});
