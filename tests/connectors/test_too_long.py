"""A value that is too long for an index costs its record alone, not the whole inbox."""

import random
import string
from datetime import UTC, datetime

from sqlalchemy import text

from connectors.drain import accept_pages, drain
from connectors.source import Hook, Page, Translator, Version
from engine.words import Feed, MirrorKind, Source
from schema.store import DbRole, Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def test_a_value_too_long_for_an_index_costs_its_record_alone(store: Store) -> None:
    dice = random.Random(1)
    endless = "".join(dice.choices(string.ascii_letters + string.digits, k=9_000))  # packs to more than an index holds

    def version(key: str, line: str) -> Version:
        return Version(
            Source.PAYROLL, "result", key, MirrorKind.PAYROLL_RESULT, 1, NOW, key.encode(), {"line_ref": line}
        )

    translator = Translator(
        lambda *_: [version("1", "L-1"), version("2", endless), version("3", "L-3")], lambda _: Hook()
    )
    await accept_pages(store, [Page(Source.PAYROLL, "result", Feed.FILE, "file:1", b"[{}]", NOW)])
    drained = await drain(store, {Source.PAYROLL: translator})
    assert (drained.deliveries, drained.heads, drained.malformed) == (1, 2, 1)
    async with store.begin(DbRole.WORKER) as connection:
        issues = (await connection.execute(text("select source_key, code from mirror.data_issue"))).all()
    assert [tuple(row) for row in issues] == [("2", "MALFORMED")]
