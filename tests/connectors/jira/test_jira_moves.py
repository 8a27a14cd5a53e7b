"""Moves of status, assignee and team are versions of their own that never change, whoever told of them."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from connectors.jira.contract import plain_contract, read_contract
from connectors.jira.stored import raw_of
from connectors.jira.translate import translate
from connectors.source import Poison, Version
from engine.refusal import Refused
from engine.words import MirrorKind
from schema.identity import mirror_id
from schema.tables.mirror import TYPED
from tests.connectors.jira.jira_records import CONTRACT, SEEN_AT, clock, clocked, incident, only, turn


def moved(record: dict[str, Any]) -> list[Version]:
    return [v for v in translate(CONTRACT, "issue", record, SEEN_AT) if v.kind is MirrorKind.STATE_CHANGE]


def with_log(*entries: dict[str, Any]) -> dict[str, Any]:
    return incident() | {"changelog": list(entries)}


def test_a_move_says_what_went_where_when_and_by_whom() -> None:
    entry = turn(61002, 1772791200000, "status", "3", "10002") | {"author": "712020:5f1c"}
    (version,) = moved(with_log(entry))
    at = datetime(2026, 3, 6, 10, tzinfo=UTC)
    assert (version.entity, version.key, version.version_at) == ("issue_changelog", "20417:61002:status", at)
    assert version.values == {
        "task_id": mirror_id("jira", "issue", "20417"),
        "field": "status",
        "old_value": "3",
        "new_value": "10002",
        "changed_at": at,
        "changed_by": "712020:5f1c",
    }
    written = {"tenant_id", "id", "source", "source_key", "revision_id", "gone_at"}
    assert set(version.values) == set(TYPED[version.kind].model_fields) - written


def test_an_edit_of_several_fields_is_several_moves_and_each_place_has_a_key() -> None:
    entry = turn(7, 1772791200000, "status", "3", "10002")
    entry["items"] += [{"fieldId": "assignee", "from": None, "to": "712020:77aa"},
                       {"fieldId": "customfield_10121", "from": "1", "to": "2"},
                       {"fieldId": "summary", "from": None, "to": None},
                       {"fieldId": "status", "from": "10002", "to": "3"}]  # fmt: skip
    found = moved(with_log(entry))
    assert {version.key.partition(":7:")[2] for version in found} == {"status", "assignee", "team", "status:1"}


def test_a_move_is_the_same_whichever_resource_told_of_it() -> None:
    (bulk,) = moved(with_log(turn(7, 1772791200000, "status", "3", "10002")))
    entry = turn(7, "2026-03-06T00:00:00.000-1000", "status", "3", "10002")
    entry["items"][0] |= {"toString": "Renamed", "fromString": "Renamed too", "fieldtype": "jira"}
    (paged,) = moved(with_log(entry))
    assert (paged.key, paged.payload, paged.version_no) == (bulk.key, bulk.payload, bulk.version_no)


def test_a_move_can_be_read_again_from_what_was_kept() -> None:
    (version,) = moved(with_log(turn(7, 1772791200000, "status", "3", "10002") | {"author": "a"}))
    assert translate(CONTRACT, *raw_of(version.entity, orjson.loads(version.payload)), SEEN_AT) == [version]


@pytest.mark.parametrize("change", [{"created": "soon"}, {"id": None}, {"id": "6:1"}, {"items": [1]}])
def test_a_move_that_cannot_be_placed_is_left_out_and_costs_nothing_else(change: dict[str, Any]) -> None:
    good = turn(8, 1772791200000, "status", "10002", "3")
    record = with_log(turn(7, 1772787600000, "status", "3", "10002") | change, good)
    assert [version.key for version in moved(record)] == ["20417:8:status"]
    assert only(record).kind is MirrorKind.INCIDENT


def test_a_kept_move_without_a_time_is_poison() -> None:
    with pytest.raises(Poison, match="no issue, no id or no time"):
        translate(CONTRACT, "issue_changelog", {"issueId": "1", "id": "2", "field": "status"}, SEEN_AT)


def test_a_changelog_that_is_not_known_leaves_unknown_what_follows_from_it() -> None:
    version = only(incident() | {"changelog": None})
    assert version.values["reopen_count"] is version.values["reassignment_count"] is None
    assert [issue.field for issue in version.issues] == ["changelog"]
    (done, running) = translate(CONTRACT, "request_sla", clocked(clock()) | {"changelog": None}, SEEN_AT)
    assert done.values["business_pause_seconds"] is running.values["business_pause_seconds"] is None
    assert [issue.field for issue in done.issues] == ["changelog"]
    assert running.issues == ()


# ---- what a contract may say


def test_a_contract_may_speak_to_others_too() -> None:
    more = "\nowner: somebody\nrules: []\nfreshness: {minutes: 15}\ncompleteness: 0.99\nschedule: daily\n"
    assert read_contract(plain_contract() + more) == read_contract(plain_contract())


def test_a_field_that_a_site_does_not_have_is_null() -> None:
    contract = read_contract(plain_contract().replace("satisfaction: Satisfaction", "satisfaction: null"))
    assert "satisfaction" not in contract.fields
    assert len(contract.fields) == 5
    with pytest.raises(Refused, match="missing fields"):
        read_contract(plain_contract().replace("  satisfaction: Satisfaction\n", ""))


def test_a_suppliers_clock_names_the_supplier() -> None:
    old = '"12": {type: SLA, target: RESOLUTION}'
    assert old in plain_contract()
    new = f'"12": {{type: UNDERPINNING_CONTRACT, target: RESOLUTION, vendor: {"f" * 32}}}'
    contract = read_contract(plain_contract().replace(old, new))
    version = translate(contract, "request_sla", clocked(clock()), SEEN_AT)[0]
    assert version.values["sla_type"] == "UNDERPINNING_CONTRACT"
    assert version.values["vendor_id"] == mirror_id("servicenow", "core_company", "f" * 32)
