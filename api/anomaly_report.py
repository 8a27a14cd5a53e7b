"""Which records behind the newest run look wrong: missing, impossible, outlying or late, by metric.

Source: the lineage of the newest run, its revisions, and the freshness of the contracts in force. Detection only: to
hold, replace or exclude a number is a decision with an approval, and no part of this report.
"""

from collections import defaultdict
from typing import Any

from sqlalchemy import text

from api.contracts import contracts
from api.settings import Settings
from connectors.rules import Terms
from connectors.schedule import deadline
from engine.metrics.anomalies import Observation, anomalies
from engine.metrics.catalogue import CATALOGUE
from engine.words import Source
from schema.store import DbRole, Store

NEWEST = text("select id from score.run order by run_no desc limit 1")
# What was changed before the source was first read could not be here in time: it is not late.
BEHIND = text("""
with behind as materialized (
  select distinct on (metric, record_id) metric, record_id, revision_id, number, measure from score.kpi_lineage
   where run_id = :run and (left_out is null or left_out = 'UNKNOWN') order by metric, record_id, subject_kind),
began as materialized (select source, entity, min(observed_at) as at from mirror.revision group by 1, 2)
select l.metric, l.number, l.measure, v.source, v.entity, v.version_at, v.version_at < b.at as before,
       (select min(a.observed_at) from mirror.revision a where a.tenant_id = v.tenant_id and a.record_id = v.record_id
           and a.version_no = v.version_no and a.version_at = v.version_at) as observed_at
  from behind l join mirror.revision v on v.tenant_id = (select app.tenant()) and v.id = l.revision_id
  join began b on b.source = v.source and b.entity = v.entity
 order by l.metric, l.record_id
""")


async def anomaly_report(store: Store, settings: Settings) -> list[dict[str, Any]]:
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        known = await contracts(connection, settings)
        run = await connection.scalar(NEWEST)
        rows = (await connection.execute(BEHIND, {"run": run})).all()
    observations: dict[str, list[Observation]] = defaultdict(list)
    for row in rows:
        source = Source(row.source)
        terms = known[source].terms if source in known else Terms()
        due_at = deadline(terms.freshness_for(row.entity), row.version_at)
        if row.before:
            due_at = max(due_at, row.observed_at)
        seen = Observation(f"{row.source} {row.number}", row.measure, row.version_at, row.observed_at, due_at)
        observations[row.metric].append(seen)
    return [
        {"metric": metric, "kind": found.kind.value, "record": found.record, "measure": found.measure,
         "what": found.what, "fix": found.fix}
        for metric in sorted(observations)
        for found in anomalies(CATALOGUE[metric], observations[metric])
    ]  # fmt: skip
