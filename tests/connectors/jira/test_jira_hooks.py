"""Whatever a webhook says, and however, it names issues to read again; nothing of it is data."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.jira.hooks import read_hook
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_hooks import due, sealed
from connectors.sandbox.jira_state import JiraState
from connectors.source import Hint, Unreadable
from engine.words import Source


def keys(hints: tuple[Hint, ...]) -> list[str]:
    assert all((hint.source, hint.entity) == (Source.JIRA, "issue") for hint in hints)
    return [hint.key for hint in hints]


@pytest.mark.parametrize(
    ("body", "hinted"),
    [
        ({"webhookEvent": "jira:issue_created", "issue": {"id": "20417", "key": "OPS-1"}}, ["20417"]),
        ({"webhookEvent": "jira:issue_updated", "issue": {"id": 20417}, "changelog": {"items": []}}, ["20417"]),
        ({"webhookEvent": "comment_deleted", "comment": {"self": "https://x.test/rest/api/2/issue/20417/comment/9"}},
         ["20417"]),
        ({"webhookEvent": "worklog_updated", "worklog": {"id": "1", "issueId": "20417"}}, ["20417"]),
        ({"webhookEvent": "issue_property_set", "property": {"key": "evenhand.score"}, "issue": {"id": "20417"}},
         ["20417"]),
        ({"webhookEvent": "issue_property_deleted", "issueId": 20417}, ["20417"]),
        ({"webhookEvent": "issuelink_created", "issueLink": {"sourceIssueId": 2, "destinationIssueId": 1}}, ["1", "2"]),
        ({"webhookEvent": "worklog_created", "issue": {}, "worklog": {"issueId": "20417"}}, ["20417"]),
        ({"issue": {"id": "20417"}, "rule": "SLA about to breach"}, ["20417"]),
        ({"id": "20417", "key": "OPS-1", "fields": {"summary": "x"}}, ["20417"]),
        ({"issueId": "20417", "sla": "Time to resolution"}, ["20417"]),
    ],
)  # fmt: skip
def test_every_shape_of_event_is_a_hint(body: dict[str, Any], hinted: list[str]) -> None:
    hook = read_hook(body)
    assert (keys(hook.refetch), hook.suspected, hook.records) == (hinted, (), ())


def test_only_the_deletion_of_an_issue_makes_it_suspected() -> None:
    hook = read_hook({"webhookEvent": "jira:issue_deleted", "issue": {"id": "20417"}, "timestamp": 1772619307130})
    assert (keys(hook.suspected), hook.refetch) == (["20417"], ())
    assert hook.said_at == datetime(2026, 3, 4, 10, 15, 7, 130000, tzinfo=UTC)


@pytest.mark.parametrize("event", ["user_created", "project_deleted", "jira:version_released"])
def test_what_speaks_of_no_issue_is_kept_with_a_note(event: str) -> None:
    hook = read_hook({"webhookEvent": event})
    assert (hook.refetch, hook.suspected) == ((), ())
    assert event in str(hook.note)


@pytest.mark.parametrize(
    "body", [{}, {"id": "20417"}, {"issue": {"key": "OPS-1"}}, {"issueKey": "OPS-1"}, {"id": True}]
)
def test_a_rule_that_names_no_id_is_told_so(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="no issue with an id"):
        read_hook(body)


ACTS: tuple[Mapping[str, Any], ...] = (
    {"op": "create"}, {"op": "edit", "key": "20003", "fields": {"summary": "x"}}, {"op": "comment", "key": "20003"},
    {"op": "transition", "key": "20015", "status": "In progress"}, {"op": "work", "key": "20003"},
    {"op": "move", "key": "20003", "project": "ARC"}, {"op": "delete_comment", "key": "20003"},
)  # fmt: skip


def test_everything_that_a_site_sends_is_understood(small: JiraState) -> None:
    for order in ACTS:
        told = act(small, order)["key"]
        hooks = [read_hook(orjson.loads(sealed(small, parcel)[1])) for parcel in due(small)]
        assert {key for hook in hooks for key in keys(hook.refetch)} == {told}, order
        assert all(hook.said_at is not None for hook in hooks)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
PLACES = st.sampled_from(
    ["webhookEvent", "issue", "issueId", "comment", "worklog", "issueLink", "id", "fields", "timestamp"]
)


@given(body=st.dictionaries(PLACES, JSON, max_size=4))
def test_whatever_comes_it_is_hints_or_unreadable(body: dict[str, Any]) -> None:
    try:
        hook = read_hook(body)
    except Unreadable:
        return
    assert hook.records == ()
    assert all(hint.key.isdigit() and len(hint.key) <= 18 for hint in (*hook.refetch, *hook.suspected))
