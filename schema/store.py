"""Where the data lives: bringing it up to date, and opening transactions as one of our roles for one viewer.

Every transaction names the database role it works as and the viewer it works for. Both end with the transaction:
the role is set when the pooled connection opens and never left, the viewer is transaction-local, so a reused
connection knows nobody. Row security (schema/security) does the rest.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from schema.reads import Reads
from schema.viewer import SYSTEM, DbRole, Viewer

__all__ = ["SYSTEM", "DbRole", "Store", "Viewer", "admit", "async_url", "copy_rows", "migrate", "run_script"]

HERE = Path(__file__).parent
MIGRATION_LOCK = 0x65766E68


IDENTIFY = text(
    "select set_config('app.tenant_id', :tenant, true), set_config('app.person_id', :person, true),"
    " set_config('app.request_id', :request, true), set_config('lock_timeout', :lock, true)"
)
LOCK_MILLISECONDS = 1000


PARTS_AHEAD = text("select app.make_parts(current_date, 3)")
LOGIN = "evenhand_service"
ADMIT = """do $$
begin
  create role evenhand_service login nosuperuser nocreatedb nocreaterole noinherit;
exception when duplicate_object or unique_violation then null;  -- roles are shared by all databases of a server
end $$;
grant {roles} to evenhand_service;
do $$
begin
  execute format('grant connect on database %I to evenhand_service', current_database());
end $$;
"""


class Store:
    """One pool a role, opened when first needed."""

    def __init__(self, url: str, pool_size: int = 5) -> None:
        self._url = async_url(url)
        self._pool_size = pool_size
        self._engines: dict[DbRole, AsyncEngine] = {}
        self.reads = Reads(self._url.replace("+asyncpg", "", 1), pool_size - 1)

    def engine(self, role: DbRole) -> AsyncEngine:
        if role not in self._engines:
            self._engines[role] = create_async_engine(
                self._url,
                pool_size=self._pool_size,
                max_overflow=0,
                connect_args={
                    "server_settings": {"role": role.value, "application_name": role.value, "timezone": "UTC"}
                },
            )
        return self._engines[role]

    @asynccontextmanager
    async def begin(
        self, role: DbRole, viewer: Viewer = SYSTEM, *, isolation: str = "", read_only: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """One transaction as `role` for `viewer`. Commits at the end, rolls back on any exception.

        A read-only transaction sees one moment throughout; a writing one does so with isolation REPEATABLE READ.
        Who came with a request waits 1 s for a lock; a job of ours waits as long as it takes.
        """
        async with self.engine(role).connect() as connection:
            if read_only:
                connection = await connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            elif isolation:
                connection = await connection.execution_options(isolation_level=isolation)
            async with connection.begin():
                await connection.execute(
                    IDENTIFY,
                    {
                        "tenant": str(viewer.tenant_id),
                        "person": str(viewer.person_id or ""),
                        "request": viewer.request_id,
                        "lock": str(LOCK_MILLISECONDS if viewer.request_id else 0),
                    },
                )
                yield connection

    async def close(self) -> None:
        for engine in self._engines.values():
            await engine.dispose()
        self._engines.clear()
        await self.reads.close()


def async_url(url: str) -> str:
    """The same database for the asyncpg driver; postgres://, postgresql:// and +driver forms are all accepted."""
    scheme, _, rest = url.partition("://")
    if scheme.split("+")[0] not in ("postgres", "postgresql") or not rest:
        raise ValueError(f"not a PostgreSQL URL: {scheme}://… Use postgresql://user:password@host:5432/database.")
    return f"postgresql+asyncpg://{rest}"


async def copy_rows(
    connection: AsyncConnection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """COPY rows into a temporary table of this transaction. COPY into a table with row security is not allowed."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None  # noqa: S101 - a live connection always has its driver
    await driver.copy_records_to_table(table, columns=list(columns), records=rows)


async def migrate(url: str) -> None:
    """Bring the database up to date and lay the row-security policies anew where their text has changed.

    Safe to run at every start and from several processes: they wait for each other.
    """
    engine = create_async_engine(async_url(url))
    try:
        async with engine.begin() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            await connection.run_sync(upgrade)
            await connection.run_sync(secure)
            await connection.execute(PARTS_AHEAD)
    finally:
        await engine.dispose()


async def admit(url: str) -> None:
    """Make the plain login of our processes: no superuser, owner of nothing, only a member of the service roles."""
    engine = create_async_engine(async_url(url))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run_script, ADMIT.format(roles=", ".join(DbRole)))
    finally:
        await engine.dispose()


def run_script(connection: Connection, script: str) -> None:
    """Run several statements at once, in the open transaction. Prepared statements take only one."""
    driver: Any = connection.connection.dbapi_connection
    driver.run_async(lambda raw: raw.execute(script))


def upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(HERE / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def secure(connection: Connection) -> None:
    """Run schema/security/*.sql in order if their text differs from what this database carries."""
    files = sorted((HERE / "security").glob("*.sql"))
    digest = sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    laid = connection.execute(text("select digest from ops.security_digest")).scalar()
    if laid == digest:
        return
    for file in files:
        run_script(connection, file.read_text())
    connection.execute(text("delete from ops.security_digest"))
    connection.execute(text("insert into ops.security_digest values (:digest)"), {"digest": digest})
