"""Who runs the connections to the tools sees no raw bytes of pay: not as a body, not as a bad value, not as a key."""

import pytest
from sqlalchemy import text

from connectors.issues import Fault, list_unplaced
from connectors.mirror import Sighting, write_versions
from connectors.source import Version
from engine.words import Feed, MirrorKind, Role, Source
from schema.store import DbRole, Viewer
from tests.api.actions.firm import NOW, Firm, grant, person

KINDS = {
    Source.PAYROLL: MirrorKind.PAYROLL_RESULT, Source.HRIS: MirrorKind.EMPLOYMENT, Source.FINANCE: MirrorKind.BUDGET,
    Source.SCIM: MirrorKind.ACCOUNT_GROUP, Source.SERVICENOW: MirrorKind.VENDOR, Source.VENDOR: MirrorKind.CONTRACT,
}  # fmt: skip
PAY = {"payroll", "hris", "finance"}
SEEN = {
    "mirror.payload": """select r.source from mirror.payload p join mirror.revision r on r.id = p.revision_id""",
    "mirror.payload alone": "select convert_from(body, 'UTF8') from mirror.payload",
    "mirror.revision": "select source from mirror.revision",
    "mirror.record": "select source from mirror.record",
    "mirror.data_issue": "select source from mirror.data_issue",
}


@pytest.mark.parametrize("table", SEEN)
async def test_bytes_of_pay_are_for_auditors(empty: Firm, table: str) -> None:
    async with empty.store.begin(DbRole.WORKER) as connection:
        for source, kind in KINDS.items():
            values = {"name": "x", "number": "x"}
            version = Version(source, "made_up", "K-1", kind, 1, NOW, source.value.encode(), values)
            await write_versions(connection, [Sighting(version, Feed.FILE, 1, NOW)])
            await list_unplaced(connection, [Fault(source, "made_up", "K-2", "amount", "45,000", "Not a number.", "-")])
    for name, role in (("ann", Role.ITSM_ADMIN), ("bob", Role.AUDITOR)):
        await grant(empty.store, person(name), role)

    async def seen(name: str) -> set[str]:
        async with empty.store.begin(DbRole.APP, Viewer(person(name)), read_only=True) as connection:
            return set(await connection.scalars(text(SEEN[table])))

    everything = {source.value for source in KINDS}
    without = {"scim"} if "payload" in table else set()  # an account's body names the employee number
    assert await seen("bob") == everything
    assert await seen("ann") == everything - PAY - without
