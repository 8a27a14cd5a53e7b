"""Records behind the newest run that look wrong, found in the lineage of a real run; nothing is changed by looking."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from api.anomaly_report import anomaly_report
from api.settings import Settings
from schema.store import DbRole
from tests.api.actions.firm import NOW, Firm

SEEN = text("select min(observed_at) from mirror.revision")


@pytest.mark.capability("T3.3")
async def test_what_looks_wrong_is_listed_once_a_metric_and_nothing_changes(scored: Firm) -> None:
    await scored.rows("set session_replication_role = replica")  # what the owner of a database can do
    await scored.rows("""update score.kpi_lineage set measure = null, left_out = 'UNKNOWN' where record_id = (
                           select min(record_id::text)::uuid from score.kpi_lineage where left_out is null)""")
    before = await scored.fingerprint()
    found = await anomaly_report(scored.store, Settings())
    assert await scored.fingerprint() == before
    assert {row["kind"] for row in found} <= {"MISSING", "OUTLIER", "IMPOSSIBLE"}, "the first reading is not late"
    unknown = await scored.rows("select distinct metric, number from score.kpi_lineage where left_out = 'UNKNOWN'")
    missing = {(row["metric"], row["record"]) for row in found if row["kind"] == "MISSING"}
    assert missing == {(row["metric"], f"servicenow {row['number']}") for row in unknown}
    assert missing
    assert len({(row["metric"], row["kind"], row["record"]) for row in found}) == len(found)


@pytest.mark.capability("T3.3")
async def test_a_record_that_came_after_its_deadline_is_late(scored: Firm) -> None:
    await scored.rows("set session_replication_role = replica")
    late = NOW - timedelta(days=200)
    await scored.rows(
        "update mirror.revision set observed_at = $1 where entity = 'incident' and source_key like '%1'", late
    )
    found = await anomaly_report(scored.store, Settings())
    listed = [row for row in found if row["kind"] == "LATE"]
    assert listed
    assert all("due by" in row["what"] for row in listed)
    async with scored.store.begin(DbRole.WORKER) as connection:
        assert await connection.scalar(SEEN) == late
