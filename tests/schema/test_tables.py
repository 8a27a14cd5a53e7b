"""The database is what the models say: migrations bring the same tables, and each of them stands behind a wall."""

import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import schema.tables  # noqa: F401 - completes the metadata
from schema.embedded import Server
from schema.store import HERE, DbRole, async_url, migrate

OURS = ["access", "audit", "feed", "inbox", "ledger", "mirror", "ops", "pay", "score"]
SERVICE_ROLES = [role.value for role in DbRole]
COLUMNS = """select table_schema, table_name, column_name, data_type, is_nullable, numeric_precision, numeric_scale,
                    character_maximum_length, is_identity, identity_generation, column_default
               from information_schema.columns where table_schema = any($1) and table_name <> 'security_digest'"""
CONSTRAINTS = """select n.nspname, t.relname, c.conname, pg_get_constraintdef(c.oid) from pg_constraint c
                   join pg_class t on t.oid = c.conrelid join pg_namespace n on n.oid = t.relnamespace
                  where n.nspname = any($1) and t.relname <> 'security_digest' and c.contype <> 't'"""
INDEXES = "select schemaname, tablename, indexdef from pg_indexes where schemaname = any($1)"


@pytest.fixture(scope="module")
async def drawn(postgres: Server) -> AsyncIterator[asyncpg.Connection]:
    """A database that the models alone have made, without any migration."""
    name = f"drawn_{os.getpid()}"
    admin = await asyncpg.connect(postgres.url("postgres"))
    await admin.execute(f'create database "{name}"')
    engine = create_async_engine(async_url(postgres.url(name)))
    async with engine.begin() as connection:
        for each in OURS:
            await connection.execute(text(f"create schema {each}"))
        await connection.run_sync(SQLModel.metadata.create_all)
    await engine.dispose()
    made = await asyncpg.connect(postgres.url(name))
    yield made
    await made.close()
    await admin.execute(f'drop database "{name}" with (force)')
    await admin.close()


@pytest.fixture
async def migrated(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def rows(connection: asyncpg.Connection, statement: str, *values: Any) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in await connection.fetch(statement, *values)}


def check(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(HERE / "migrations"))
    config.attributes["connection"] = connection
    command.check(config)


async def test_alembic_finds_nothing_to_migrate(database_url: str) -> None:
    engine = create_async_engine(async_url(database_url))
    async with engine.connect() as connection:
        await connection.run_sync(check)
    await engine.dispose()


@pytest.mark.parametrize("statement", [COLUMNS, CONSTRAINTS, INDEXES], ids=["columns", "constraints", "indexes"])
async def test_migrations_bring_what_the_models_draw(
    drawn: asyncpg.Connection, migrated: asyncpg.Connection, statement: str
) -> None:
    """Also what the comparison above does not look at: CHECKs with their words, identity, parts of indexes."""
    wanted, found = await rows(drawn, statement, OURS), await rows(migrated, statement, OURS)
    found = {row for row in found if "security_digest" not in str(row)}
    assert len(wanted) > 20
    assert found == wanted


@pytest.mark.capability("X1")
async def test_every_table_of_ours_stands_behind_the_tenant_wall(migrated: asyncpg.Connection) -> None:
    tables = await rows(
        migrated,
        """select n.nspname || '.' || c.relname, c.relrowsecurity, c.relforcerowsecurity from pg_class c
             join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p') and n.nspname = any($1) and c.relname <> 'security_digest'""",
        OURS,
    )
    assert len(tables) == len(SQLModel.metadata.tables)
    assert {name for name, enabled, forced in tables if not (enabled and forced)} == set()
    walls = await migrated.fetch(
        """select schemaname || '.' || tablename as name, permissive, roles::text[] as roles, cmd, qual, with_check
             from pg_policies where policyname = 'tenant'"""
    )
    assert {row["name"] for row in walls} == {name for name, _, _ in tables}
    wall = "(tenant_id = ( SELECT app.tenant() AS tenant))"
    said = {(row["permissive"], tuple(row["roles"]), row["cmd"], row["qual"], row["with_check"]) for row in walls}
    assert said == {("RESTRICTIVE", ("public",), "ALL", wall, wall)}
    elsewhere = await rows(migrated, "select schemaname from pg_tables where schemaname <> all($1)",
                           [*OURS, "pg_catalog", "information_schema"])  # fmt: skip
    assert elsewhere == {("public",), ("parts",)}  # alembic's own table; partitions, which nobody may name


