"""Scores on their way back: one write for one score of one record, however often it is queued; nobody's own score."""

from dataclasses import replace
from uuid import UUID

import orjson
import pytest

from api.actions import runs, writebacks
from engine.refusal import Code, Refused
from engine.words import MirrorKind, Role, Source
from tests.api.actions.firm import NOW, SERVICES, Firm, again, bring_in, grant, happened, person, version


async def test_queueing_again_queues_nothing(scored: Firm) -> None:
    run_id = await scored.run_id()
    count = await writebacks.queue(scored.store, run_id)
    after = await scored.fingerprint()
    assert after != {}
    assert await writebacks.queue(scored.store, run_id) == count == len(SERVICES)
    assert await scored.fingerprint() == after
    assert await scored.value("select count(*) from ops.outbox") == count


async def test_what_is_written_is_the_score_of_a_service_and_says_where_it_comes_from(scored: Firm) -> None:
    await writebacks.queue(scored.store, await scored.run_id())
    rows = await scored.rows("select target, operation, record, body from ops.outbox")
    scores = {
        r["subject_label"]: r for r in await scored.rows("select * from score.score where subject_kind = 'SERVICE'")
    }
    assert {row["record"] for row in rows} == set(SERVICES)
    for row in rows:
        body, score = orjson.loads(row["body"]), scores[row["record"]]
        assert (row["target"], row["operation"]) == ("servicenow", "score")
        assert body["u_value"] == (None if score["value"] is None else str(score["value"]))
        assert (body["u_result_hash"], body["u_status"]) == (score["result_hash"], score["status"])
        assert body["u_record"] == row["record"]
    people = await scored.rows("select subject_label from score.score where subject_kind = 'PERSON'")
    assert not {row[0] for row in people} & {orjson.loads(row["body"])["u_subject"] for row in rows}


async def test_issues_of_the_other_tool_carry_the_score_too(scored: Firm) -> None:
    """Only issues of a scored service, only those that are there, and not when that tool is left out."""
    portal = next(each.values for each in happened() if each.key == "i1")
    told = [
        version(MirrorKind.INCIDENT, f"1000{number}", **(dict(portal) | {"number": f"OPS-{number}"}))
        for number in (1, 2)
    ]
    await bring_in(scored.store, [replace(each, source=Source.JIRA) for each in told])
    await scored.rows("update mirror.incident set gone_at = now() where number = 'OPS-2'")
    ran = await runs.run(scored.store, scored.log, NOW)
    assert await writebacks.queue(scored.store, ran.run_id, jira=False) == len(SERVICES)
    assert await writebacks.queue(scored.store, ran.run_id) == len(SERVICES) + 1
    (row,) = await scored.rows("select record, body from ops.outbox where target = 'jira'")
    assert row["record"] == "10001"
    assert orjson.loads(row["body"])["subject"] == "Portal"


async def test_a_new_run_takes_the_place_of_what_was_not_sent_and_follows_what_was(scored: Firm) -> None:
    first = await writebacks.queue(scored.store, await scored.run_id())
    await scored.rows("update ops.outbox set state = 'DONE', attempts = 1 where record = 'Portal'")
    before = {row["id"] for row in await scored.rows("select id from ops.outbox")}
    slow = next(each for each in happened() if each.key == "i1")
    await bring_in(scored.store, [again(slow, reopen_count=1)])
    ran = await runs.run(scored.store, scored.log, NOW)
    assert await writebacks.queue(scored.store, ran.run_id) == first
    rows = await scored.rows("select id, record, state from ops.outbox")
    assert len(rows) == first + 1
    assert {row["record"] for row in rows if row["id"] in before} == {"Portal"}
    assert sorted(row["state"] for row in rows if row["record"] == "Portal") == ["DONE", "READY"]


async def test_the_setting_says_where_scores_are_shown(scored: Firm) -> None:
    """An incident's own column, under the version that is mirrored; a link and a dashboard item at the other tool."""
    portal = next(each.values for each in happened() if each.key == "i1")
    told = [version(MirrorKind.INCIDENT, "10001", **(dict(portal) | {"number": "OPS-1"}))]
    await bring_in(scored.store, [replace(each, source=Source.JIRA) for each in told])
    ran = await runs.run(scored.store, scored.log, NOW)
    places = writebacks.Places(
        ("servicenow.column", "jira.link", "jira.dashboard"), "u_fairness", ("10000/10010",), "https://pay.example.com/"
    )
    count = await writebacks.queue(scored.store, ran.run_id, places=places)
    rows = await scored.rows("select target, operation, record, body, premise from ops.outbox order by target, record")
    assert len(rows) == count
    columns = [row for row in rows if row["operation"] == "column"]
    versions = await scored.rows("select source_key, version_no from mirror.record where source = 'servicenow'")
    assert {row["record"]: row["premise"] for row in columns}.items() <= {(r[0], r[1]) for r in versions}
    assert all(set(orjson.loads(row["body"])) == {"u_fairness"} for row in columns)
    others = {row["operation"]: row for row in rows if row["target"] == "jira"}
    assert set(others) == {"link", "dashboard"}
    assert others["dashboard"]["record"] == "10000/10010"
    assert len(orjson.loads(others["dashboard"]["body"])["scores"]) == len(SERVICES)
    link = orjson.loads(others["link"]["body"])
    assert (others["link"]["record"], link["object"]["url"]) == ("10001", "https://pay.example.com/")
    assert link["object"]["title"].startswith("Portal: ")
    assert await writebacks.queue(scored.store, ran.run_id, jira=False, places=places) == len(columns)


async def test_dead_letters_are_sent_again_by_those_who_may(scored: Firm) -> None:
    await writebacks.queue(scored.store, await scored.run_id())
    dead = [row["id"] for row in await scored.rows("update ops.outbox set state = 'FAILED', attempts = 8 returning id")]
    with pytest.raises(Refused) as refused:
        await writebacks.retry(scored.store, scored.log, scored.viewer("hr"), None, NOW)
    assert refused.value.code is Code.ACCESS_DENIED
    await grant(scored.store, person("nobody"), Role.ITSM_ADMIN)
    administrator = scored.viewer("nobody")
    with pytest.raises(Refused, match="such an id"):
        await writebacks.retry(scored.store, scored.log, administrator, [UUID(int=1)], NOW)
    assert await writebacks.retry(scored.store, scored.log, administrator, [dead[0]], NOW) == 1
    assert await writebacks.retry(scored.store, scored.log, administrator, None, NOW) == len(dead) - 1
    assert await writebacks.retry(scored.store, scored.log, administrator, None, NOW) == 0
    assert {row["state"] for row in await scored.rows("select state from ops.outbox")} == {"UNKNOWN"}
    assert (await scored.entries())["outbox.retried/v1"] == 2
