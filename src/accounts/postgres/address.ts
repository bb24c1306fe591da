/** Where PostgreSQL is, as an operator writes it: postgres://user:password@host:5432/database?sslmode=verify-full. */

import { readFileSync } from "node:fs";
import { Fault, problem } from "../../domain/fault.ts";
import { whyUnreadable } from "../../domain/unreadable.ts";

/** How the client connects. What is left out comes from PGUSER, PGPASSWORD and the like, as with every client. */
export interface PostgresAddress {
  /** The folder of a Unix socket begins with a slash. */
  readonly host: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database: string;
  readonly ssl: false | { readonly rejectUnauthorized: boolean; readonly ca?: string };
  /** Settings of the session, such as -csearch_path=daybook. */
  readonly options?: string;
}

const FORM = "write postgres://user:password@host:5432/database";
const ENCODED = "a special character in the user or the password is written as % and two hex digits";
const PARAMETERS = ["sslmode", "sslrootcert", "options"] as const;
const SSL_MODES = ["disable", "require", "verify-full"] as const;
const PARAMETER_NAME = /^[A-Za-z_]{1,32}$/;

type Parameters = Partial<Readonly<Record<(typeof PARAMETERS)[number], string>>>;
/** Makes the refusal with this reason. */
type Bad = (reason: string) => Fault;

/**
 * @param field Where the text was written, such as DAYBOOK_ACCOUNTS_URL. No sentence holds the text: a password is in it.
 * @throws Fault `bad_engine_url` with the first mistake.
 */
export function readPostgresUrl(text: string, field: string): PostgresAddress {
  const bad: Bad = (reason) => new Fault(problem("bad_engine_url", field, { reason, form: FORM }));
  const url = URL.parse(text);
  if (!url) throw bad(`it is no URL; ${ENCODED}`);
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") throw bad("it does not begin with postgres://");
  if (url.hash !== "") throw bad(`it has a #; ${ENCODED}`);
  const decoded = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw bad(`a % in it stands for nothing; ${ENCODED}`);
    }
  };
  const [host, database] = [decoded(url.hostname.replace(/^\[|\]$/g, "")), decoded(url.pathname.slice(1))];
  if (host === "") throw bad("it names no host");
  if (database === "" || database.includes("/")) throw bad("after the host it must name one database");
  const [user, password] = [decoded(url.username), decoded(url.password)];
  const parameters = readParameters(url.searchParams, bad);
  return {
    host,
    ...(url.port !== "" && { port: Number(url.port) }),
    ...(user !== "" && { user }),
    ...(password !== "" && { password }),
    database,
    ssl: sslOf(parameters, bad),
    ...(parameters.options !== undefined && { options: parameters.options }),
  };
}

function readParameters(given: URLSearchParams, bad: Bad): Parameters {
  const known: readonly string[] = PARAMETERS;
  for (const name of given.keys()) {
    if (known.includes(name)) continue;
    const which = PARAMETER_NAME.test(name) ? `${name} is` : "it has";
    throw bad(`${which} an unknown parameter; there are ${PARAMETERS.join(", ")}`);
  }
  return Object.fromEntries(given);
}

function sslOf({ sslmode = "disable", sslrootcert }: Parameters, bad: Bad): PostgresAddress["ssl"] {
  if (!(SSL_MODES as readonly string[]).includes(sslmode)) throw bad(`sslmode is one of ${SSL_MODES.join(", ")}`);
  if (sslrootcert !== undefined && sslmode !== "verify-full") throw bad("sslrootcert goes with sslmode=verify-full");
  if (sslmode === "disable") return false;
  if (sslrootcert === undefined) return { rejectUnauthorized: sslmode === "verify-full" };
  try {
    return { rejectUnauthorized: true, ca: readFileSync(sslrootcert, "utf8") };
  } catch (error) {
    throw bad(`sslrootcert cannot be read: ${whyUnreadable(error)}`);
  }
}
