"""Writing journals into the ledger. The engine says which accounts move; here they become rows, each event once."""

from collections.abc import Sequence
from uuid import UUID, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.ledger import ACCOUNT_KINDS, ACCOUNTS, Event, Journal, Posting
from schema.identity import NAMESPACE
from schema.store import Viewer

CHART = text(
    "insert into ledger.account (tenant_id, code, kind) values (:tenant_id, :code, :kind) on conflict do nothing"
)
JOURNAL = text(
    """insert into ledger.journal (tenant_id, id, booked_on, event, source_key, file_id, currency, postings,
                                   audit_entry)
       values (:tenant_id, :id, :booked_on, :event, :source_key, :file_id, :currency, :postings, :audit_entry)"""
)
POSTING = text(
    """insert into ledger.posting (tenant_id, journal_id, line, account, amount_minor, award_ref, line_id)
       values (:tenant_id, :journal_id, :line, :account, :amount_minor, :award_ref, :line_id)"""
)
BOOKED = text("select event, source_key, currency from ledger.journal where tenant_id = :tenant")
READ = text(
    """select j.booked_on, j.event, j.source_key, j.currency, p.account, p.amount_minor, p.award_ref, p.line_id
         from ledger.journal j join ledger.posting p on p.tenant_id = j.tenant_id and p.journal_id = j.id
        where j.tenant_id = :tenant order by j.booked_on, j.event, j.source_key, j.currency, p.line"""
)


async def book(
    connection: AsyncConnection,
    viewer: Viewer,
    journals: Sequence[tuple[Journal, UUID]],
    file_id: UUID | None = None,
) -> int:
    """Book these journals, each with the audit entry that explains it. Returns how many were new."""
    tenant = viewer.tenant_id
    chart = [{"tenant_id": tenant, "code": code, "kind": ACCOUNT_KINDS[code.partition(":")[0]]} for code in ACCOUNTS]
    await connection.execute(CHART, chart)
    booked = {tuple(row) for row in (await connection.execute(BOOKED, {"tenant": tenant})).all()}
    new = [pair for pair in journals if (pair[0].event.value, pair[0].source_key, pair[0].currency) not in booked]
    heads, postings = [], []
    for entry, audit_entry in new:
        journal_id = uuid5(NAMESPACE, f"journal:{tenant}:{entry.event}:{entry.source_key}:{entry.currency}")
        heads.append(
            {
                "tenant_id": tenant,
                "id": journal_id,
                "booked_on": entry.booked_on,
                "event": entry.event.value,
                "source_key": entry.source_key,
                "file_id": file_id,
                "currency": entry.currency,
                "postings": len(entry.postings),
                "audit_entry": audit_entry,
            }
        )
        postings += [row(tenant, journal_id, line, each) for line, each in enumerate(entry.postings, start=1)]
    if heads:
        await connection.execute(JOURNAL, heads)
        await connection.execute(POSTING, postings)
    return len(heads)


def row(tenant: UUID, journal_id: UUID, line: int, posting: Posting) -> dict[str, object]:
    return {
        "tenant_id": tenant,
        "journal_id": journal_id,
        "line": line,
        "account": posting.account,
        "amount_minor": posting.amount_minor,
        "award_ref": posting.award_ref,
        "line_id": posting.line_id,
    }


async def read(connection: AsyncConnection, viewer: Viewer) -> list[Journal]:
    """The whole ledger, for exports and checks."""
    rows = (await connection.execute(READ, {"tenant": viewer.tenant_id})).all()
    grouped: dict[tuple[object, ...], list[Posting]] = {}
    for each in rows:
        posting = Posting(each.account, each.amount_minor, each.award_ref, each.line_id)
        grouped.setdefault((each.booked_on, each.event, each.source_key, each.currency), []).append(posting)
    return [
        Journal(booked_on, Event(event), source_key, currency, tuple(postings))  # type: ignore[arg-type]
        for (booked_on, event, source_key, currency), postings in grouped.items()
    ]
