"""Somebody who has left: his account ends in the tool, and at that moment everything ends here, grants or not."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from api.actions import awards
from api.house import House
from engine.refusal import Code, Refused
from schema.embedded import Server
from schema.store import DbRole, Viewer
from tests.api.conftest import Asking, asking, small
from tests.api.small_house import GRANTS, NOW, key, person

ASKED = "{ viewer { roles } awards(first: 9) { totalCount } }"
PAYOUT = "/payouts/payroll-de-01/1/"


@pytest.fixture
async def house(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house of its own: who leaves here would be missing elsewhere."""
    folder = tmp_path_factory.mktemp("leavers")
    async with small(postgres, template, folder / "keys", folder.name) as opened:
        yield opened


@pytest.fixture
async def ask(house: House) -> AsyncIterator[Asking]:
    async with asking(house) as ready:
        yield ready


async def let_go(house: House, how: str) -> None:
    async with house.store.begin(DbRole.WORKER) as connection:
        await connection.execute(text(f"update mirror.person set {how}"))


async def payout_status(ask: Asking, who: str) -> int:
    headers = {"authorization": f"Bearer {ask.token(who)}"}
    return (await ask.client.get(PAYOUT, headers=headers)).status_code


@pytest.mark.capability("I7.3")
@pytest.mark.parametrize("how", ["active = false", "gone_at = now()"])
async def test_who_has_left_is_nobody_whatever_he_was_granted(house: House, ask: Asking, how: str) -> None:
    people = ["ana", "mia", *GRANTS]
    assert {who: (await ask.post(who, ASKED)).status_code for who in people} == dict.fromkeys(people, 200)
    assert await payout_status(ask, "paul") == 200
    await let_go(house, how)
    assert {who: (await ask.post(who, ASKED)).status_code for who in people} == dict.fromkeys(people, 401)
    assert await payout_status(ask, "paul") == 401
    with pytest.raises(Refused) as no:
        await awards.approve(house.store, house.log, Viewer(person("finn")), key("award", "ben"), 1, NOW)
    assert no.value.code is Code.ACCESS_DENIED


async def test_a_grant_of_somebody_whom_no_tool_knows_counts(house: House, ask: Asking) -> None:
    outside = {"person": person("outside"), "now": NOW}
    async with house.store.begin(DbRole.WORKER) as connection:
        await connection.execute(
            text(
                """insert into access.role_grant (tenant_id, person_id, role, granted_by, valid_from)
                   values (app.tenant(), :person, 'AUDITOR', 'test', :now)"""
            ),
            outside,
        )
    assert (await ask("outside", "{ viewer { roles } }"))["viewer"] == {"roles": ["EMPLOYEE", "AUDITOR"]}


async def test_whoever_no_tool_calls_inactive_keeps_his_roles(house: House, ask: Asking) -> None:
    await let_go(house, "active = null")
    assert (await ask("hanna", "{ viewer { roles } }"))["viewer"] == {"roles": ["EMPLOYEE", "HR"]}
