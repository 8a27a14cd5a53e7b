"""A contract with a foreign word is refused; times of any zone are one moment; a webhook is a hint and never data."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.jira.contract import SlaMeaning, plain_contract, read_contract
from connectors.jira.hooks import read_hook
from connectors.jira.times import moment
from connectors.jira.translate import translator
from connectors.source import Hint, Hook, Unreadable
from engine.refusal import Refused
from engine.words import SlaTarget, SlaType, Source
from tests.connectors.jira.jira_records import CONTRACT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04T10:15:07.120+0000", datetime(2026, 3, 4, 10, 15, 7, 120000, tzinfo=UTC)),
        ("2026-03-04T23:15:07.120+1300", datetime(2026, 3, 4, 10, 15, 7, 120000, tzinfo=UTC)),
        ("2026-03-04T00:15:07.120-1000", datetime(2026, 3, 4, 10, 15, 7, 120000, tzinfo=UTC)),
        (1772619307120, datetime(2026, 3, 4, 10, 15, 7, 120000, tzinfo=UTC)),
        ("2026-03-04T10:15:07.120", None),
        ("today", None),
        (True, None),
        (10**20, None),
        (None, None),
        ({}, None),
    ],
)
def test_times_of_any_zone_are_one_moment(text: Any, expected: datetime | None) -> None:
    assert moment(text) == expected


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("INCIDENT # [System] Incident", "TICKET", "'TICKET' is none of"),
        ("INCIDENT # [System] Incident", "VENDOR", "an issue cannot be a VENDOR"),
        ('"3": IN_PROGRESS', '"3": BUSY', "'BUSY' is none of"),
        ("target: RESPONSE", "target: SOON", "'SOON' is none of"),
        ("  team: Responsible team\n", "", "missing fields"),
        ('"1": 1 #', '"1": 0 #', "not a number from 1 to 5"),
        ('["09:00", "17:00"]', '["nine", "five"]', "hours such as"),
        ('["09:00", "17:00"]', '["17:00", "09:00"]', "calendar is wrong"),
        ("time_zone: UTC", "time_zone: Nowhere", "'Nowhere' is not known"),
        ("services: {}", "services: []", "'services' is not a mapping"),
        ("services: {}", "services: {", "not YAML"),
    ],
)
def test_a_contract_with_a_foreign_word_is_refused(old: str, new: str, said: str) -> None:
    assert old in plain_contract()
    with pytest.raises(Refused, match=said):
        read_contract(plain_contract().replace(old, new))


def test_the_plain_contract_can_be_read() -> None:
    assert CONTRACT.slas["13"] == SlaMeaning(SlaType.SLA, SlaTarget.RESPONSE)
    assert CONTRACT.calendar.week[0] == ((32_400, 61_200),)
    assert CONTRACT.calendar.week[6] == ()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"webhookEvent": "jira:issue_updated", "issue": {"id": "20417"}},
         Hook(refetch=(Hint(Source.JIRA, "issue", "20417"),))),
        ({"webhookEvent": "comment_created", "comment": {}, "issue": {"id": "20417", "key": "OPS-311"}},
         Hook(refetch=(Hint(Source.JIRA, "issue", "20417"),))),
        ({"webhookEvent": "jira:issue_deleted", "issue": {"id": "20417"}},
         Hook(suspected=(Hint(Source.JIRA, "issue", "20417"),))),
        ({"webhookEvent": "user_created", "user": {}}, Hook(note="The Jira event 'user_created' speaks of no issue.")),
    ],
)  # fmt: skip
def test_a_webhook_is_a_hint_and_never_data(body: dict[str, Any], expected: Hook) -> None:
    assert translator(CONTRACT).read_hook(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"webhookEvent": 3},
        {"webhookEvent": "x", "issue": {"id": "OPS-1"}},
        {"webhookEvent": "x", "issue": 3},
        {"webhookEvent": "x", "issue": {"id": "9" * 19}},
        {"webhookEvent": "x", "issue": {"id": "9" * 5000}},
    ],
)
def test_a_body_that_is_no_jira_event_is_unreadable(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="Jira event"):
        read_hook(body)
