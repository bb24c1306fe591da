/** Which usage a budget counts. */

import type { Annotations } from "../domain/annotations.ts";
import type { BudgetScope } from "./records.ts";

/** What a scope is compared with: a call, or its usage. */
export interface Spender {
  readonly apiKeyId: string;
  /** Those of its key, too. */
  readonly annotations: Annotations;
}

/** Whether usage of the spender is held to the scope. */
export function covers(scope: BudgetScope, { apiKeyId, annotations }: Spender): boolean {
  switch (scope.kind) {
    case "account":
      return true;
    case "apiKey":
      return scope.apiKeyId === apiKeyId;
    case "tag":
      return annotations[scope.tag] === scope.value;
    default:
      return scope satisfies never;
  }
}

/** A text of the scope: equal scopes have equal texts. */
export function keyOfScope(scope: BudgetScope): string {
  switch (scope.kind) {
    case "account":
      return "account";
    case "apiKey":
      return `apiKey ${scope.apiKeyId}`;
    case "tag":
      return `${scope.tag} ${scope.value}`;
    default:
      return scope satisfies never;
  }
}
