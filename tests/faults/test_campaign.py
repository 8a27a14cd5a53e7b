"""Whatever strikes, the mirror ends as the truth: a few seeded campaigns, and three days in which we were not there."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from api import feeds
from tests.faults.campaign import Campaign, Place, campaign, place
from tests.faults.truth import differences
from tests.journeys.place import COMMAND, free_port

SEEDS = range(8)  # `python -m tests.faults.campaign --count 1000` plays as many as one likes


@pytest.mark.capability("I7.1")
async def test_campaigns_of_faults_end_in_the_truth(database_url: str, tmp_path: Path) -> None:
    async with place(database_url, tmp_path / "home") as here:
        wrong = {seed: found for seed in SEEDS if (found := (await campaign(here, seed))[0])}
    assert wrong == {}


async def test_the_comparison_sees_a_mirror_that_is_wrong(database_url: str, tmp_path: Path) -> None:
    """Else the campaigns would prove nothing."""
    async with place(database_url, tmp_path / "home") as here:
        here.order("seed", {"seed": 3, "size": "small"})
        entities = ("incident", "task_sla", "issue")
        await feeds.poll_all(here.house, scope=feeds.Scope(entities=entities))
        assert await differences(here, entities) == []
        for spoilt in (
            "update mirror.incident set priority = 5 where priority is distinct from 5",
            "update mirror.record set gone_at = now() where entity = 'task_sla'",
            "update mirror.record set payload_hash = 'x' where entity = 'issue'",
            "delete from mirror.record where entity = 'incident'",
        ):
            await here.admin.execute("begin")
            await here.admin.execute(spoilt)
            await here.admin.execute("commit")
            assert await differences(here, entities), spoilt


@pytest.mark.capability("I7.1")
async def test_three_days_of_outage_are_caught_up_exactly(database_url: str, tmp_path: Path) -> None:
    """72 hours in which users go on, every hook is lost and nobody polls; then new processes do what they always do."""
    entities = (
        "incident",
        "change_request",
        "problem",
        "sysapproval_approver",
        "task_sla",
        "sys_user_grmember",
        "issue",
    )
    scope = feeds.Scope(entities=entities)
    async with place(database_url, tmp_path / "home") as here:
        here.order("seed", {"seed": 72, "size": "small"})
        await feeds.poll_all(here.house, scope=scope)
        here.order("hooks", {name: f"http://127.0.0.1:{free_port()}/hooks" for name in here.hooks})
        users = Campaign(here, 72, random.Random(72))
        before = {table: len(rows) for table, rows in truth(here)["servicenow"].items()}
        for _hour in range(72):
            for _ in range(2):
                users.servicenow_edit()
            users.jira_edit()
            users.pass_time(3_600)
            await asyncio.to_thread(here.order, "deliver", {"what": "pending", "flush": True})
        answers = {attempt["answer"] for attempt in here.control.get("/_sandbox/deliveries").json()}
        assert answers == {"lost"}
        after = {table: len(rows) for table, rows in truth(here)["servicenow"].items()}
        assert after["incident"] != before["incident"]
        assert len(await differences(here, entities)) > 100
        chosen = [word for entity in entities for word in ("--entity", entity)]
        await run(here, "sync", *chosen)
        await run(here, "sweep", *chosen)
        users.pass_time(60)  # another sweep, not the same moment
        await run(here, "sweep", *chosen)
        await run(here, "sync", *chosen)
        assert await differences(here, entities) == []


def truth(here: Place) -> Any:
    return here.control.get("/_sandbox/truth").json()


async def run(here: Place, *words: str) -> None:
    """The command in a process of its own, with the settings of this place."""
    process = await asyncio.create_subprocess_exec(
        COMMAND, *words, env=here.environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (out + err).decode()