# what functions of the owner write in the name of whoever calls them
OWNED = ("access.bucket", "ops.data_change", "ops.data_version")


@pytest.mark.capability("X1")
async def test_permissive_policies_are_for_our_roles_only(migrated: asyncpg.Connection) -> None:
    policies = await migrated.fetch(
        "select schemaname || '.' || tablename as name, policyname, roles::text[] as roles, qual, with_check"
        " from pg_policies where permissive = 'PERMISSIVE'"
    )
    assert policies
    for row in policies:
        assert set(row["roles"]) <= {*SERVICE_ROLES, "evenhand_owner"}, dict(row)
        if "evenhand_owner" in row["roles"]:
            assert row["policyname"] == "owner_reads" or row["name"] in OWNED
        if "evenhand_app" in row["roles"] and row["name"] != "audit.pending" and row["qual"] == "true":
            assert row["name"] == "access.tenant", "a table that everybody may read whole"


@pytest.mark.capability("X1")
async def test_no_service_role_owns_anything_or_escapes(migrated: asyncpg.Connection) -> None:
    roles = await migrated.fetch(
        "select * from pg_roles where rolname like 'evenhand%'"
        " and rolname not in ('evenhand_admin', 'evenhand_service')"
    )
    assert {row["rolname"] for row in roles} == {*SERVICE_ROLES, "evenhand_owner"}
    for row in roles:
        powers = ("rolsuper", "rolbypassrls", "rolcanlogin", "rolcreaterole", "rolcreatedb", "rolinherit",
                  "rolreplication")  # fmt: skip
        assert not any(row[power] for power in powers), row["rolname"]
    owned = await rows(
        migrated,
        """select c.relname, pg_get_userbyid(c.relowner) from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = any($1) and c.relkind in ('r', 'p', 'S', 'v', 'm')""",
        OURS,
    )
    assert {owner for _, owner in owned} == {"evenhand_owner"}
    functions = await rows(
        migrated,
        """select p.proname, p.prosecdef, coalesce(p.proconfig::text, '') like '%search_path%',
                  has_function_privilege('public', p.oid, 'execute')
             from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'app'""",
    )
    assert functions
    for name, definer, pinned, public in functions:
        assert not definer or pinned, f"{name} runs as the owner with an open search path"
        assert not public, f"{name} can be executed by everybody"
    members = await rows(
        migrated,
        """select m.rolname, g.rolname from pg_auth_members a join pg_roles g on g.oid = a.roleid
             join pg_roles m on m.oid = a.member where m.rolname = any($1)""",
        SERVICE_ROLES,
    )
    assert members == set()  # no role of ours can become another one


async def test_migrating_again_changes_nothing_and_lays_lost_policies_anew(
    database_url: str, migrated: asyncpg.Connection
) -> None:
    policies = "select schemaname, tablename, policyname, cmd, qual, with_check from pg_policies"
    grants = "select grantee, table_schema, table_name, privilege_type from information_schema.role_table_grants"
    before = await rows(migrated, policies), await rows(migrated, grants)
    await migrate(database_url)
    assert (await rows(migrated, policies), await rows(migrated, grants)) == before
    await migrated.execute("create policy hole on pay.award_amount for select to evenhand_app using (true)")
    await migrated.execute("grant update on pay.award_amount to evenhand_app")
    await migrated.execute("update ops.security_digest set digest = 'of an older release'")
    await migrate(database_url)
    assert (await rows(migrated, policies), await rows(migrated, grants)) == before
