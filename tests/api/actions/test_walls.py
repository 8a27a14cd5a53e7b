"""Whose rows: a viewer of another tenant sees none of any table, nobody sees none, and reading changes nothing."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.actions import writebacks
from engine.words import Role
from schema.store import SYSTEM, DbRole, Viewer
from tests.api.actions.firm import NOW, OTHER_TENANT, SCHEMAS, Firm, grant, person
from tests.api.actions.test_pulls import signed, tell, words

GRANTED = """select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where c.relkind in ('r', 'p') and n.nspname = any($1) and c.relname <> 'security_digest'
                and has_any_column_privilege($2, c.oid, 'select') order by 1"""


async def seen(firm: Firm, role: DbRole, viewer: Viewer) -> dict[str, int]:
    """How many rows of every table that the role may read the viewer sees."""
    tables = [row["name"] for row in await firm.rows(GRANTED, [*SCHEMAS, "inbox"], role.value)]
    assert tables
    async with firm.store.begin(role, viewer, read_only=True) as connection:
        union = " union all ".join(f"select '{name}', count(tenant_id) from {name}" for name in tables)
        found = (await connection.execute(text(union))).all()
        return {str(name): int(count) for name, count in found}


PLAIN = {
    "uuid": "gen_random_uuid()", "text": "'x'", "character varying": "'x'", "bigint": "1", "integer": "1",
    "smallint": "1", "boolean": "false", "bytea": "'x'", "jsonb": "'{}'", "date": "current_date",
    "timestamp with time zone": "now()",
}  # fmt: skip
COLUMNS = """select c.column_name, c.data_type,
    (select substring(pg_get_constraintdef(k.oid) from '''([^'']+)''') from pg_constraint k
      where k.conrelid = format('%I.%I', c.table_schema, c.table_name)::regclass
        and k.conname = c.column_name || '_word') as word
  from information_schema.columns c
 where format('%I.%I', c.table_schema, c.table_name) = $1 and c.is_nullable = 'NO' and c.is_identity = 'NO'
   and c.column_name <> 'tenant_id'"""


async def fill(firm: Firm, table: str) -> None:
    """One row of the viewers' tenant in a table that the story does not reach."""
    columns = await firm.rows(COLUMNS, table)
    values = [f"'{row['word']}'" if row["word"] else PLAIN[row["data_type"]] for row in columns]
    names = ", ".join(["tenant_id", *(row["column_name"] for row in columns)])
    async with firm.store.begin(DbRole.WORKER) as connection:
        await connection.execute(
            text(f"insert into {table} ({names}) values ({', '.join(['(select app.tenant())', *values])})")
        )


async def everywhere(firm: Firm) -> None:
    """Bring the story to where every table that a viewer could read holds something."""
    await tell(firm, signed(await words(firm, "accepted", ("L000001",))))
    await writebacks.queue(firm.store, await firm.run_id())
    async with firm.store.begin(DbRole.WORKER) as connection:
        for statement in (
            "insert into access.tenant values ((select app.tenant()), 'Firm', '')",
            """insert into access.reporting_closure
               values ((select app.tenant()), gen_random_uuid(), gen_random_uuid(), 1)""",
            "insert into ops.watermark values ((select app.tenant()), 'jira', 'issue', 'POLL', now())",
            """insert into mirror.vendor (tenant_id, id, source, source_key, revision_id, name)
               values ((select app.tenant()), gen_random_uuid(), 'jira', 'v', 1, 'Vendor')""",
            """insert into mirror.data_issue values ((select app.tenant()), gen_random_uuid(), 'state', 'MALFORMED',
               'jira', 'issue', 'k', 'v', 'what', 'fix', 'OPEN', 1)""",
            """insert into inbox.delivery_key (tenant_id, source, delivery_id, body_sha256, conflicts, duplicates)
               values ((select app.tenant()), 'jira', 'd', 'x', 0, 0)""",
            """insert into inbox.delivery (tenant_id, source, entity, feed, delivery_id, conflict_no, body, body_sha256,
                 headers, received_at, state, attempts)
               values ((select app.tenant()), 'jira', 'issue', 'POLL', 'd', 0, 'x', 'x', '{}', now(), 'READY', 0)""",
        ):
            await connection.execute(text(statement))


