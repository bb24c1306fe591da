/** Pages of a list, as all lists of the control plane ask for and give them (contract, section 1). */

import type { Page, PageAsk } from "../accounts/paging.ts";
import { Fault, problem } from "../domain/fault.ts";

const PAGE_SIZE_DEFAULT = 50;
const PAGE_SIZE_MAX = 200;

/** The query parameters of a list, for its schema. */
const pageQueryProperties = {
  pageSize: {
    type: "string",
    description: `A whole number; ${PAGE_SIZE_DEFAULT} by default, more than ${PAGE_SIZE_MAX} counts as ${PAGE_SIZE_MAX}`,
    examples: ["50"],
  },
  pageToken: { type: "string", description: "The nextPageToken of the page before" },
} as const;

/** A list without further parameters. */
export const pageQuery = { type: "object", properties: pageQueryProperties, additionalProperties: false } as const;

const pageReplyProperties = {
  nextPageToken: { type: "string", description: "Left out on the last page" },
  totalSize: { type: "integer", description: "The number of items on all pages" },
} as const;

/** The reply of a list whose items stand in the property `name`. */
export function pageReply(
  name: string,
  { what, schema, example }: { readonly what: string; readonly schema: object; readonly example: object },
) {
  return {
    description: `One page of ${what}`,
    type: "object",
    properties: { [name]: { type: "array", items: schema }, ...pageReplyProperties },
    required: [name, "totalSize"],
    additionalProperties: false,
    examples: [{ [name]: [example], totalSize: 1 }],
  } as const;
}

export interface PageQuery {
  readonly pageSize?: string;
  readonly pageToken?: string;
}

/** Reads the parameters. 0 stands for the default, as in protobuf. @throws Fault `wrong_type`. */
export function pageAskOf({ pageSize = "", pageToken }: PageQuery): PageAsk {
  if (!/^\d{0,16}$/.test(pageSize)) {
    throw new Fault(problem("wrong_type", "pageSize", { value: pageSize, allowed: "a whole number from 1" }));
  }
  const size = Number(pageSize) || PAGE_SIZE_DEFAULT;
  return { pageSize: Math.min(size, PAGE_SIZE_MAX), pageToken };
}

/** The reply: the items under their name, then the page's own fields. */
export function pageJson<T>(name: string, page: Page<T>, itemJson: (item: T) => object): object {
  const { nextPageToken, totalSize } = page;
  return { [name]: page.items.map(itemJson), ...(nextPageToken !== undefined && { nextPageToken }), totalSize };
}
