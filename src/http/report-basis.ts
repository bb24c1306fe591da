/** What a report was made of, in headers, so that two answers can be compared. */

import type { FastifyReply } from "fastify";
import { formatInstant } from "../domain/time.ts";
import type { Service } from "../service.ts";

type ReportBasis = Awaited<ReturnType<Service["billingUsage"]>>["basis"];

/** The headers of an answer's schema. */
export const basisHeaders = {
  "x-daybook-price-book-version": { type: "string", description: "The version of the list price book" },
  "x-daybook-price-book-hash": { type: "string", description: "SHA-256 of its text, in hex" },
  "x-daybook-contract-version": {
    type: "string",
    description: "The version of the account's contract book; left out where it has none",
  },
  "x-daybook-tzdb-version": { type: "string", description: "The version of the time zone database" },
  "x-daybook-ledger-position": {
    type: "string",
    description:
      "The state of the account's ledger. Two answers to one question with the same versions and position are the same, " +
      "unless deployments run or keys were named anew",
  },
  "x-daybook-evaluation-time": { type: "string", description: "When the answer was made" },
} as const;

/** Puts the headers on an answer. */
export function tellBasis(reply: FastifyReply, basis: ReportBasis): FastifyReply {
  const { book, contractBook, tzdbVersion, position, evaluationTime } = basis;
  return reply.headers({
    "x-daybook-price-book-version": String(book.version),
    "x-daybook-price-book-hash": book.hash,
    ...(contractBook && { "x-daybook-contract-version": String(contractBook.version) }),
    "x-daybook-tzdb-version": tzdbVersion,
    "x-daybook-ledger-position": String(position),
    "x-daybook-evaluation-time": formatInstant(evaluationTime),
  });
}
