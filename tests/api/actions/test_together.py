"""No act without its entry and no entry without its act: whatever breaks in between, both are gone."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from api.actions import awards, plans, proofs, runs
from schema.store import DbRole
from tests.api.actions.firm import NOW, PLACES, Firm, Stages, again, bring_in, happened, plan
from tests.api.actions.test_pulls import pull, signed, tell, words

Act = Callable[[Firm], Awaitable[Any]]


async def publish(firm: Firm) -> Any:
    return await plans.publish(firm.store, firm.log, firm.viewer("plan-admin"), plan(version=2), NOW)


async def run(firm: Firm) -> Any:
    return await runs.run(firm.store, firm.log, NOW)


async def submit(firm: Firm) -> Any:
    return await awards.submit(firm.store, firm.log, firm.viewer("hr"), await firm.run_id(), NOW)


async def approve(firm: Firm) -> Any:
    return await awards.approve_cycle(firm.store, firm.log, firm.viewer("finance"), firm.cycle_id, NOW)


async def reject(firm: Firm) -> Any:
    award = UUID(str(await firm.value("select id from pay.award order by award_ref limit 1")))
    reason = "The target was agreed with another team."
    return await awards.reject(firm.store, firm.log, firm.viewer("finance"), award, 1, reason, NOW)


async def approve_file(firm: Firm) -> Any:
    return await firm.approve_file("finance")


async def release(firm: Firm) -> Any:
    return await firm.release()


async def acknowledge(firm: Firm) -> Any:
    return await tell(firm, signed(await words(firm, "accepted", ("L000001",))))


async def nothing(firm: Firm) -> None:
    """The stage is ready as it is."""


async def change_a_record(firm: Firm) -> None:
    told = next(each for each in happened() if each.key == "i1")
    await bring_in(firm.store, [again(told, reopen_count=3)])


async def approve_twice(firm: Firm) -> None:
    assert await firm.approve_file("finance")
    assert await firm.approve_file("second")


# act: stage, what must be ready, the entries that it writes, and a table that it writes besides
ACTS: dict[str, tuple[Act, str, Act, Counter[str], str]] = {
    "publish": (publish, "SCORED", nothing, Counter({"rule.published/v1": 1}), "score.plan_version"),
    "run": (run, "SCORED", change_a_record, Counter({"run.closed/v1": 1}), "pay.award_proposal"),
    "submit": (submit, "SCORED", nothing, Counter({"award.submitted/v1": 1}), "pay.award_amount"),
    "approve": (approve, "SUBMITTED", nothing, Counter({"award.granted/v1": 5}), "ledger.posting"),
    "reject": (reject, "SUBMITTED", nothing, Counter({"award.rejected/v1": 1}), "pay.award"),
    "approve file": (approve_file, "APPROVED", nothing, Counter({"payout.approved/v1": 1}), "audit.pending"),
    "release": (release, "APPROVED", approve_twice, Counter({"payout.released/v1": 1}), "ledger.posting"),
    "pull": (pull, "RELEASED", nothing, Counter({"payout.pulled/v1": 1}), "pay.file"),
    "acknowledge": (acknowledge, "PULLED", nothing, Counter({"payout.acked/v1": 1}), "pay.ack"),
}


@pytest.mark.capability("X1")
@pytest.mark.parametrize("name", ACTS)
async def test_an_act_and_its_entries_are_one(stages: Stages, name: str) -> None:
    act, stage, ready, entries, table = ACTS[name]
    async with stages.at(stage) as firm:
        await ready(firm)
        before, written = await firm.fingerprint(without=PLACES), await firm.entries()
        for broken in ("audit.entry", table):
            await firm.rows(f"alter table {broken} add constraint broken check (false) not valid")
            with pytest.raises(DBAPIError, match="broken"):
                await act(firm)
            await firm.rows(f"alter table {broken} drop constraint broken")
            assert await firm.fingerprint(without=PLACES) == before
        await act(firm)
        assert await firm.entries() - written == entries
        assert await firm.fingerprint(without=PLACES) != before
        waiting = await firm.value("select count(*) from audit.entry e left join audit.seq s on s.entry_id = e.id"
                                   " left join audit.pending p on p.entry_id = e.id"
                                   " where (s.entry_id is null) = (p.entry_id is null)")  # fmt: skip
        assert waiting == 0  # every entry has its position or waits for one


@pytest.mark.capability("X1")
async def test_the_log_proves_the_whole_story_and_finds_a_flipped_byte(pulled: Firm) -> None:
    head = await pulled.log.sequence(pulled.store, NOW)
    assert head.size == sum((await pulled.entries()).values())
    async with pulled.store.begin(DbRole.SEQUENCER, read_only=True) as connection:
        assert (await proofs.verify_log(connection, pulled.log)).broken_index is None
    index, entry = (await pulled.rows("select idx, entry_id from audit.seq order by idx offset 3 limit 1"))[0]
    await pulled.rows("alter table audit.entry disable trigger user")
    await pulled.rows("alter table audit.entry drop constraint leaf_hash_true")
    flip = "set_byte({0}, 20, get_byte({0}, 20) # 1)"
    for column, value in {
        "sealed": flip.format("sealed"),
        "leaf": flip.format("leaf"),
        "ty": "'award.rejected/v1'",
        "at": "at + interval '1 second'",
        "actor_id": "gen_random_uuid()",
        "subject_id": "gen_random_uuid()",
        "object_type": "'payout'",
        "object_id": "'AW-2026-999999'",
    }.items():
        await pulled.rows("create table kept as table audit.entry")
        await pulled.rows(f"update audit.entry set {column} = {value} where id = $1", entry)
        async with pulled.store.begin(DbRole.SEQUENCER, read_only=True) as connection:
            assert (await proofs.verify_log(connection, pulled.log)).broken_index == index, column
        await pulled.rows(f"update audit.entry e set {column} = k.{column} from kept k where k.id = e.id")
        await pulled.rows("drop table kept")
