import { ClickHouseLedger } from "../../src/ledger/clickhouse/ledger.ts";
import { conformance } from "../ledger/conformance.ts";
import { inProcess, type OpenEngine } from "./engine.ts";
import { overHttp } from "./over-http.ts";

function opening(engine: () => Promise<OpenEngine>) {
  return async () => {
    const { connection, close } = await engine();
    const ledger = await ClickHouseLedger.open(connection);
    return { ledger, close: () => ledger.close().then(close) };
  };
}

if (!process.env.DAYBOOK_TEST_CLICKHOUSE_URL) conformance("clickhouse, in process", opening(inProcess));

conformance("clickhouse, over HTTP", opening(overHttp));
