"""The audits of npm graphql-http against our own route over real HTTP: all 61, and the MUST ones as in production."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from api.house import House
from tests.api.conftest import Asking
from tests.api.listening import opened
from tests.api.programs import run

PROGRAM = Path(__file__).parent / "audit.mjs"
# In production the schema is a file. These audits ask the endpoint for it, and are refused on purpose.
NEED_INTROSPECTION = {
    "28B9": "MUST allow map {variables} parameter when accepting application/json",
}


async def audits(ask: Asking, house: House, folder: Path) -> list[dict[str, Any]]:
    async with opened(house) as address:
        found: list[dict[str, Any]] = await run(
            PROGRAM, folder, AUDIT_URL=f"{address}/graphql", AUDIT_TOKEN=ask.token("ana")
        )
    assert len(found) == 61
    return found


async def test_all_audits_pass(ask: Asking, house: House, tmp_path: Path) -> None:
    found = await audits(ask, house, tmp_path)
    assert [each for each in found if each["status"] != "ok"] == []


async def test_what_a_server_must_do_holds_in_production(ask: Asking, house: House, tmp_path: Path) -> None:
    production = replace(house, settings=replace(house.settings, introspection=False))
    found = await audits(ask, production, tmp_path)
    failed = {each["id"]: each["name"] for each in found if each["status"] != "ok" and "MUST" in each["name"]}
    assert failed == NEED_INTROSPECTION
