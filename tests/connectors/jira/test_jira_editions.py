"""Cloud and Data Center tell the same story: records, changelogs, people, approvals, clocks and their sets."""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import orjson
import pytest

from connectors.jira import changelog
from connectors.jira.pull import OVERLAP, poll, refetch, refetch_due
from connectors.jira.site import Edition, JiraConfig, connect
from connectors.jira.times import EPOCH
from connectors.jira.translate import translate, translator
from connectors.sandbox import jira_words as words
from connectors.sandbox.company import Company
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_small import small_site
from connectors.sandbox.jira_state import CLOUD, DATA_CENTER, Fault, JiraState
from connectors.sandbox.jira_troubles import trouble
from connectors.source import Page, SourceRefused, Version
from engine.words import Feed, MirrorKind

PEOPLE = frozenset({"changed_by", "old_value", "new_value", "assignee_id", "approver_id"})


def records(pages: Iterable[Page], entity: str) -> list[dict[str, Any]]:
    return [record for page in pages if page.entity == entity for record in orjson.loads(page.body)]


def versions(config: JiraConfig, pages: Iterable[Page]) -> list[Version]:
    return [
        version
        for page in pages
        for record in orjson.loads(page.body)
        for version in translate(config.contract, page.entity, record, page.observed_at)
    ]


def told(config: JiraConfig, pages: Iterable[Page]) -> dict[str, Any]:
    """What is said, by kind and key, without people: each edition knows them by names of its own."""
    return {
        f"{version.kind} {version.key if version.kind is not MirrorKind.CHANGE_APPROVAL else place}": {
            name: value for name, value in version.values.items() if name not in PEOPLE
        }
        for place, version in enumerate(versions(config, pages))
    }


@pytest.mark.capability("I7.1")
def test_everything_is_read_and_all_of_it_is_understood(small_config: JiraConfig, small: JiraState) -> None:
    found = versions(small_config, poll(small_config, None))
    assert [version.issues for version in found if version.issues] == []
    counts = Counter(version.kind for version in found)
    assert counts[MirrorKind.INCIDENT] + counts[MirrorKind.CHANGE] == len(small.issues) == 25
    approvers = sum(len(one["approvers"]) for issue in small.issues.values() for one in issue.approvals)
    assert counts[MirrorKind.CHANGE_APPROVAL] == approvers > 0
    items = [item["fieldId"] for issue in small.issues.values() for edit in issue.history for item in edit.items]
    assert counts[MirrorKind.STATE_CHANGE] == sum(name in ("status", "assignee", words.TEAM) for name in items) > 25
    assert counts[MirrorKind.CSAT_RESPONSE] > 0


def test_both_editions_say_the_same(small_world: Company, serve_site: Callable[[JiraState], JiraConfig]) -> None:
    configs = (serve_site(small_site(small_world, profile)) for profile in (CLOUD, DATA_CENTER))
    said = [told(config, poll(config, None)) for config in configs]
    assert said[0] == said[1]


@pytest.mark.parametrize("profile", [DATA_CENTER])
def test_data_center_is_entered_with_a_token_of_its_own(small_config: JiraConfig, small: JiraState) -> None:
    with connect(small_config) as site:
        assert (site.edition, site.api) == (Edition.DATA_CENTER, "rest/api/2")
    assert not any("/api/3/" in place or "jql" in place for place in small.log)
    with pytest.raises(SourceRefused, match="API token"):
        list(poll(dataclasses.replace(small_config, token="wrong"), None))
    assert OVERLAP[Edition.DATA_CENTER] < OVERLAP[Edition.CLOUD]


@pytest.mark.parametrize("profile", [DATA_CENTER])
def test_people_of_data_center_are_known_by_key_name_or_address(small_config: JiraConfig, small: JiraState) -> None:
    issue = next(i for i in small.issues.values() if i.values.get("assignee"))
    person = small.people[issue.values["assignee"]]
    for spelling in (person.account_id, person.login, person.email.lower()):
        contract = dataclasses.replace(small_config.contract, people={spelling: person.sys_id})
        config = dataclasses.replace(small_config, contract=contract)
        read = next(v for v in versions(config, refetch(config, [issue.issue_id])) if v.key == issue.issue_id)
        assert read.values["assignee_id"] is not None


@pytest.mark.parametrize("cap", [0, 1, 3])
def test_a_changelog_that_was_capped_is_completed_or_unknown(
    small_config: JiraConfig, small: JiraState, cap: int
) -> None:
    whole = told(small_config, poll(small_config, None))
    small.troubles.append(trouble({"name": "changelog_cap", "params": {"entries": cap}}))
    pages = list(poll(small_config, None))
    if not small.data_center:  # it is asked for in bulk, which has no cap
        assert told(small_config, pages) == whole
        return
    for issue in records(pages, "issue"):
        held = small.issues[issue["id"]]
        if len(held.history) > cap:
            assert issue["changelog"] is None
    unknown = [v for v in versions(small_config, pages) if v.kind is MirrorKind.INCIDENT and v.issues]
    assert unknown
    assert {version.values["reopen_count"] for version in unknown} == {None}
    assert {issue.field for version in unknown for issue in version.issues} == {"changelog"}


