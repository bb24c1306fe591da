/** The tables of the records in PostgreSQL. Columns are the names of ../tables.ts in snake_case. */

import { type Kysely, sql } from "kysely";
import { Fault, problem } from "../../domain/fault.ts";
import type { Tables } from "../tables.ts";
import { BUDGET_TABLES } from "./budget-tables.ts";
import { lockOf } from "./sharing.ts";

/** What the first row of the table `daybook` says of the schema that it is in. */
const APPLICATION = "daybook accounts";

/**
 * The steps from an empty schema to today's: step `i` makes version i+1. What is said in ../sqlite/schema.ts of a table
 * holds here; texts sort by their code points, as there. `changes` has one row, the count of changes (../writing.ts).
 */
export const RECORDS_MIGRATIONS: readonly string[] = [
  `CREATE TABLE accounts (id text COLLATE "C" PRIMARY KEY, display_name text NOT NULL, email text NOT NULL,
     suspend_state text NOT NULL, timezone text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL);
   CREATE TABLE users (account text COLLATE "C" NOT NULL REFERENCES accounts (id), id text COLLATE "C" NOT NULL,
     display_name text NOT NULL, email text NOT NULL, role text NOT NULL, create_time bigint NOT NULL,
     PRIMARY KEY (account, id));
   CREATE TABLE api_keys (account text COLLATE "C" NOT NULL, key_id text COLLATE "C" NOT NULL,
     "user" text COLLATE "C" NOT NULL, display_name text NOT NULL, role text NOT NULL, prefix text NOT NULL,
     hash text COLLATE "C" NOT NULL UNIQUE, annotations text NOT NULL, create_time bigint NOT NULL,
     expire_time bigint, last_used bigint, revoked_time bigint, PRIMARY KEY (account, key_id),
     FOREIGN KEY (account, "user") REFERENCES users (account, id));
   CREATE TABLE deployments (account text COLLATE "C" NOT NULL REFERENCES accounts (id), id text COLLATE "C" NOT NULL,
     display_name text NOT NULL, base_model text NOT NULL, accelerator_type text NOT NULL,
     accelerator_count bigint NOT NULL, placement text NOT NULL, annotations text NOT NULL,
     create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint, PRIMARY KEY (account, id));
   CREATE TABLE replica_changes (account text COLLATE "C" NOT NULL, deployment text COLLATE "C" NOT NULL,
     time bigint NOT NULL, replica_count bigint NOT NULL, PRIMARY KEY (account, deployment, time),
     FOREIGN KEY (account, deployment) REFERENCES deployments (account, id));
   CREATE TABLE attribute_changes (account text COLLATE "C" NOT NULL, deployment text COLLATE "C" NOT NULL,
     time bigint NOT NULL, base_model text NOT NULL, accelerator_type text NOT NULL, accelerator_count bigint NOT NULL,
     placement text NOT NULL, annotations text NOT NULL, PRIMARY KEY (account, deployment, time),
     FOREIGN KEY (account, deployment) REFERENCES deployments (account, id));
   CREATE TABLE quotas (account text COLLATE "C" NOT NULL REFERENCES accounts (id), id text COLLATE "C" NOT NULL,
     value text NOT NULL, max_value text NOT NULL, update_time bigint NOT NULL, PRIMARY KEY (account, id));
   CREATE TABLE notification_settings (account text COLLATE "C" PRIMARY KEY REFERENCES accounts (id),
     monthly_spend_usd_thresholds text NOT NULL, update_time bigint NOT NULL, webhook_url text NOT NULL,
     webhook_secret text NOT NULL);
   CREATE TABLE price_books (version bigint PRIMARY KEY, account text COLLATE "C" NOT NULL, known_from bigint NOT NULL,
     hash text NOT NULL, created_by text NOT NULL, entry_count bigint NOT NULL, document text NOT NULL,
     UNIQUE (account, known_from));
   CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'a version of a price book is never %', TG_ARGV[0]; END $$;
   CREATE TRIGGER price_books_unchanged BEFORE UPDATE ON price_books
     FOR EACH ROW EXECUTE FUNCTION refuse_change('changed');
   CREATE TRIGGER price_books_kept BEFORE DELETE ON price_books
     FOR EACH ROW EXECUTE FUNCTION refuse_change('deleted');
   CREATE TRIGGER price_books_not_emptied BEFORE TRUNCATE ON price_books
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('deleted');
   CREATE TABLE budgets (account text COLLATE "C" NOT NULL REFERENCES accounts (id), id text COLLATE "C" NOT NULL,
     scope text NOT NULL, monthly_usd text NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL,
     PRIMARY KEY (account, id));
   CREATE TABLE notices (account text COLLATE "C" NOT NULL REFERENCES accounts (id), month_start bigint NOT NULL,
     threshold_usd text NOT NULL, id text NOT NULL, body text NOT NULL, tries bigint NOT NULL,
     next_try_time bigint, PRIMARY KEY (account, month_start, threshold_usd));
   CREATE INDEX notices_due ON notices (next_try_time) WHERE next_try_time IS NOT NULL;
   CREATE TABLE changes (is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row), count bigint NOT NULL);
   INSERT INTO changes (count) VALUES (0);`,
  BUDGET_TABLES,
];

