"""kill -9 at the worst moments, then the same command again: the same result, one payout file, no line twice.

All blows fall on one home, one after the other, so that each one finds what the one before left behind. In one round
the database dies in the same instant.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.faults.inside import reading
from tests.faults.test_interrupt import CTRL_C, end_well
from tests.journeys.place import Place, children, ended, fresh_place, processes
from tests.journeys.playing import Told


@dataclass(frozen=True)
class Blow:
    """`seconds` after these words stand on stderr."""

    words: str
    seconds: float
    database_too: bool = False


BLOWS = {
    "pages are in the inbox, and partly mirrored": Blow("read servicenow incident", 0.2),
    "webhooks pour in, and the database dies too": Blow("mirrored jira", 0.7, database_too=True),
    "the run is being scored": Blow("plan reliable-services", 0.5),
    "awards are being submitted": Blow("scored: ", 0.1),
    "the payout is being prepared and signed": Blow("awards: ", 0.05),
    "payroll is about to pull": Blow("payout released", 0.0),
}


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with fresh_place() as found:
        yield found


@pytest.mark.parametrize("blow", BLOWS.values(), ids=BLOWS.keys())
def test_a_blow_falls_and_the_sandbox_does_not_outlive_it(place: Place, blow: Blow) -> None:
    with place.start("demo", "--once") as running:
        running.wait_for(blow.words)
        sandboxes = children(running.process.pid, "connectors.sandbox")
        assert len(sandboxes) == 1
        time.sleep(blow.seconds)
        assert running.process.poll() is None, "the blow came too late"
        postmaster = place.postmaster
        os.kill(running.process.pid, signal.SIGKILL)
        if blow.database_too:
            os.kill(postmaster, signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
    assert ended(*sandboxes), "the sandbox outlives what started it"
    assert ended(postmaster) if blow.database_too else postmaster in processes()


def test_ctrl_c_while_webhooks_pour_in(place: Place) -> None:
    """Between two blows: the sandbox is in the middle of sending, and must not hold up the end."""
    with place.start("demo", "--once") as running:
        running.wait_for("mirrored jira")
        time.sleep(0.7)
        end_well(place, running, signal.SIGINT, CTRL_C)


def test_at_last_everything_is_as_if_nothing_had_happened(place: Place, told: Told) -> None:
    """Another home, the same seed: also what was never killed must agree."""
    summary = place.demo()
    compared = ("incidents", "scores", "awards", "payout", "data_issues", "result_hash")
    assert {name: summary[name] for name in compared} == {name: told.summary[name] for name in compared}
    checked = place.evenhand("verify", str(place.out))
    assert checked.returncode == 0, checked.stdout
    assert (place.out / "payout.csv").read_bytes() == (told.place.out / "payout.csv").read_bytes()


async def test_there_is_one_payout_file_and_no_line_twice(place: Place, told: Told) -> None:
    lines = told.summary["payout"]["lines"]
    async with reading(place) as database:
        assert await database.fetchval("select array_agg(state) from pay.file") == ["PAID"]
        counted = await database.fetchrow(
            "select count(*), count(distinct award_ref), count(distinct person_id), sum(amount_minor) from pay.line"
        )
        assert tuple(counted) == (lines, lines, lines, told.summary["payout"]["total_minor"]["EUR"])
        assert await database.fetchval("select array_agg(distinct state) from pay.award") == ["PAID"]
        paid = "select count(*), sum(amount_minor) from ledger.posting where account = 'Assets:PayrollClearing'"
        assert tuple(await database.fetchrow(paid)) == (lines, -told.summary["payout"]["total_minor"]["EUR"])


async def test_nothing_that_was_accepted_waits_or_is_lost(place: Place) -> None:
    async with reading(place) as database:
        assert await database.fetchval("select array_agg(distinct state) from inbox.delivery") == ["DONE"]
        known = "select from mirror.revision v where v.tenant_id = r.tenant_id and v.id = r.revision_id"
        assert await database.fetchval(f"select count(*) from mirror.record r where not exists ({known})") == 0