@pytest.mark.parametrize("profile", [CLOUD])
def test_without_the_bulk_a_changelog_is_read_page_by_page_to_its_count(
    small_config: JiraConfig, small: JiraState, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = told(small_config, poll(small_config, None))
    payloads = {
        (v.entity, v.key): v.payload for v in versions(small_config, poll(small_config, None)) if not v.observed
    }
    small.faults.append(Fault(re.compile("bulkfetch"), 404, 9))
    monkeypatch.setattr(changelog, "PAGE", 2)
    pages = list(poll(small_config, None))
    assert told(small_config, pages) == whole
    assert {(v.entity, v.key): v.payload for v in versions(small_config, pages) if not v.observed} == payloads


@pytest.mark.parametrize("profile", [CLOUD])
def test_a_changelog_in_bulk_is_read_to_its_last_page(small_config: JiraConfig, small: JiraState) -> None:
    whole = told(small_config, poll(small_config, None))
    small.troubles.append(trouble({"name": "fewer_items", "match": {"path": "bulkfetch"}, "params": {"most": 3}}))
    assert told(small_config, poll(small_config, None)) == whole


# ---- read by id


def test_what_is_read_by_id_is_current_however_late_search_is(small_config: JiraConfig, small: JiraState) -> None:
    small.troubles.append(trouble({"name": "index_lag", "params": {"seconds": 600}}))
    act(small, {"op": "transition", "key": "20015", "status": "In progress"})
    born = act(small, {"op": "create"})["key"]
    read = {issue["id"]: issue for issue in records(refetch(small_config, ["20015", born]), "issue")}
    assert set(read) == {"20015", born}
    assert read["20015"]["fields"]["status"]["name"] == "In progress"


@pytest.mark.parametrize("profile", [CLOUD])
def test_what_was_spoken_of_lately_is_polled_as_it_is_now(small_config: JiraConfig, small: JiraState) -> None:
    small.troubles.append(trouble({"name": "index_lag", "params": {"seconds": 600}}))
    since = EPOCH + timedelta(milliseconds=small.now_ms)
    born = act(small, {"op": "create"})["key"]
    assert records(poll(small_config, since), "issue") == []
    assert [issue["id"] for issue in records(poll(small_config, since, recent=[born]), "issue")] == [born]


@pytest.mark.parametrize("profile", [CLOUD])
def test_an_issue_that_search_shows_older_than_its_changelog_is_read_again(
    small_config: JiraConfig, small: JiraState
) -> None:
    small.advance(small.now_ms + 3_600_000)
    small.troubles.append(trouble({"name": "index_lag", "params": {"seconds": 600}}))
    act(small, {"op": "transition", "key": "20015", "status": "In progress"})
    (issue,) = [issue for issue in records(poll(small_config, None), "issue") if issue["id"] == "20015"]
    assert issue["fields"]["status"]["name"] == "In progress"
    assert issue["fields"]["updated"] == words.jira_time(small.issues["20015"].values["updated"])


def test_one_question_that_a_site_refuses_is_put_one_by_one(small_config: JiraConfig, small: JiraState) -> None:
    small.faults.append(Fault(re.compile("search/jql"), 400, 9))
    ids = sorted(small.issues)[:3]
    assert [i["id"] for i in records(refetch(small_config, [*ids, "99999"]), "issue")] == ids


def test_what_was_moved_or_deleted_is_not_read(small_config: JiraConfig, small: JiraState) -> None:
    act(small, {"op": "move", "key": "20001", "project": "ARC"})
    act(small, {"op": "delete", "key": "20002"})
    assert [i["id"] for i in records(refetch(small_config, ["20001", "20002", "20003"]), "issue")] == ["20003"]


def test_the_same_content_read_by_id_again_is_another_sighting(small_config: JiraConfig, small: JiraState) -> None:
    first = list(refetch(small_config, ["20003"], Feed.POLL))
    small.advance(small.now_ms + 1000)
    second = list(refetch(small_config, ["20003"], Feed.POLL))
    assert [page.page_id == other.page_id for page, other in zip(first, second, strict=True)] == [False] * len(first)


# ---- the service desk


def test_a_breach_is_seen_though_nothing_was_updated(small_config: JiraConfig, small: JiraState) -> None:
    def running() -> dict[str, Any]:
        found = versions(small_config, refetch_due(small_config, ["20015:12:1"]))  # a clock's key stands for its issue
        return {v.key: v.values for v in found if v.kind is MirrorKind.TASK_SLA and v.values["ended_at"] is None}

    updated, before = small.issues["20015"].values["updated"], running()
    assert {clock["has_breached"] for clock in before.values()} == {False}
    small.advance(small.now_ms + 30 * 86_400_000)
    after = running()
    assert set(after) == set(before)
    assert {clock["has_breached"] for clock in after.values()} == {True}
    assert small.issues["20015"].values["updated"] == updated


def test_every_cycle_of_a_reopened_issue_is_told_and_its_set_is_whole(
    small_config: JiraConfig, small: JiraState
) -> None:
    tells = translator(small_config.contract).wholes
    pages = list(poll(small_config, None))
    clocks = [v for v in versions(small_config, pages) if v.kind is MirrorKind.TASK_SLA and ":12:" in v.key]
    cycles = Counter(version.key.split(":")[0] for version in clocks)
    reopened = [number for number, count in cycles.items() if count > 1]
    assert reopened
    for entity, kind in (("request_sla", MirrorKind.TASK_SLA), ("issue", MirrorKind.CHANGE_APPROVAL)):
        keys = {v.key for v in versions(small_config, pages) if v.kind is kind}
        sets = [whole for record in records(pages, entity) for whole in tells(entity, record)]
        assert {key for whole in sets for key in whole.keys} == keys
        assert all(key.startswith(whole.prefix) for whole in sets for key in whole.keys)
        assert len({whole.prefix for whole in sets}) == len(sets)


def test_every_approver_is_told_and_silence_in_a_settled_approval_is_no_decision(
    small_config: JiraConfig, small: JiraState
) -> None:
    born = act(small, {"op": "create", "type": "change"})["key"]
    act(small, {"op": "ask", "key": born, "needed": 1})
    act(small, {"op": "answer", "key": born, "decision": "approve"})
    found = versions(small_config, refetch(small_config, [born]))
    states = [v.values["state"] for v in found if v.kind is MirrorKind.CHANGE_APPROVAL]
    assert sorted(states) == ["APPROVED", "NOT_REQUIRED", "NOT_REQUIRED"]


def test_the_type_of_a_request_comes_with_the_issue(small_config: JiraConfig, small: JiraState) -> None:
    """A site shows it in a field of its own, in words that change from day to day; the type alone is content."""
    catalogue = [*words.field_catalogue(), {"id": "customfield_10010", "name": "Request Type",
                                            "schema": {"custom": "com.atlassian.servicedesk:vp-origin"}}]  # fmt: skip
    payloads = set()
    for day in ("Today", "Yesterday"):
        value = {"requestType": {"id": "21", "name": "Report an incident", "serviceDeskId": "1", "icon": {"id": "1"}},
                 "currentStatus": {"statusDate": {"friendly": day}}}  # fmt: skip
        small.issues["20003"].values["customfield_10010"] = value
        small.faults.append(Fault(re.compile(r"rest/api/\d/field"), 200, 1, {}, orjson.dumps(catalogue)))
        (version, *_) = versions(small_config, refetch(small_config, ["20003"]))
        payloads.add(version.payload)
    (payload,) = payloads
    kept = orjson.loads(payload)
    assert kept["field_ids"]["request_type"] == "customfield_10010"
    assert kept["fields"]["customfield_10010"] == {"id": "21", "name": "Report an incident", "serviceDeskId": "1"}


def test_who_looks_is_no_content(small_config: JiraConfig, small: JiraState) -> None:
    def kept() -> dict[str, bytes]:
        found = versions(small_config, poll(small_config, None))
        return {f"{v.entity} {v.key}": v.payload for v in found if not v.observed}

    before = kept()
    small.troubles.append(trouble({"name": "account_zone", "params": {"zone": "Pacific/Honolulu"}}))
    for account, person in list(small.people.items()):
        small.people[account] = dataclasses.replace(person, name=person.name.upper())
    assert kept() == before


def test_a_field_that_a_site_does_not_have_is_left_out(small_config: JiraConfig, small: JiraState) -> None:
    fields = {name: theirs for name, theirs in small_config.contract.fields.items() if name not in ("team", "outcome")}
    config = dataclasses.replace(small_config, contract=dataclasses.replace(small_config.contract, fields=fields))
    found = versions(config, poll(config, None))
    incidents = [version.values for version in found if version.kind is MirrorKind.INCIDENT]
    assert {(values["team_id"], values["reassignment_count"]) for values in incidents} == {(None, None)}
    assert {v.values["field"] for v in found if v.kind is MirrorKind.STATE_CHANGE} == {"status", "assignee"}
