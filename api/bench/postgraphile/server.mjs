// The peer of `evenhand bench reads`: PostGraphile over the same tables, as the same database role.
//
// Decides: the viewer comes in a header that nobody checks and is told to the database as our own server tells it, so
// the same row security holds. Relations are declared here, since the tables have no foreign keys. All limits are off.
// Arguments: port, connection string.

import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { jsonPgSmartTags } from "postgraphile/utils";

const [port, connectionString] = process.argv.slice(2);
const POOL = 10; // the default of its driver; kept open, so that no measurement pays for connecting
const TENANT = process.env.BENCH_TENANT;
// As our own connections: transactions that only read and see one moment, in which a viewer is judged once.
const SETTINGS = ["default_transaction_read_only=on", "default_transaction_isolation=repeatable\\ read"];
const options = SETTINGS.map((each) => `-c ${each}`).join(" ");

const relations = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      "mirror.person": { tags: { name: "people" } },
      "score.cycle": { tags: { name: "cycles" } },
      "score.score": {
        tags: {
          name: "scores",
          unique: "tenant_id,run_id,subject_kind,subject_id",
          foreignKey: [
            "(tenant_id, person_id) references mirror.person (tenant_id, id)|@fieldName person|@foreignFieldName scores",
            "(tenant_id, cycle_id) references score.cycle (tenant_id, id)|@fieldName cycle|@foreignFieldName scores",
          ],
        },
      },
      "score.kpi_value": {
        tags: {
          name: "kpi_values",
          unique: "tenant_id,run_id,metric,subject_kind,subject_id",
          foreignKey:
            "(tenant_id, run_id, subject_kind, subject_id) references score.score (tenant_id, run_id, subject_kind, subject_id)" +
            "|@fieldName score|@foreignFieldName kpiValueConnection|@foreignSimpleFieldName kpiValues|@behavior +list +connection",
        },
      },
      "score.kpi_lineage": {
        tags: {
          name: "evidence_records",
          foreignKey:
            "(tenant_id, run_id, metric, subject_kind, subject_id) references score.kpi_value (tenant_id, run_id, metric, subject_kind, subject_id)" +
            "|@fieldName kpiValue|@foreignFieldName evidence",
        },
      },
    },
  },
});

const preset = {
  extends: [PostGraphileAmberPreset],
  plugins: [relations],
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [
    makePgService({ connectionString, schemas: ["mirror", "score"], poolConfig: { max: POOL, idleTimeoutMillis: 0, options } }),
  ],
  grafast: {
    context(from) {
      const viewer = from.node?.req.headers["x-viewer"] ?? "";
      return {
        pgSettings: {
          role: "evenhand_app",
          "app.tenant_id": TENANT,
          "app.person_id": viewer,
        },
      };
    },
  },
  grafserv: { graphqlPath: "/graphql", graphiql: false, websockets: false, watch: false },
};

const serv = postgraphile(preset).createServ(grafserv);
const server = createServer();
server.keepAliveTimeout = 60_000;
await serv.addTo(server);
server.listen(Number(port), "127.0.0.1");
