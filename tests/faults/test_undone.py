"""What a tool told of and took back stands here no longer than until the next sweep, whoever else is silent."""

import asyncio
import random
from pathlib import Path

import pytest

from api import feeds
from connectors.sandbox.faults_undone import roll_back, set_back
from tests.faults.campaign import place
from tests.faults.truth import differences

ENTITIES = ("incident", "problem")


@pytest.mark.capability("I7.1")
async def test_rolled_back_and_restored_records_heal_by_sweeps_alone(database_url: str, tmp_path: Path) -> None:
    """The webhooks come, no poll ever says otherwise: the records did not change there."""
    scope, dice = feeds.Scope(entities=ENTITIES), random.Random(5)
    async with place(database_url, tmp_path / "home") as here:
        here.order("seed", {"seed": 5, "size": "small"})
        here.order("hooks", here.hooks)
        await feeds.poll_all(here.house, scope=scope)
        records = here.sandbox.records
        incidents, problems = records.table("incident"), records.table("problem")
        for _ in range(6):
            roll_back(records, incidents, "update", dice)
            roll_back(records, problems, "update", dice)
            set_back(records, incidents, dice)
        for _ in range(3):
            roll_back(records, incidents, "insert", dice)
        roll_back(records, incidents, "delete", dice)
        await asyncio.to_thread(here.order, "deliver", {"what": "pending"})
        await feeds.drain_all(here.house)
        told = await differences(here, ENTITIES)
        assert len(told) >= 10

        here.order("clock", {"advance_seconds": 60})
        await feeds.poll_all(here.house, scope=scope)
        await feeds.sweep_all(here.house, scope=scope)
        assert await differences(here, ENTITIES), "what may yet be committing was given up"
        here.order("clock", {"advance_seconds": 600})
        await feeds.sweep_all(here.house, scope=scope)
        assert await differences(here, ENTITIES) == []
