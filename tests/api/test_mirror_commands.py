"""What an administrator types about the mirror: reading, comparing, examining, naming moments, and being told no."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from connectors.source import CheckState
from engine.words import Source
from schema.identity import mirror_id
from tests.faults.campaign import Place, place
from tests.journeys.place import COMMAND

ADMIN = "admin@tarnhelm.example"


async def typed(here: Place, *words: str) -> tuple[int, list[Any], str]:
    """Exit status, what was printed as JSON lines, and what was said."""
    process = await asyncio.create_subprocess_exec(
        COMMAND, *words, env=here.environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    lines = [json.loads(line) for line in out.decode().splitlines() if line.startswith("{")]
    assert process.returncode is not None
    return process.returncode, lines, err.decode()


@pytest.mark.capability("I7.1")
async def test_a_day_at_the_command_line(database_url: str, tmp_path: Path) -> None:
    async with place(database_url, tmp_path / "home") as here:
        here.order("seed", {"seed": 9, "size": "small"})
        only = ("--source", "servicenow", "--entity", "incident", "--entity", "sys_user")

        status, told, _ = await typed(here, "sync", "--dry-run", *only)
        incidents = {line["entity"]: line for line in told}["incident"]
        assert (status, incidents["new"], incidents["known"]) == (0, incidents["records"], 0)
        assert await here.admin.fetchval("select count(*) from mirror.record") == 0, "a rehearsal writes nothing"
        assert await here.admin.fetchval("select count(*) from ops.watermark") == 0

        status, told, said = await typed(here, "sync", *only)
        assert (status, told[0]["malformed"]) == (0, 0)
        assert told[0]["records"] == await here.admin.fetchval("select count(*) from mirror.record")
        assert "read servicenow incident: 1 pages" in said
        status, told, _ = await typed(here, "sync", "--dry-run", "--whole", *only)
        assert {line["new"] + line["newer"] for line in told} == {0}

        records = here.sandbox.records
        for sys_id in list(records.table("incident").ids)[:20]:
            records.delete(records.table("incident"), sys_id, "admin")
        status, told, _ = await typed(here, "sweep", *only[:4])
        assert (status, told[0]["state"], told[0]["absent"], told[0]["gone"]) == (1, "HELD", 20, 0)
        status, told, _ = await typed(here, "doctor", "--source", "servicenow", "--json")
        failed = {line["name"]: line for line in told if line["state"] == CheckState.FAIL}
        assert status == 1
        assert "sweep --source servicenow" in failed["sweeps"]["fix"]
        assert "clock" in failed  # the sandbox lives on a clock of its own

        key = next(iter(records.table("incident").ids))
        admin = mirror_id(Source.SERVICENOW, "sys_user", next(iter(records.table("sys_user").ids)))
        status, _, said = await typed(here, "snapshot", "take", "close", "--person", str(admin))
        assert status == 2
        assert "ACCESS_DENIED" in said
        grant = ("grant", "itsm-admin", "--person", str(admin), "--by", "Noor Haddad", "--and", "Lee Park")
        assert (await typed(here, *grant))[0] == 0
        status, told, _ = await typed(here, "snapshot", "take", "close", "--person", str(admin))
        assert (status, told[0]["name"]) == (0, "close")
        status, told, _ = await typed(here, "record", "servicenow", "incident", key, "--at", "close")
        assert status == 0
        assert told[0]["stands"]["gone"] is False
        assert told[1]["delivery"]["state"] == "DONE"
        assert told[2]["body"]["sys_id"] == key
        status, _, said = await typed(here, "record", "servicenow", "incident", "INC1")
        assert status == 2
        assert "NOT_FOUND" in said
        this_month = (await here.admin.fetchval("select to_char(now(), 'YYYY-MM')"),)
        status, _, said = await typed(here, "retention", "drop", "deliveries", *this_month, "--person", str(admin))
        assert status == 2
        assert "RETENTION_HOLD" in said
        assert "is not over" in said
