"""The poller reads everything once, in a stable order, and turns every failure into ours, over real HTTP."""

import dataclasses
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from connectors.jira.pull import poll, refetch
from connectors.jira.site import JiraConfig, connect
from connectors.jira.times import EPOCH, milliseconds
from connectors.jira.translate import translate
from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_hooks import jira_deliveries
from connectors.sandbox.jira_state import Fault, JiraState
from connectors.source import Page, SourceRefused, SourceUnavailable, Version
from engine.refusal import Refused
from engine.words import Feed, MirrorKind


def records(pages: Sequence[Page], entity: str) -> list[dict[str, Any]]:
    return [record for page in pages if page.entity == entity for record in orjson.loads(page.body)]


def versions(pages: Sequence[Page], config: JiraConfig) -> list[Version]:
    return [
        version
        for page in pages
        for record in orjson.loads(page.body)
        for version in translate(config.contract, page.entity, record, page.observed_at)
    ]


@pytest.mark.capability("I7.1")
def test_a_poll_reads_everything_once_and_all_of_it_is_understood(
    jira_config: JiraConfig, jira_state: JiraState
) -> None:
    pages = list(poll(jira_config, None))
    issues = records(pages, "issue")
    assert [issue["id"] for issue in issues] == sorted(jira_state.issues)
    assert len({page.page_id for page in pages}) == len(pages)
    assert {page.feed for page in pages} == {Feed.POLL}
    entries = {issue["id"]: [entry["id"] for entry in issue["changelog"]] for issue in issues}
    for issue in jira_state.issues.values():
        read = [
            edit.edit_id[5:] for edit in issue.history if {"status", "assignee"} & {i["fieldId"] for i in edit.items}
        ]
        assert set(read) <= set(entries[issue.issue_id])
        assert entries[issue.issue_id] == sorted(entries[issue.issue_id])
    found = versions(pages, jira_config)
    assert [version.issues for version in found if version.issues] == []
    kinds = [version.kind for version in found]
    incidents = sum(i.values["issuetype"]["id"] == words.INCIDENT for i in jira_state.issues.values())
    assert kinds.count(MirrorKind.INCIDENT) == incidents
    assert kinds.count(MirrorKind.CHANGE) == len(issues) - incidents
    approvers = sum(len(a["approvers"]) for issue in jira_state.issues.values() for a in issue.approvals)
    assert kinds.count(MirrorKind.CHANGE_APPROVAL) == approvers
    rated = sum(i.values.get(words.SATISFACTION) is not None for i in jira_state.issues.values())
    assert kinds.count(MirrorKind.CSAT_RESPONSE) == rated
    assert kinds.count(MirrorKind.TASK_SLA) >= 2 * incidents
    asked = [re.sub(r"\d{5}", "N", place) for place in jira_state.log]  # sparingly, and never by offset
    count = -(-len(jira_state.issues) // 100)
    assert asked.count("POST /jira/rest/api/3/search/jql") == count
    assert asked.count("POST /jira/rest/api/3/changelog/bulkfetch") == count
    assert asked.count("GET /jira/rest/servicedeskapi/request/N/sla") == len(jira_state.issues)
    assert len(asked) <= len(jira_state.issues) * 2 + 3 * count


def test_a_later_poll_reads_what_changed_since_to_the_millisecond(
    jira_config: JiraConfig, jira_state: JiraState
) -> None:
    stamps = sorted(int(issue.values["updated"]) for issue in jira_state.issues.values())
    bound = stamps[-5]
    since = EPOCH + timedelta(milliseconds=bound)
    expected = {i.issue_id for i in jira_state.issues.values() if i.values["updated"] >= bound}
    assert {issue["id"] for issue in records(list(poll(jira_config, since)), "issue")} == expected
    jira_state.zone_minutes = -600  # the account's zone shifts text, never moments
    shifted = list(poll(jira_config, since))
    assert {issue["id"] for issue in records(shifted, "issue")} == expected
    assert records(shifted, "issue")[0]["fields"]["created"].endswith("-1000")


def test_the_zone_of_the_account_changes_no_value(jira_config: JiraConfig, jira_state: JiraState) -> None:
    since = EPOCH + timedelta(milliseconds=jira_state.now_ms - 3 * 86_400_000)
    before = versions(list(poll(jira_config, since)), jira_config)
    jira_state.zone_minutes = 780
    after = versions(list(poll(jira_config, since)), jira_config)
    assert [version.values for version in after] == [version.values for version in before]
    assert [(v.version_no, v.version_at) for v in after] == [(v.version_no, v.version_at) for v in before]


def test_the_same_state_read_twice_is_the_same_page(jira_config: JiraConfig) -> None:
    since = datetime(2025, 12, 1, tzinfo=UTC)
    assert list(poll(jira_config, since)) == list(poll(jira_config, since))


def test_pages_carry_the_clock_of_the_site(jira_config: JiraConfig, jira_state: JiraState) -> None:
    (page, *_) = poll(jira_config, datetime(2025, 12, 30, tzinfo=UTC))
    assert milliseconds(page.observed_at) == jira_state.now_ms


def test_what_a_webhook_speaks_of_is_read_by_id_even_when_search_lags(
    jira_config: JiraConfig, jira_state: JiraState
) -> None:
    jira_state.index_lags = True
    told = [orjson.loads(body)["issue"]["id"] for _, body in jira_deliveries(jira_state)]
    pages = list(refetch(jira_config, told))
    issues = {issue["id"]: issue for issue in records(pages, "issue")}
    assert set(issues) == set(told)
    for issue_id, issue in issues.items():
        assert issue["fields"]["updated"] == words.jira_time(jira_state.issues[issue_id].values["updated"])
    assert {page.feed for page in pages} == {Feed.WEBHOOK}
    since = EPOCH + timedelta(milliseconds=jira_state.now_ms - 900_000)
    stale = {issue["id"] for issue in records(list(poll(jira_config, since)), "issue")}
    assert stale < set(told)  # a plain search would have missed some


def test_a_refetch_takes_any_number_of_ids_and_finds_only_what_is_there(
    jira_config: JiraConfig, jira_state: JiraState
) -> None:
    ids = sorted(jira_state.issues)[:120]
    read = records(list(refetch(jira_config, [*ids, *ids, "99999"])), "issue")
    assert sorted(issue["id"] for issue in read) == ids
    assert list(refetch(jira_config, [])) == []
    with pytest.raises(Refused, match="OPS-1"):
        list(refetch(jira_config, ["OPS-1"]))


def page_of(**more: Any) -> bytes:
    return orjson.dumps({"issues": [], **more})


@pytest.mark.parametrize(
    ("match", "status", "headers", "body", "raised", "said"),
    [
        ("search/jql", 410, {}, b"{}", SourceRefused, "update Evenhand"),
        ("search/jql", 401, {}, b"{}", SourceRefused, "API token"),
        ("search/jql", 400, {}, b'{"errorMessages":["bad field"]}', SourceRefused, "bad field"),
        ("search/jql", 429, {"Retry-After": "7", "RateLimit-Reason": "jira-burst-based"}, b"{}", SourceUnavailable,
         r"\(jira-burst-based\).* wait 7 s"),
        ("search/jql", 503, {}, b"<html>", SourceUnavailable, "503"),
        ("search/jql", 200, {}, b"<html>please log in</html>", SourceUnavailable, "properly"),
        ("search/jql", 302, {"Location": "/login"}, b"", SourceRefused, "another page"),
        ("search/jql", 200, {}, b"[]", SourceUnavailable, "not a page of issues"),
        ("search/jql", 200, {}, b'{"total":3}', SourceUnavailable, "not a page of issues"),
        ("bulkfetch", 429, {"Retry-After": "2"}, b"{}", SourceUnavailable, "wait 2 s"),
        ("bulkfetch", 403, {}, b"{}", SourceRefused, "rights"),
        ("bulkfetch", 200, {}, b"nonsense", SourceUnavailable, "not JSON"),
        ("bulkfetch", 200, {}, b"{}", SourceUnavailable, "changelogs"),
        ("/sla", 500, {}, b"{}", SourceUnavailable, "500"),
        ("/sla", 200, {}, b"{}", SourceUnavailable, "sla of request"),
        ("/approval", 429, {}, b"{}", SourceUnavailable, "429"),
        ("serverInfo", 200, {}, b"{}", SourceRefused, "not a Jira site"),
        ("serverInfo", 200, {}, b'{"deploymentType":"Cloud"}', SourceUnavailable, "its time"),
        ("rest/api/3/field", 200, {}, b"[]", SourceRefused, "has no field 'Affected service'"),
        ("rest/api/3/field", 401, {}, b"{}", SourceRefused, "API token"),
    ],
)  # fmt: skip
def test_every_failure_is_named(
    jira_config: JiraConfig,
    jira_state: JiraState,
    match: str,
    status: int,
    headers: dict[str, str],
    body: bytes,
    raised: type[Exception],
    said: str,
) -> None:
    jira_state.faults.append(Fault(re.compile(match), status, 99, headers, body))
    with pytest.raises(raised, match=said):
        list(poll(jira_config, None))


def test_a_page_token_that_comes_again_ends_the_poll_with_an_error(
    jira_config: JiraConfig, jira_state: JiraState
) -> None:
    jira_state.faults.append(Fault(re.compile("search/jql"), 200, 99, {}, page_of(nextPageToken="again", isLast=False)))
    with pytest.raises(SourceUnavailable, match="same page token twice"):
        list(poll(jira_config, None))
    assert sum("search/jql" in place for place in jira_state.log) == 2


def test_a_poll_ends_where_no_token_comes_although_nothing_says_last(
    jira_config: JiraConfig, jira_state: JiraState
) -> None:
    jira_state.faults.append(Fault(re.compile("search/jql"), 200, 1, {}, page_of(isLast=False)))
    assert list(poll(jira_config, None)) == []


def test_an_issue_without_an_id_is_handed_on_and_stops_nothing(jira_config: JiraConfig, jira_state: JiraState) -> None:
    jira_state.faults.append(Fault(re.compile("search/jql"), 200, 1, {}, orjson.dumps({"issues": [{"fields": {}}]})))
    (page,) = poll(jira_config, None)
    assert orjson.loads(page.body) == [{"fields": {}}]


def test_an_issue_that_is_no_request_keeps_its_approvals_unknown(
    jira_config: JiraConfig, jira_state: JiraState
) -> None:
    change = next(i for i in jira_state.issues.values() if i.values["issuetype"]["id"] == words.CHANGE and i.approvals)
    jira_state.faults.append(Fault(re.compile(f"{change.issue_id}/approval"), 404))
    pages = list(refetch(jira_config, [change.issue_id]))
    assert records(pages, "issue")[0]["approvals"] is None
    assert records(pages, "request_approval") == []
    (version,) = [version for version in versions(pages, jira_config) if version.kind is MirrorKind.CHANGE]
    assert version.values["approval_decided_at"] is None
    assert [issue.field for issue in version.issues] == ["approvals"]


def test_nobody_there_and_wrong_token_are_told_apart(jira_config: JiraConfig) -> None:
    with pytest.raises(SourceRefused, match="API token"):
        list(poll(dataclasses.replace(jira_config, token="wrong"), None))
    with pytest.raises(SourceUnavailable, match="ConnectError"):
        list(poll(dataclasses.replace(jira_config, url="http://127.0.0.1:9/jira"), None))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"projects": ()}, "Name at least one"),
        ({"projects": ("OPS) OR project in (SECRET",)}, "not keys or ids"),
        ({"url": "http://jira.example.test"}, "not an https address"),
        ({"url": "ftp://127.0.0.1"}, "not an https address"),
    ],
)
def test_a_config_that_could_do_harm_is_refused(jira_config: JiraConfig, change: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        dataclasses.replace(jira_config, **change)


def test_two_fields_of_one_name_are_a_question_and_an_id_is_the_answer(
    jira_config: JiraConfig, jira_state: JiraState
) -> None:
    twins = [*words.field_catalogue(), {"id": "customfield_99", "name": "Satisfaction"}]
    fault = Fault(re.compile("rest/api/3/field"), 200, 2, {}, orjson.dumps(twins))
    jira_state.faults.append(fault)
    with pytest.raises(SourceRefused, match="2 fields called 'Satisfaction'"), connect(jira_config):
        pass
    fields = {**jira_config.contract.fields, "satisfaction": "customfield_10110"}
    exact = dataclasses.replace(jira_config, contract=dataclasses.replace(jira_config.contract, fields=fields))
    with connect(exact) as site:
        assert site.fields["satisfaction"] == "customfield_10110"
    assert fault.times == 0
