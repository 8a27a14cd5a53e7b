"""Opening the house: the database up to date, the keys at hand, everything closed again at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from api.actions.audit import Log
from api.house import House
from api.sealing import open_system_key
from api.settings import Settings
from api.signing.development import ORIGIN_PREFIX, DevelopmentSigner
from engine.refusal import Code, Refused
from schema import embedded
from schema.store import LOGIN, Store, admit, migrate

# SQLSTATE: no connection, no such user or wrong password, no such database, no room, shut down, not permitted.
UNUSABLE = ("08", "28", "3D", "53", "57P", "42501")


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncIterator[House]:
    """Start or find the database, migrate it, and hand out store, signer and audit log until the block ends."""
    settings.home.mkdir(parents=True, exist_ok=True)
    server = None
    if not settings.database_url:
        server = await started(settings)
    url = server.url() if server else settings.database_url
    try:
        await bring_up(url)
        if server:
            await admit(url)
            url = server.url(user=LOGIN)
        store = Store(url)
        keys = settings.home / "keys"
        signer = DevelopmentSigner(keys, environment=settings.environment.value)
        log = Log(audit_origin(settings), open_system_key(keys), signer)
        try:
            yield House(store=store, database_url=url, signer=signer, log=log, settings=settings)
        finally:
            await store.close()
    finally:
        if server:
            await asyncio.to_thread(server.stop)


async def bring_up(url: str) -> None:
    """Migrate, or say that the server does not let us. What else goes wrong is our fault and stays an error."""
    try:
        await migrate(url)
    except (OSError, DBAPIError) as error:
        state = str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
        if isinstance(error, DBAPIError) and not state.startswith(UNUSABLE):
            raise
        raise Refused(
            Code.DATABASE_UNAVAILABLE,
            f"The database server cannot be used ({state or type(error).__name__}).",
            "Correct EVENHAND_DATABASE_URL, or start the server; the user must own the database and may create roles.",
        ) from error


async def started(settings: Settings) -> embedded.Server:
    """The embedded server. When we are told to end while it starts, it is not left behind."""
    starting = asyncio.create_task(asyncio.to_thread(embedded.start, settings.home))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        server = await starting
        await asyncio.to_thread(server.stop)
        raise


def audit_origin(settings: Settings) -> str:
    """Name of the audit log. Development keys sign only for logs that cannot be mistaken for a real one."""
    return f"{ORIGIN_PREFIX}{urlsplit(settings.public_url).hostname}/audit"
