"""What could not be read waits for a person and holds nobody up; what came with two bodies is kept and listed."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
import pytest

from api.actions import deliveries
from connectors.drain import drain
from connectors.servicenow.contract import standard
from connectors.servicenow.translate import translator
from connectors.source import Hook, Translator, Unreadable
from engine.refusal import Code, Refused
from engine.words import Role, Source
from tests.api.actions.firm import NOW, Firm, grant, person
from webhooks.intake import Arrival, Intake

READS = translator(standard())


def refusing(body: Mapping[str, Any]) -> Hook:
    if body.get("op") == "poison":
        raise Unreadable("There is no such operation.")
    return READS.read_hook(body)


STRICT = {Source.SERVICENOW: Translator(READS.translate, refusing)}
LENIENT = {Source.SERVICENOW: Translator(READS.translate, lambda body: READS.read_hook({**body, "op": "update"}))}


def event(number: int, op: str = "update") -> bytes:
    record = {
        "sys_id": f"{number:032x}", "sys_mod_count": "0", "sys_updated_on": "2026-03-01 10:00:00",
        "number": f"INC{number}", "state": "2", "opened_at": "2026-02-28 10:00:00",
    }  # fmt: skip
    return orjson.dumps({"event_id": str(number), "table": "incident", "op": op, "record": record})


async def came(firm: Firm, bodies: Mapping[str, bytes]) -> None:
    intake = Intake(firm.url)
    arrivals = [Arrival(Source.SERVICENOW, name.split("#")[0], body, {}, NOW) for name, body in bodies.items()]
    await asyncio.gather(*map(intake.store, arrivals))
    await intake.close()


async def mirrored(firm: Firm) -> int:
    return int(await firm.value("select count(*) from mirror.incident where number like 'INC%'"))


async def test_poison_waits_and_the_rest_goes_on_until_somebody_has_it_read_again(empty: Firm) -> None:
    await came(empty, {f"evt_{n}": event(n, "poison" if n % 3 == 0 else "update") for n in range(1, 10)})
    (waiting,) = await deliveries.stats(empty.store, NOW + timedelta(minutes=2))
    assert (waiting["ready"], waiting["oldest_ready_seconds"], waiting["dead"]) == (9, 120, 0)
    done = await drain(empty.store, STRICT)
    assert (done.dead, await mirrored(empty)) == (3, 6)
    assert (await drain(empty.store, STRICT)).deliveries == 0, "it is not tried for ever"
    dead = await deliveries.listed(empty.store, "DEAD")
    assert {row["reason"] for row in dead} == {"There is no such operation."}
    (after,) = await deliveries.stats(empty.store, NOW)
    assert (after["ready"], after["oldest_ready_seconds"], after["dead"], after["deliveries"]) == (0, 0, 3, 9)

    await grant(empty.store, person("nobody"), Role.ITSM_ADMIN)
    viewer = empty.viewer("nobody")
    first = dead[0]["id"]
    assert await deliveries.replay(empty.store, empty.log, viewer, first, NOW, "the reader knows it now") == 1
    assert (await drain(empty.store, STRICT)).dead == 1, "still wrong: dead again at once"
    assert await deliveries.replay(empty.store, empty.log, viewer, None, NOW) == 3
    assert (await drain(empty.store, LENIENT)).dead == 0
    assert await mirrored(empty) == 9
    assert await deliveries.replay(empty.store, empty.log, viewer, None, NOW) == 0
    said = await empty.payloads("delivery.replayed/v1")
    assert sorted(entry["data"]["count"] for entry in said) == [1, 3]
    assert await empty.value("select max(attempts) from inbox.delivery") == 3


async def test_only_an_administrator_of_the_tools_replays_and_only_what_is_dead(empty: Firm) -> None:
    await came(empty, {"evt_1": event(1, "poison"), "evt_2": event(2)})
    await drain(empty.store, STRICT)
    (row,) = await deliveries.listed(empty.store, "DEAD")
    with pytest.raises(Refused) as refused:
        await deliveries.replay(empty.store, empty.log, empty.viewer("hr"), row["id"], NOW)
    assert refused.value.code is Code.ACCESS_DENIED
    await grant(empty.store, person("nobody"), Role.ITSM_ADMIN)
    done = await empty.value("select id from inbox.delivery where state = 'DONE'")
    with pytest.raises(Refused, match=f"No dead delivery has the id {done}"):
        await deliveries.replay(empty.store, empty.log, empty.viewer("nobody"), done, NOW)
    assert await deliveries.replay(empty.store, empty.log, empty.viewer("nobody"), row["id"], NOW) == 1


async def test_one_id_with_several_bodies_is_listed_with_all_of_them(empty: Firm) -> None:
    await came(empty, {"evt_1": event(1), "evt_1#2": event(2), "evt_1#3": event(1), "evt_2": event(3)})
    listed = await deliveries.conflicts(empty.store)
    assert [(row["delivery_id"], row["conflict_no"]) for row in listed] == [("evt_1", 0), ("evt_1", 1)]
    assert len({row["sha256"] for row in listed}) == 2
    (stats,) = await deliveries.stats(empty.store, NOW)
    assert (stats["deliveries"], stats["duplicates"], stats["conflicts"]) == (2, 1, 1)
    await drain(empty.store, STRICT)
    assert await mirrored(empty) == 3, "both bodies are read: the newer version of a record stands"
