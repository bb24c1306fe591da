/** Where ClickHouse is, as an operator writes it: clickhouse://user:password@host:8123/database. */

import { Fault, problem } from "../../domain/fault.ts";

/** What the client is told, and the same to be shown. */
export interface EngineAddress {
  /** Without user and password, as all but `password` here. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly database: string;
}

const FORM = "write clickhouse://user:password@host:8123/database";
const ENCODED = "a special character in the user or the password is written as % and two hex digits";
const PORTS = { http: "8123", https: "8443" } as const;
/** Ports of ClickHouse's own protocol, which people have at hand. */
const NATIVE_PORTS = ["9000", "9440"];
const DEFAULT_USER = "default";
const PARAMETER_NAME = /^[A-Za-z_]{1,32}$/;

/**
 * @param field Where the text was written, such as DAYBOOK_LEDGER_URL. No sentence holds the text: a password is in it.
 * @throws Fault `bad_engine_url` with the first mistake.
 */
export function readAddress(text: string, field: string): EngineAddress {
  const bad = (reason: string): Fault => new Fault(problem("bad_engine_url", field, { reason, form: FORM }));
  const url = URL.parse(text);
  if (!url) throw bad(`it is no URL; ${ENCODED}`);
  if (url.protocol !== "clickhouse:") throw bad("it does not begin with clickhouse://");
  if (url.hostname === "") throw bad("it names no host");
  if (url.hash !== "") throw bad(`it has a #; ${ENCODED}`);
  if (NATIVE_PORTS.includes(url.port)) {
    throw bad(`port ${url.port} is of ClickHouse's own protocol; name the port of its HTTP interface, 8123 or 8443`);
  }
  const scheme = isSecure(url.searchParams, bad) ? "https" : "http";
  const decoded = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw bad(`a % in it stands for nothing; ${ENCODED}`);
    }
  };
  const database = decoded(url.pathname.slice(1));
  if (database === "" || database.includes("/")) throw bad("after the host it must name one database");
  return {
    url: `${scheme}://${url.hostname}:${url.port || PORTS[scheme]}`,
    username: decoded(url.username) || DEFAULT_USER,
    password: decoded(url.password),
    database,
  };
}

function isSecure(parameters: URLSearchParams, bad: (reason: string) => Fault): boolean {
  for (const name of parameters.keys()) {
    if (name === "secure") continue;
    throw bad(
      `${PARAMETER_NAME.test(name) ? `${name} is` : "it has"} an unknown parameter; the only one is secure=true`,
    );
  }
  const [secure = "false", ...more] = parameters.getAll("secure");
  if (more.length > 0 || (secure !== "true" && secure !== "false")) throw bad("secure is true or false, once");
  return secure === "true";
}
