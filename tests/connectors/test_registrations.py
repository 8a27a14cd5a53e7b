"""A webhook that dies of itself is prolonged in time; one that died is missed, made anew, its silence made up for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from connectors.registrations import EXPIRED, LIVE, REMOVED, Due, Registration, Tool, due, tend
from connectors.source import SourceUnavailable
from engine.words import Source
from schema.store import DbRole, Store

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
DAY = timedelta(days=1)
URL = "https://pay.example.com/hooks/jira"


def registration(ends_in_days: float | None, state: str = LIVE, alarm: str | None = None) -> Registration:
    ends = None if ends_in_days is None else NOW + DAY * ends_in_days
    return Registration("dynamic:1", URL, state, ends, NOW - 20 * DAY, NOW - DAY, alarm)


CASES = {
    "young": (registration(20), True, Due()),
    "for ever": (registration(None), True, Due()),
    "soon over": (registration(9), True, Due(prolong=("dynamic:1",))),
    "nothing known": (None, False, Due(register=True)),
    "made up for": (registration(-1, EXPIRED), False, Due(register=True)),
    "still missed": (registration(-1, EXPIRED, "why"), False, Due(register=True, since=NOW - DAY)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_due(case: str) -> None:
    known, stands, wanted = CASES[case]
    assert due([known] if known else [], ["dynamic:1"] if stands else [], NOW) == wanted


@pytest.mark.parametrize(
    ("ends", "stands", "state"), [(-0.5, True, EXPIRED), (-0.5, False, EXPIRED), (9, False, REMOVED)]
)
def test_what_is_gone_is_said(ends: float, stands: bool, state: str) -> None:
    found = due([registration(ends)], ["dynamic:1"] if stands else [], NOW)
    assert (found.prolong, found.register, found.since) == ((), True, NOW - DAY)
    (lost,) = found.lost
    assert (lost.state, "2026-03-03T10:00:00+00:00" in (lost.alarm or "")) == (state, True)


@dataclass
class Hook:
    id: str
    url: str
    expires_at: datetime | None


@dataclass
class Site:
    """A tool whose webhooks live for 30 days of its own clock."""

    now: datetime = NOW
    hooks: dict[str, Hook] = field(default_factory=dict)
    made: int = 0
    refuses: bool = False

    def listed(self) -> Sequence[Hook]:
        return [hook for hook in self.hooks.values() if hook.expires_at and hook.expires_at > self.now]

    def refresh(self, ids: Sequence[str]) -> datetime:
        for name in ids:
            self.hooks[name].expires_at = self.now + 30 * DAY
        return self.now + 30 * DAY

    def register(self, url: str) -> Sequence[str]:
        if self.refuses:
            raise SourceUnavailable("the site is down")
        self.made += 1
        name = f"dynamic:{self.made}"
        self.hooks[name] = Hook(name, url, self.now + 30 * DAY)
        return [name]

    @property
    def tool(self) -> Tool:
        return Tool(self.listed, self.refresh, self.register)


async def visit(store: Store, site: Site, days: float = 0) -> None:
    site.now += DAY * days
    await tend(store, Source.JIRA, URL, site.tool, site.now)


async def kept(store: Store) -> list[tuple[str, str, bool]]:
    async with store.begin(DbRole.WORKER) as connection:
        found = await connection.execute(
            text("select external_id, state, alarm is not null from ops.registration order by external_id")
        )
        return [(row[0], row[1], row[2]) for row in found]


async def read_to(store: Store, moment: datetime | None = None) -> datetime | None:
    """The poll's watermark; with a moment, after a poll up to then."""
    async with store.begin(DbRole.WORKER) as connection:
        if moment:
            await connection.execute(
                text("""insert into ops.watermark values (app.tenant(), 'jira', 'issue', 'POLL', :moment)
                        on conflict (tenant_id, source, entity, feed) do update set read_to = excluded.read_to"""),
                {"moment": moment},
            )
        found: datetime | None = await connection.scalar(text("select read_to from ops.watermark"))
        return found


async def test_a_registration_that_is_looked_after_lives_for_ever(store: Store) -> None:
    site = Site()
    await read_to(store, NOW)
    for _ in range(30):
        await visit(store, site, 4)
    assert (site.made, await kept(store)) == (1, [("dynamic:1", LIVE, False)])
    assert await read_to(store) == NOW, "nothing was missed, nothing is read again"


async def test_what_was_missed_is_read_again_after_a_new_registration(store: Store) -> None:
    site = Site()
    await visit(store, site)
    await visit(store, site, 3)
    seen_alive = site.now
    site.refuses = True
    await read_to(store, NOW + 60 * DAY)
    with pytest.raises(SourceUnavailable):
        await visit(store, site, 40)
    assert await kept(store) == [("dynamic:1", EXPIRED, True)]
    assert await read_to(store) == NOW + 60 * DAY, "read again once it lives again: only then nothing more is missed"
    site.refuses = False
    await visit(store, site, 1)
    assert await kept(store) == [("dynamic:1", EXPIRED, False), ("dynamic:2", LIVE, False)]
    assert await read_to(store) == seen_alive
    await read_to(store, NOW + 70 * DAY)
    await visit(store, site, 1)
    assert await read_to(store) == NOW + 70 * DAY, "once"


async def test_what_somebody_removed_is_made_anew(store: Store) -> None:
    site = Site()
    await visit(store, site)
    await read_to(store, NOW + 9 * DAY)
    site.hooks.clear()
    await visit(store, site, 2)
    assert await kept(store) == [("dynamic:1", REMOVED, False), ("dynamic:2", LIVE, False)]
    assert await read_to(store) == NOW


async def test_a_job_that_dies_after_registering_finds_what_it_made(store: Store) -> None:
    site = Site()
    site.register(URL)
    await visit(store, site)
    assert (site.made, await kept(store)) == (1, [("dynamic:1", LIVE, False)])
