/** The gateway of `daybook serve --gateway`: its file read, its place in the data folder, its end. */

import { existsSync, readFileSync } from "node:fs";
import { Fault } from "../../domain/fault.ts";
import { whyUnreadable } from "../../domain/unreadable.ts";
import { carryOver } from "../../gateway/carry.ts";
import { type GatewayConfig, readGatewayConfig } from "../../gateway/config.ts";
import { gatewayRoutes } from "../../gateway/routes.ts";
import type { ServerOptions } from "../../http/server.ts";
import { spoolFolderOf } from "../../installation.ts";
import type { Service } from "../../service.ts";
import { quoted, refused, sayable } from "../refusal.ts";

/** @throws Refusal when the file has mistakes, each of which was told with its line. */
export function readGatewayFile(path: string): GatewayConfig {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw refused(`--gateway: ${quoted(path)} cannot be read: ${whyUnreadable(error)}`);
  }
  try {
    return readGatewayConfig(path, text, { env: process.env, readFile: (name) => readFileSync(name, "utf8") });
  } catch (error) {
    if (!(error instanceof Fault) || error.problems[0].code !== "bad_gateway_file") throw error;
    const lines = error.problems.map(({ facts }) => sayable(`${facts.value}:${facts.line}: ${facts.reason}`));
    process.stderr.write(`${lines.join("\n")}\n`);
    const mistakes = lines.length === 1 ? "1 mistake" : `${lines.length} mistakes`;
    throw refused(`--gateway: ${quoted(path)} has ${mistakes}; correct the file and start again`);
  }
}

/** The part of a server that is the gateway. */
export interface GatewayPart {
  readonly addRoutes: NonNullable<ServerOptions["addRoutes"]>;
  /** After the server has closed, before the service does. */
  close(): Promise<void>;
}

/** @param config undefined where no gateway is wished: then what an earlier one left on disk is carried over. */
export function gatewayPart(config: GatewayConfig | undefined, service: Service, dataFolder: string): GatewayPart {
  const spoolFolder = spoolFolderOf(dataFolder);
  let open: { close(): Promise<void> } | undefined;
  return {
    async addRoutes(scope, { registry, droppedAnnotations }) {
      const surroundings = { registry, droppedAnnotations, log: scope.log };
      if (config) {
        // Only who runs a gateway pays for its HTTP client, in memory and at the start.
        const { Gateway } = await import("../../gateway/gateway.ts");
        const gateway = new Gateway({ config, service, spoolFolder }, surroundings);
        gatewayRoutes(scope, gateway);
        open = gateway;
      } else if (existsSync(spoolFolder)) open = carryOver(spoolFolder, service, surroundings);
    },
    close: async () => open?.close(),
  };
}
