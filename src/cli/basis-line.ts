/** What answers were made of, as one line below them. */

/** A fact of the answers' headers: where it differs between the calls, from what to what. */
type Told = readonly string[];

const HASH_SHOWN = 12;

/** One line; undefined for a server that does not tell. Of several calls, what changed between them is said. */
export function basisLine(answers: readonly Headers[]): string | undefined {
  const told = (name: string): Told => [
    ...new Set(answers.map((headers) => headers.get(`x-daybook-${name}`) ?? "").filter((value) => value !== "")),
  ];
  const books = told("price-book-version");
  const positions = told("ledger-position");
  if (books.length === 0 || positions.length === 0) return undefined;
  const hashes = told("price-book-hash").map((hash) => hash.slice(0, HASH_SHOWN));
  const contracts = told("contract-version");
  const parts = [
    `Price book ${changing(books)} (sha256 ${changing(hashes)})`,
    ...(contracts.length === 0 ? [] : [`contract ${changing(contracts)}`]),
    `tz database ${changing(told("tzdb-version"))}`,
    `ledger position ${changing(positions)}`,
  ];
  // The answers of a server that tells, of which only some were made by a contract.
  const own = answers.filter((headers) => headers.has("x-daybook-price-book-version"));
  const begun = contracts.length > 0 && !own.every((headers) => headers.has("x-daybook-contract-version"));
  const changed = [
    ...(books.length > 1 || contracts.length > 1 || begun ? ["prices"] : []),
    ...(positions.length > 1 ? ["usage"] : []),
  ];
  const said = changed.length === 0 ? "" : `; ${changed.join(" and ")} changed between the calls`;
  return `${parts.join(", ")}${said}`;
}

function changing(values: Told): string {
  return values.length === 1 ? values[0]! : `${values[0]} to ${values.at(-1)}`;
}
