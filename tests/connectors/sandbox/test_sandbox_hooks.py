"""The living queue of webhooks: what waits, what becomes of it on its way, who tries again."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
import standardwebhooks

from connectors.sandbox.app import create
from connectors.sandbox.hooks import Event
from connectors.sandbox.pending import parcels
from tests.connectors.sandbox.conftest import CREDENTIALS, HOOK_SECRET, Receiver, Served, World, serve

NOW = 1_790_000_000


@pytest.fixture
def small() -> Iterator[Served]:
    with serve(create(1, CREDENTIALS, size="small")) as served:
        yield served


def edits(world: World, count: int) -> list[str]:
    """Ids of so many events that wait, oldest first."""
    keys = [row["sys_id"] for row in world.rows("core_company")]
    for number in range(count):
        world.act(
            "core_company",
            "update",
            keys[number % len(keys)],
            fields={"notes": f"{world.sandbox.records.stamp}/{number}"},
        )
    return [event.event_id for event in world.sandbox.hooks.waiting]


def ids(world: World, flush: bool = False) -> list[str]:
    return [headers["webhook-id"] for headers, _ in parcels(world.sandbox, "servicenow", NOW, flush)]


def test_edits_wait_and_are_sent_signed_once(small: Served, receiver: Receiver) -> None:
    def order(control: str, content: object) -> Any:
        answer = requests.post(f"{small.url}/_sandbox/{control}", json=content, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    row = small.rows("core_company")[0]
    order("hooks", {"servicenow_url": receiver.url})
    act = {"tool": "servicenow", "table": "core_company", "op": "update", "key": row["sys_id"]}
    order("act", [{**act, "fields": {"notes": "a"}}, {**act, "fields": {"notes": "b"}}])
    receiver.answers += [503]
    assert order("deliver", {"what": "pending"}) == {
        "sent": 2, "accepted": 1, "refused": 1, "waiting": {"servicenow": 0} | small_waiting(small),
        "tools": {"servicenow": {"sent": 2, "accepted": 1, "refused": 1}}}  # fmt: skip
    assert order("deliver", {"what": "pending"})["sent"] == 0  # ServiceNow does not try again
    bodies = []
    for headers, body in receiver.taken:
        standardwebhooks.Webhook(HOOK_SECRET).verify(body, headers)
        bodies.append(json.loads(body))
    assert [body["record"]["notes"] for body in bodies] == ["a", "b"]
    assert {(body["table"], body["op"]) for body in bodies} == {("core_company", "update")}
    attempts = requests.get(f"{small.url}/_sandbox/deliveries", timeout=5).json()
    assert [(a["event_id"], a["answer"], a["attempt"], a["key"], a["url"]) for a in attempts] == [
        (body["event_id"], answer, 0, row["sys_id"], receiver.url)
        for body, answer in zip(bodies, ("503", "202"), strict=True)
    ]
    assert requests.get(f"{small.url}/_sandbox/deliveries?after=1", timeout=5).json() == attempts[1:]


def small_waiting(small: Served) -> dict[str, int]:
    return dict.fromkeys(small.app.state.sandbox.hooks.modes, 0)


def test_a_write_over_rest_is_told_and_a_score_of_ours_is_not(world: World) -> None:
    key = world.rows("incident")[0]["sys_id"]
    world.ask(f"/api/now/table/incident/{key}", "PATCH", {"correlation_id": "x"})
    world.ask("/api/now/table/u_evenhand_score", "POST", {"u_score": "1"})
    assert [event.table for event in world.sandbox.hooks.waiting] == ["incident"]


def test_in_order_unless_reordered_within_a_window(world: World) -> None:
    sent = edits(world, 12)
    assert ids(world) == sent
    world.order("hooks", {"reorder": 4, "seed": 3})
    sent = edits(world, 12)
    found = ids(world)
    assert found != sent
    for start in (0, 4, 8):
        assert set(found[start : start + 4]) == set(sent[start : start + 4])


@pytest.mark.parametrize(
    ("switches", "copies"),
    [({"drop": 1}, 0), ({"duplicate": 1}, 2), ({"drop": 0}, 1), ({"duplicate": 1, "drop": 1}, 0)],
)
def test_parcels_are_lost_or_doubled(world: World, switches: dict[str, float], copies: int) -> None:
    world.order("hooks", switches)
    edits(world, 3)
    counts = Counter(ids(world))
    assert list(counts.values()) == [copies] * (3 if copies else 0)
    dropped = [attempt for attempt in world.sandbox.hooks.attempts if attempt.answer == "dropped"]
    assert len(dropped) == (3 if copies == 0 and len(switches) == 1 else 6 if copies == 0 else 0)


def test_chance_follows_the_seed(world: World) -> None:
    def survivors(seed: int) -> list[str]:
        world.order("hooks", {"drop": 0.5, "seed": seed})
        edits(world, 30)
        kept = [event.content["record"]["notes"].partition("/")[2] for event in world.sandbox.hooks.waiting]
        world.sandbox.hooks.waiting.clear()
        return kept

    first = survivors(5)
    assert survivors(5) == first != survivors(6)
    assert 5 < len(first) < 26


@pytest.mark.parametrize("flaw", ["bad_signature", "no_signature", "replay"])
def test_a_parcel_may_not_verify(world: World, flaw: str) -> None:
    world.order("hooks", {flaw: 1})
    edits(world, 1)
    headers, body = parcels(world.sandbox, "servicenow", NOW)[0]
    assert ("webhook-signature" in headers) == (flaw != "no_signature")
    if flaw == "replay":
        assert int(headers["webhook-timestamp"]) == NOW - 3_600
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(HOOK_SECRET).verify(body, headers)
    assert world.sandbox.hooks.attempts[-1].flaws == (flaw,)


def test_a_delayed_parcel_waits_for_the_clock(world: World) -> None:
    world.order("hooks", {"delay": 600, "seed": 1})
    sent = edits(world, 8)
    early = ids(world)
    assert len(early) < 8
    world.order("clock", {"advance_seconds": 300})
    middle = ids(world)
    world.order("clock", {"advance_seconds": 300})
    assert sorted(early + middle + ids(world)) == sorted(sent)
    assert middle


def test_a_burst_waits_until_it_is_large_enough_or_flushed(world: World) -> None:
    world.order("hooks", {"burst": 5})
    edits(world, 4)
    assert ids(world) == []
    edits(world, 1)
    assert len(ids(world)) == 5
    edits(world, 2)
    assert len(ids(world, flush=True)) == 2


def test_who_tries_again_waits_and_keeps_the_identifier(world: World) -> None:
    hooks = world.sandbox.hooks
    mode = hooks.modes["servicenow"]
    hooks.modes["patient"] = replace(mode, waits=(60, 120), retried=lambda answer: answer in ("503", "lost"))
    hooks.tell(Event("patient", "e1", "issue", "update", "1", {"record": {}}, 0))
    seen = []
    for waited in (0, 60, 60, 60, 600):
        world.order("clock", {"advance_seconds": waited})
        for event in hooks.take("patient"):
            seen.append((event.event_id, event.attempt, hooks.waited_seconds))
            hooks.answered(event, "503", "http://nowhere")
    assert seen == [("e1", 0, 0), ("e1", 1, 60), ("e1", 2, 180)]
    assert hooks.counts()["patient"] == 0


def test_unknown_switches_are_refused(world: World) -> None:
    answer = world.client.post("/_sandbox/hooks", json={"scramble": 1})
    assert answer.status_code == 400
    assert "scramble" in answer.json()["error"]["what"]