@pytest.mark.capability("X1")
async def test_a_viewer_of_another_tenant_sees_no_row_of_any_table(pulled: Firm) -> None:
    firm = pulled
    await everywhere(firm)
    held = await firm.rows("select schemaname || '.' || tablename from pg_tables where schemaname = any($1)",
                           [*SCHEMAS, "inbox"])  # fmt: skip
    empty = [row[0] for row in held if not await firm.value(f"select count(*) from {row[0]}")]
    for table in sorted(set(empty) - {"ops.security_digest", "audit.pending", "access.bucket"}):
        await fill(firm, table)  # else this test would say nothing of it
    for role in Role:  # at home he may do everything
        await grant(firm.store, person("spy"), role, OTHER_TENANT)
        await grant(firm.store, person("hr"), role, OTHER_TENANT)
    own = {"access.role_grant": 2 * len(Role), "ops.data_change": 2 * len(Role)}
    for role in DbRole:
        for viewer in (Viewer(person("spy"), OTHER_TENANT), Viewer(person("hr"), OTHER_TENANT)):
            found = await seen(firm, role, viewer)
            assert {name: count for name, count in found.items() if count and name not in own} == {}, role
            assert found.get("access.role_grant", 0) in (0, *own.values())


@pytest.mark.capability("X1")
async def test_nobody_and_strangers_see_nothing_that_is_somebodys(pulled: Firm) -> None:
    """No identity and an unknown person see no person, no money and no score; a connection that was used before too."""
    await everywhere(pulled)
    for viewer in (SYSTEM, Viewer(person("stranger"))):
        assert (await seen(pulled, DbRole.APP, pulled.viewer("auditor")))["pay.award"] == 5
        found = await seen(pulled, DbRole.APP, viewer)
        assert {name: count for name, count in found.items() if count} == {"access.tenant": 1}
    await grant(pulled.store, person("past"), Role.AUDITOR, until=NOW - timedelta(days=300))
    past = await seen(pulled, DbRole.APP, pulled.viewer("past"))
    assert {name: count for name, count in past.items() if count and name != "access.role_grant"} == {
        "access.tenant": 1
    }


async def attempt(firm: Firm, role: DbRole, viewer: Viewer, statement: str) -> Any:
    try:
        async with firm.store.begin(role, viewer) as connection:
            return (await connection.execute(text(statement))).rowcount
    except DBAPIError as error:
        return getattr(error.orig, "sqlstate", "")


@pytest.mark.capability("X1")
async def test_whoever_reads_for_people_writes_nothing_but_audit_entries(pulled: Firm) -> None:
    grants = await pulled.rows(
        """select grantee, table_schema || '.' || table_name as name, privilege_type as what
             from information_schema.role_table_grants where grantee = any($1)
            union select grantee, table_schema || '.' || table_name, privilege_type
             from information_schema.column_privileges where grantee = any($1)""",
        [role.value for role in DbRole],
    )
    may = {(row["grantee"], row["what"], row["name"]) for row in grants}
    assert {(what, name) for who, what, name in may if who == "evenhand_app" and what != "SELECT"} == {
        ("INSERT", "audit.entry"), ("INSERT", "audit.pending"),
    }  # fmt: skip
    assert {name for who, what, name in may if who == "evenhand_intake" and what == "SELECT"} == {"inbox.delivery_key"}
    assert not [each for each in may if each[1] in ("TRUNCATE", "TRIGGER", "REFERENCES")]
    money = {name for who, what, name in may if what != "SELECT" and name.startswith(("pay.", "ledger."))
             and who not in ("evenhand_pay", "evenhand_worker")}  # fmt: skip
    assert money == set()
    worker = {name for who, what, name in may if who == "evenhand_worker" and what != "SELECT"}
    assert {name for name in worker if name.startswith("pay.")} == {"pay.pool_allocation", "pay.award_proposal"}
    finance = pulled.viewer("finance")
    for statement in (
        "update pay.line set amount_minor = 1", "update pay.award_amount set earned_minor = 1", "delete from pay.line",
        "update pay.file set csv = 'x'", "update pay.file set manifest = 'x'", "truncate ledger.posting",
        "update ledger.posting set amount_minor = 1", "insert into access.role_grant select * from access.role_grant",
    ):  # fmt: skip
        for role in (DbRole.PAY, DbRole.APP):
            assert await attempt(pulled, role, finance, statement) == "42501", (role, statement)


async def test_a_tenant_cannot_be_written_into_from_outside(pulled: Firm) -> None:
    stranger = Viewer(person("spy"), OTHER_TENANT)
    for role in Role:
        await grant(pulled.store, person("spy"), role, OTHER_TENANT)
    home = str(SYSTEM.tenant_id)
    into = f"""insert into access.role_grant (tenant_id, person_id, role, granted_by, valid_from)
               values ('{home}', gen_random_uuid(), 'HR', 'x', now())"""
    assert await attempt(pulled, DbRole.WORKER, stranger, into) == "42501"
    for statement in ("update mirror.person set active = false", "delete from mirror.incident"):
        assert await attempt(pulled, DbRole.WORKER, stranger, statement) == 0
    assert await attempt(pulled, DbRole.PAY, stranger, "update pay.file set state = 'PAID'") == 0
