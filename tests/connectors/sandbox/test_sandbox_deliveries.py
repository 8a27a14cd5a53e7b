"""Webhooks that the sandbox sends: signature, repetition, order, patience, and what they do to the instance."""

import hmac
import json
from collections import Counter

import pytest
import requests
import standardwebhooks

from connectors.sandbox import deliveries
from connectors.sandbox.app import Credentials
from connectors.sandbox.company import Company
from tests.connectors.sandbox.conftest import HOOK_SECRET, Receiver, Served
from tests.connectors.sandbox.test_sandbox_company import after_all


def deliver(sandbox: Served, url: str, **order: object) -> dict[str, int]:
    wanted = {"what": "live", "servicenow_url": url, "concurrency": 8, **order}
    answer = requests.post(f"{sandbox.url}/_sandbox/deliver", json=wanted, timeout=120)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_live_events_happen_and_are_sent_signed(own_sandbox: Served, receiver: Receiver, company: Company) -> None:
    counts = deliver(own_sandbox, receiver.url)
    total = len(company.live)
    assert {name: counts[name] for name in ("sent", "accepted", "refused")} == {
        "sent": total, "accepted": total, "refused": 0}  # fmt: skip
    check = standardwebhooks.Webhook(HOOK_SECRET)
    for headers, body in receiver.taken:
        check.verify(body, headers)
    sent = {headers["webhook-id"]: json.loads(body) for headers, body in receiver.taken}
    assert {e.event_id: {"event_id": e.event_id, "table": e.table, "op": e.op, "record": e.record}
            for e in company.live} == sent  # fmt: skip
    tables = own_sandbox.app.state.sandbox.records.tables
    for name, rows in after_all(company).items():
        if name != "sys_audit":  # what happens is audited
            assert tables[name].rows == rows
            assert tables[name].ids == sorted(rows)
    state = requests.get(f"{own_sandbox.url}/_sandbox/state", timeout=5).json()
    assert state["rows"]["incident"] == 20_000
    assert state["now"] == company.live[-1].at
    assert state["deliveries"]["servicenow"]["accepted"] == total


def test_a_wrong_secret_does_not_verify(own_sandbox: Served, receiver: Receiver) -> None:
    deliver(own_sandbox, receiver.url)
    headers, body = receiver.taken[0]
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook("whsec_b3RoZXI=").verify(body, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(HOOK_SECRET).verify(body.replace(b"update", b"insert", 1) + b" ", headers)


def test_sending_again_changes_nothing_and_keeps_the_ids(own_sandbox: Served, receiver: Receiver) -> None:
    deliver(own_sandbox, receiver.url)
    incident = next(e.sys_id for e in own_sandbox.app.state.sandbox.company.live if e.table == "incident")
    url = f"{own_sandbox.url}/api/now/table/incident/{incident}"
    own_sandbox.session.patch(url, json={"correlation_id": "kept"}, timeout=5).raise_for_status()
    before = {n: dict(t.rows) for n, t in own_sandbox.app.state.sandbox.records.tables.items()}
    ids = Counter(headers["webhook-id"] for headers, _ in receiver.taken)
    deliver(own_sandbox, receiver.url)
    assert {n: t.rows for n, t in own_sandbox.app.state.sandbox.records.tables.items()} == before
    assert Counter(headers["webhook-id"] for headers, _ in receiver.taken) == Counter(dict.fromkeys(ids, 2))


def test_order_can_be_shuffled_and_parcels_doubled(own_sandbox: Served, receiver: Receiver, company: Company) -> None:
    counts = deliver(own_sandbox, receiver.url, shuffle_seed=5, duplicate_share=0.25, concurrency=1)
    ids = [headers["webhook-id"] for headers, _ in receiver.taken]
    assert counts["sent"] == len(ids) == len(company.live) + round(len(company.live) * 0.25)
    assert set(ids) == {event.event_id for event in company.live}
    assert list(dict.fromkeys(ids)) != [event.event_id for event in company.live]
    receiver.taken.clear()
    deliver(own_sandbox, receiver.url, shuffle_seed=5, duplicate_share=0.25, concurrency=1)
    assert [headers["webhook-id"] for headers, _ in receiver.taken] == ids  # the same seed, the same order


def test_a_busy_receiver_is_asked_again_a_refusing_one_is_not(own_sandbox: Served, receiver: Receiver) -> None:
    receiver.answers += [503, 429, 401, 500]
    counts = deliver(own_sandbox, receiver.url, concurrency=1)
    assert counts["refused"] == 2
    assert counts["accepted"] == counts["sent"] - 2
    assert counts["tools"]["servicenow"]["retries"] == 2
    assert counts["tools"]["servicenow"]["answers"] == {"202": counts["accepted"], "401": 1, "500": 1}


async def test_a_lost_receiver_ends_in_a_count_not_in_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "TRIES", 2)
    progress = deliveries.Progress()
    await deliveries.push([deliveries.settled(({}, b"{}"))] * 3, "http://127.0.0.1:9/nobody", 2, progress)
    assert (progress.sent, progress.refused, progress.retries, progress.answers) == (3, 3, 3, {"lost": 3})


def test_jira_sends_too(own_sandbox: Served, receiver: Receiver, credentials: Credentials) -> None:
    counts = deliver(own_sandbox, "", jira_url=receiver.url)
    assert counts["sent"] == counts["accepted"] > 10
    for headers, body in receiver.taken:
        mac = hmac.new(credentials.jira_hook.encode(), body, "sha256").hexdigest()
        assert headers["x-hub-signature"] == f"sha256={mac}"


def test_without_an_address_events_happen_unsent(own_sandbox: Served) -> None:
    assert deliver(own_sandbox, "")["sent"] == 0
    assert len(own_sandbox.rows("incident", sysparm_fields="sys_id", sysparm_limit="30000")) == 20_000


@pytest.mark.parametrize("order", [{}, {"what": "everything"}, [], {"what": "live", "servicenow_url": "http://127.0.0.1:9",
                                   "concurrency": "many"}])  # fmt: skip
def test_a_malformed_order_is_refused(own_sandbox: Served, order: object) -> None:
    answer = requests.post(f"{own_sandbox.url}/_sandbox/deliver", json=order, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BAD_INPUT"
