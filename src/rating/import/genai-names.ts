/** Which names of models genai-prices means by a match clause, and which of them a price book can say. Pure. */

import { ANY } from "../match.ts";
import { isObject, type ListJson } from "./json-text.ts";
import type { Findings } from "./report.ts";

/** A clause that needs nothing beside it: the list takes a model when any of them fits. */
type Clause =
  | { readonly kind: "equals" | "starts_with" | "contains" | "ends_with"; readonly text: string }
  | { readonly kind: "not_expressible"; readonly key: string }
  | { readonly kind: "not_understood"; readonly key: string };

const PLAIN = ["equals", "starts_with", "contains", "ends_with"] as const;

/** The clauses of a match, those inside `or` in their order. */
function clausesOf(match: ListJson | undefined): Clause[] {
  const [first, ...others] = isObject(match) ? Object.entries(match) : [];
  if (!first || others.length > 0) return [{ kind: "not_understood", key: "match" }];
  const [key, value] = first;
  if (key === "or" && Array.isArray(value)) return (value as readonly ListJson[]).flatMap(clausesOf);
  const plain = PLAIN.find((one) => one === key);
  if (plain && typeof value === "string") return [{ kind: plain, text: value }];
  const known = key === "regex" || key === "and";
  return [{ kind: known ? "not_expressible" : "not_understood", key: `match.${key}` }];
}

/** True when the clause certainly takes the name; the list does not regard letter case. */
function takes(clause: Clause, name: string): boolean {
  if (!("text" in clause)) return false;
  const [lower, text] = [name.toLowerCase(), clause.text.toLowerCase()];
  if (clause.kind === "equals") return lower === text;
  if (clause.kind === "starts_with") return lower.startsWith(text);
  return clause.kind === "ends_with" ? lower.endsWith(text) : lower.includes(text);
}

export interface NamedModel {
  readonly id: string;
  readonly match: ListJson | undefined;
}

const NO_PATTERN = "a book's names are whole or the beginning of names; the model's own id is taken";

/** The names of each model of one provider. The list asks its models in order, so an earlier one keeps a name. */
export function namesOf(models: readonly NamedModel[], findings: Findings): readonly (readonly string[])[] {
  const clauses = models.map(({ match }) => clausesOf(match));
  const owner = (name: string): number => clauses.findIndex((list) => list.some((clause) => takes(clause, name)));
  const names = models.map((): string[] => []);
  const give = (to: number, name: string): void => {
    if (!names[to]!.includes(name)) names[to]!.push(name);
  };
  for (const [at, { id }] of models.entries()) {
    const whole = clauses[at]!.flatMap((clause) => (clause.kind === "equals" ? [clause.text] : []));
    for (const name of [id, ...whole]) {
      if (name.endsWith(ANY)) {
        findings.add("not_expressible", "match", "a * at the end of a whole name would stand for any end", id);
        continue;
      }
      const first = owner(name);
      if (first >= 0 && first !== at) {
        const reason = `two models take one name: the list gives it to ${models[first]!.id}, which it asks first`;
        findings.add("conflict", "match", reason, id);
      }
      if (name !== name.toLowerCase()) findings.add("approximated", "match", "letter case counts in a book", id);
      give(first >= 0 ? first : at, name);
    }
    for (const clause of clauses[at]!) {
      if (clause.kind === "starts_with") {
        const earlier = clauses.slice(0, at).findIndex((list) => list.some((one) => takesAll(one, clause.text)));
        if (earlier < 0) give(at, `${clause.text}*`);
        else
          findings.add("conflict", "match", `the list asks ${models[earlier]!.id} first, which takes all of these`, id);
      } else if (clause.kind !== "equals") tellClause(clause, id, findings);
    }
  }
  return names;
}

/** True when the clause takes every name of this beginning. */
function takesAll(clause: Clause, beginning: string): boolean {
  return (clause.kind === "starts_with" || clause.kind === "contains") && takes(clause, beginning);
}

function tellClause(clause: Exclude<Clause, { kind: "equals" | "starts_with" }>, id: string, findings: Findings): void {
  if (clause.kind === "not_understood") {
    findings.add("not_understood", clause.key, "no clause that is known; the model's own id is taken", id);
  } else {
    findings.add("not_expressible", "text" in clause ? `match.${clause.kind}` : clause.key, NO_PATTERN, id);
  }
}
