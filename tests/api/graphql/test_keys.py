"""Things by keys that people know, what is mine without any key, and what I may do."""

import pytest

from api.ids import global_id
from tests.api.conftest import Asking
from tests.api.small_house import key

EVERYBODY = ("ana", "mia", "hanna", "finn", "paul", "ava", "ivo", "wanda", "petra")
BY = {
    "award": ("awardRef", {"id": global_id("Award", key("award", "ben")), "awardRef": "AW-2026-000002"}),
    "incident": (
        "number",
        {"id": global_id("Incident", key("incident", "INC0000001")), "number": "INC0000001",
         "sourceKey": "servicenow:INC0000001"},
    ),
    "change": (
        "number",
        {"id": global_id("Change", key("change", "CHG1")), "number": "CHG1", "sourceKey": "servicenow:CHG1"},
    ),
    "service": (
        "name",
        {"id": global_id("Service", key("service", "mail")), "name": "mail", "sourceKey": "servicenow:service-mail"},
    ),
}  # fmt: skip
SEEN = {"award": {"mia", "hanna", "finn", "ava"}, "incident": {"ava", "ivo"}, "change": {"ava", "ivo"},
        "service": set(EVERYBODY)}  # fmt: skip


@pytest.mark.parametrize("root", BY)
@pytest.mark.parametrize("who", EVERYBODY)
async def test_every_key_leads_to_the_thing_and_only_for_whom_it_is(ask: Asking, who: str, root: str) -> None:
    named, keys = BY[root]
    for by, value in keys.items():
        query = f'{{ {root}(by: {{{by}: "{value}"}}) {{ id {named} }} }}'
        expected = {"id": keys["id"], named: keys.get(named)} if who in SEEN[root] else None
        assert (await ask(who, query))[root] == expected, by


async def test_keys_that_lead_nowhere(ask: Asking) -> None:
    for by in ('number: "none"', 'id: "nonsense"', f'id: "{BY["change"][1]["id"]}"', 'sourceKey: "servicenow"'):
        assert (await ask("ava", f"{{ incident(by: {{{by}}}) {{ id }} }}"))["incident"] is None, by
    both = await ask.post("ava", '{ incident(by: {number: "a", sourceKey: "b"}) { id } }')
    assert both.json()["errors"][0]["extensions"]["code"] in ("DOCUMENT_INVALID", "BAD_INPUT")


async def test_what_is_paid_to_me_needs_no_key(ask: Asking) -> None:
    query = """{ viewer { payoutLines(first: 5) { nodes { lineId amount { amount } } }
                          payrollResults(first: 5) { nodes { payPeriod } } } }"""
    assert (await ask("ana", query))["viewer"] == {
        "payoutLines": {"nodes": [{"lineId": "L000001", "amount": {"amount": "2000.00"}}]},
        "payrollResults": {"nodes": [{"payPeriod": "2026-11"}]},
    }
    for who in ("paul", "ava"):  # they see the lines of others, and none of these is their own
        assert (await ask(who, query))["viewer"] == {"payoutLines": {"nodes": []}, "payrollResults": {"nodes": []}}


@pytest.mark.parametrize(
    ("act", "on", "able"),
    [
        ("AWARD_APPROVE", None, {"finn"}),
        ("AWARD_APPROVE", ("Award", "award", "ben"), {"finn"}),
        ("AWARD_APPROVE", ("Award", "award", "cara"), set()),  # it is in payroll
        ("AWARD_APPROVE", ("Award", "award", "nobody"), set()),
        ("AWARD_APPROVE", ("Score", "score", "new-ana"), set()),
        ("AWARD_SUBMIT", None, {"hanna"}),
        ("PAYOUT_READ", None, {"paul", "ava"}),
        ("ROLE_APPROVE", ("RoleRequest", "request", "1"), {"hanna"}),
        ("DOCUMENT_RETIRE", ("DocumentVersion", "document", "1"), {"ivo"}),
        ("DOCUMENT_ACTIVATE", ("DocumentVersion", "document", "1"), set()),  # it is in force
        ("PLAN_PUBLISH", None, {"petra"}),
    ],
)
async def test_what_one_may_do(ask: Asking, act: str, on: tuple[str, str, str] | None, able: set[str]) -> None:
    id_ = global_id(on[0], key(*on[1:])) if on else None
    query = f"query ($on: ID) {{ viewer {{ can(act: {act}, on: $on) }} }}"
    assert {who for who in EVERYBODY if (await ask(who, query, on=id_))["viewer"]["can"]} == able


async def test_an_act_that_is_not_about_one_thing(ask: Asking) -> None:
    asked = await ask.post("hanna", f'{{ viewer {{ can(act: AWARD_SUBMIT, on: "{BY["award"][1]["id"]}") }} }}')
    assert asked.json()["errors"][0]["extensions"]["code"] == "BAD_INPUT"
