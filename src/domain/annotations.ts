/** Custom tags: team, project and environment (contract, section 6). */

import { type Problem, problem } from "./fault.ts";

export const TAG_NAMES = ["team", "project", "environment"] as const;
export type TagName = (typeof TAG_NAMES)[number];
export type Annotations = Readonly<Partial<Record<TagName, string>>>;

const TAG_VALUE = /^[A-Za-z0-9\-_./: @]{1,128}$/;

function isTagName(name: string): name is TagName {
  return (TAG_NAMES as readonly string[]).includes(name);
}

/** Keeps the good tags of an untrusted map; the others are dropped and counted. */
export function keepGoodAnnotations(map: Readonly<Record<string, unknown>>): { kept: Annotations; dropped: number } {
  const kept: Partial<Record<TagName, string>> = {};
  let dropped = 0;
  for (const [name, value] of Object.entries(map)) {
    if (isTagName(name) && typeof value === "string" && TAG_VALUE.test(value)) kept[name] = value;
    else dropped += 1;
  }
  return { kept, dropped };
}

/**
 * Checks the tags of a key or a deployment: unknown names are dropped (contract: without an error), a bad value is a
 * problem.
 */
export function checkAnnotations(
  map: Readonly<Record<string, unknown>>,
  field: string,
): { kept: Annotations; problems: Problem[] } {
  const kept: Partial<Record<TagName, string>> = {};
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(map)) {
    if (!isTagName(name)) continue;
    if (typeof value === "string" && TAG_VALUE.test(value)) kept[name] = value;
    else problems.push(problem("bad_annotation_value", `${field}.${name}`, { value }));
  }
  return { kept, problems };
}
