"""Scores on their way back: one write for one score of one record, however often it is queued; nobody's own score."""

from dataclasses import replace

import orjson

from api.actions import runs, writebacks
from engine.words import MirrorKind, Source
from tests.api.actions.firm import NOW, SERVICES, Firm, again, bring_in, happened, version


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


async def test_a_new_run_is_a_new_write_and_the_old_one_stays(scored: Firm) -> None:
    first = await writebacks.queue(scored.store, await scored.run_id())
    slow = next(each for each in happened() if each.key == "i1")
    await bring_in(scored.store, [again(slow, reopen_count=1)])
    ran = await runs.run(scored.store, scored.log, NOW)
    await writebacks.queue(scored.store, ran.run_id)
    assert await scored.value("select count(*) from ops.outbox") == 2 * first
