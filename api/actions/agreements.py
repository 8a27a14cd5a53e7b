"""Data-sharing agreements with suppliers from proposal to force, and what they let in on a day.

The life of a version is that of every governed document (documents.py). Its test holds it against the data contract:
which of the contract's fields it covers, which it does not, and which of its own nobody reads. Refused: a text that is
no agreement, and what documents.py refuses.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import documents
from api.actions.audit import Log
from api.actions.documents import Document
from engine.refusal import Code, Refused
from engine.sharing import Agreement, days_left, holds, read_agreement, warning
from engine.words import DocumentKind
from schema.store import DbRole, Store, Viewer

KIND = DocumentKind.DATA_SHARING


async def propose(store: Store, log: Log, viewer: Viewer, body: str, known: frozenset[str], now: datetime) -> Document:
    """Keep an agreement as the next version, if it can be read. `known` are the fields that can be covered."""
    agreement = read_agreement(body)
    if strange := sorted(agreement.fields - known):
        what = f"fields: nobody reads {', '.join(strange)}."
        raise Refused(Code.PLAN_INVALID, what, f"Use some of: {', '.join(sorted(known))}.", ("fields",))
    return await documents.propose(store, log, viewer, KIND, agreement.key, body, agreement.owner, now)


async def try_on(
    store: Store, log: Log, viewer: Viewer, name: str, version_no: int | None, known: frozenset[str], now: datetime
) -> dict[str, Any]:
    """What the proposed version covers of what is read, and whether it holds today."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        document = await documents.find(connection, KIND, name, version_no)
    agreement, day = read_agreement(document.body), now.date()
    report = {
        "vendor": agreement.vendor,
        "covered": sorted(agreement.fields & known),
        "not_covered": sorted(known - agreement.fields),
        "holds": holds(agreement, day),
        "days_left": days_left(agreement, day),
    }
    await documents.keep_test(store, log, viewer, document, report, now)
    return {"name": name, "version": document.version_no, **report}


async def activate(
    store: Store, log: Log, viewer: Viewer, name: str, version_no: int | None, now: datetime
) -> Document:
    async with store.begin(DbRole.WORKER, viewer) as connection:
        document = await documents.find(connection, KIND, name, version_no)
        await _alone_for_its_vendor(connection, read_agreement(document.body))
        await documents.activate(connection, log, viewer, document, now)
    return document


async def retire(store: Store, log: Log, viewer: Viewer, name: str, now: datetime) -> Document:
    async with store.begin(DbRole.WORKER, viewer) as connection:
        return await documents.retire(connection, log, viewer, KIND, name, now)


async def in_force(connection: AsyncConnection) -> dict[str, Agreement]:
    """By name; whether one holds today is another question."""
    ruling = await documents.in_force(connection, KIND)
    return {name: read_agreement(document.body) for name, document in ruling.items()}


async def listed(store: Store, now: datetime) -> list[dict[str, Any]]:
    """Every agreement in force, the one that ends first first, with a warning when its end is near."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        ruling = await in_force(connection)
    day = now.date()
    return [
        {
            "agreement": each.key, "vendor": each.vendor, "from": each.first_day, "until": each.last_day,
            "holds": holds(each, day), "days_left": days_left(each, day), "fields": sorted(each.fields),
            "retention_months": each.retention_months, "warning": warning(each, day) or None,
        }
        for each in sorted(ruling.values(), key=lambda each: (each.last_day, each.key))
    ]  # fmt: skip


def covers(ruling: dict[str, Agreement], day: date) -> Callable[[str], frozenset[str] | None]:
    """Which fields a vendor of this name may send us; None without an agreement that holds today."""
    by_vendor = {each.vendor.casefold(): each.fields for each in ruling.values() if holds(each, day)}
    return lambda vendor: by_vendor.get(vendor.strip().casefold())


async def _alone_for_its_vendor(connection: AsyncConnection, agreement: Agreement) -> None:
    """Two agreements with one company would leave open which of them counts."""
    for other in (await in_force(connection)).values():
        if other.key != agreement.key and other.vendor.casefold() == agreement.vendor.casefold():
            raise Refused(
                Code.STATE_CONFLICT,
                f"The agreement {other.key} with {other.vendor} is in force.",
                f"Propose this text as a version of {other.key}, or retire that one first.",
            )