/**
 * Brings the schema that the connection writes to, the first of its search_path, to today's version, one process at a
 * time and all or nothing.
 * @param field Where the address was written, for the sentence.
 * @throws Fault `accounts_unusable` where the schema is another program's, `folder_newer` for one of a newer daybook.
 */
export async function migrate(database: Kysely<Tables>, field: string): Promise<void> {
  const known = RECORDS_MIGRATIONS.length;
  const found = await versionOf(database);
  if (found === known) return;
  await database
    .transaction()
    .setIsolationLevel("read committed")
    .execute(async (inside) => {
      await lockOf(inside, "migrations");
      const version = (await versionOf(inside)) ?? (await markSchema(inside, field));
      if (version > known) {
        throw new Fault(problem("folder_newer", field, { value: await nameOf(inside), found: version, known }));
      }
      for (const step of RECORDS_MIGRATIONS.slice(version)) await sql.raw(step).execute(inside);
      await sql`update daybook set version = ${known} where application = ${APPLICATION}`.execute(inside);
    });
}

/** The version of the records in the schema; undefined where no Daybook was yet. */
async function versionOf(database: Kysely<Tables>): Promise<number | undefined> {
  const { rows } = await sql<{ there: boolean }>`
    select exists (select from pg_tables where schemaname = current_schema() and tablename = 'daybook') as there
  `.execute(database);
  if (!rows[0]!.there) return undefined;
  const found = await sql<{ version: number }>`
    select version from daybook where application = ${APPLICATION}
  `.execute(database);
  return found.rows[0]?.version;
}

/** Makes an empty schema Daybook's own: version 0. */
async function markSchema(database: Kysely<Tables>, field: string): Promise<number> {
  // Views of extensions, such as pg_stat_statements, are nobody's tables.
  const { rows } = await sql<{ schema: string | null; encoding: string; tables: number }>`
    select current_schema() as schema, current_setting('server_encoding') as encoding, (
      select count(*) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = current_schema() and c.relkind in ('r', 'p', 'v', 'm', 'f') and not exists (
        select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    ) as tables
  `.execute(database);
  const { schema, encoding, tables } = rows[0]!;
  const unusable = (reason: string): Fault => new Fault(problem("accounts_unusable", field, { reason }));
  if (schema === null) throw unusable("no schema of the connection's search_path exists; make one with CREATE SCHEMA");
  if (encoding !== "UTF8") throw unusable(`the database's encoding is ${encoding}; make one with ENCODING 'UTF8'`);
  if (tables > 0) {
    throw unusable(
      `the schema ${schema} has tables of another program; name an empty database, or a schema with options=-csearch_path=NAME`,
    );
  }
  await sql`create table daybook (application text primary key, version bigint not null)`.execute(database);
  await sql`insert into daybook (application, version) values (${APPLICATION}, 0)`.execute(database);
  return 0;
}

async function nameOf(database: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    select 'schema ' || current_schema() || ' of database ' || current_database() as name
  `.execute(database);
  return rows[0]!.name;
}
