"""How far a feed has read moves with the pages that were taken, and never back."""

from datetime import UTC, datetime, timedelta

from connectors.drain import accept_pages, watermark
from connectors.source import Page
from engine.words import Feed, Source
from schema.store import Store

START = datetime(2026, 3, 1, tzinfo=UTC)


async def test_the_watermark_moves_with_the_pages_and_never_back(store: Store) -> None:
    page = Page(Source.SERVICENOW, "incident", Feed.POLL, "incident:1", b"[]", START)
    assert await watermark(store, Source.SERVICENOW, "incident") is None
    await accept_pages(store, [page])
    assert await watermark(store, Source.SERVICENOW, "incident") is None
    for minutes, expected in ((30, 30), (10, 30), (40, 40)):
        await accept_pages(store, [page], read_to=START + timedelta(minutes=minutes))
        assert await watermark(store, Source.SERVICENOW, "incident") == START + timedelta(minutes=expected)
