"""One employee number, one person: two accounts that share it are not paid beside each other."""

from functools import partial

from api.actions import awards
from engine.refusal import Code
from tests.api.actions.firm import EARNERS, NOW, Firm, again, bring_in, organisation, person, refused

REASON = "This account is the same person's second one."


async def share(firm: Firm, number: str | None, *names: str) -> None:
    await bring_in(firm.store, [again(p, employee_number=number) for p in organisation() if p.key in names])


async def test_awards_of_two_accounts_of_one_person_are_not_both_approved(submitted: Firm) -> None:
    firm, finance = submitted, submitted.viewer("finance")
    await share(firm, "77", "ann", "dan")
    cycle = partial(awards.approve_cycle, firm.store, firm.log, finance, firm.cycle_id, NOW)
    both = await firm.rows("select id, award_ref from pay.award where person_id = any($1) order by award_ref",
                           [person("ann"), person("dan")])  # fmt: skip
    await refused(firm, Code.BAD_INPUT, cycle, f"{both[0]['award_ref']} and {both[1]['award_ref']}")
    one = partial(awards.approve, firm.store, firm.log, finance, both[0]["id"], 1, NOW)
    await refused(firm, Code.BAD_INPUT, one, both[1]["award_ref"])
    await awards.reject(firm.store, firm.log, finance, both[1]["id"], 1, REASON, NOW)
    assert await cycle() == len(EARNERS) - 1


async def test_a_number_that_is_shared_later_stops_the_file_until_it_is_corrected(approved: Firm) -> None:
    await share(approved, "77", "ann", "dan")
    await refused(approved, Code.BAD_INPUT, partial(approved.approve_file, "finance"), "same employee number")
    await refused(approved, Code.BAD_INPUT, approved.release, "same employee number")
    firm = approved
    dan = next(each for each in organisation() if each.key == "dan")
    await bring_in(firm.store, [again(again(dan, employee_number="77"), employee_number="78")])
    assert await firm.approve_file("finance")


async def test_people_without_a_number_share_nothing(submitted: Firm) -> None:
    await share(submitted, None, "ann", "dan")
    finance = submitted.viewer("finance")
    done = await awards.approve_cycle(submitted.store, submitted.log, finance, submitted.cycle_id, NOW)
    assert done == len(EARNERS)
