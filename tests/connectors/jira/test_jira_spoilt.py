"""Whatever stands in a record: it is read, or it is poison with a reason."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.jira.translate import translate
from connectors.source import Poison
from tests.connectors.jira.jira_records import CONTRACT, SEEN_AT, approval, change, clock, clocked, incident


@pytest.mark.parametrize(
    ("entity", "record", "key", "field"),
    [
        ("issue", {}, "unreadable-", "id"),
        ("issue", {"id": "1"}, "1", "id"),
        ("issue", {"id": "1\x00", "fields": {}}, "unreadable-", "id"),
        ("issue", incident(updated=None), "20417", "updated"),
        ("issue", incident(updated="yesterday"), "20417", "updated"),
        ("issue", incident(issuetype={"id": "10099", "name": "Epic"}), "20417", "issuetype"),
        ("issue", incident(issuetype=None), "20417", "issuetype"),
        ("request_approval", {"issueId": "1", "approval": {"id": "4"}}, "unreadable-", "approval"),
        ("request_approval", {"issueId": "1", "approval": {"id": "4", "approvers": [None]}}, "1:4", "approver"),
        ("request_sla", {"issueId": "1", "metric": None}, "unreadable-", "metric"),
        ("request_sla", {"issueId": "1", "metric": {"id": "12", "completedCycles": [{}]}}, "1:12", "startTime"),
        ("request_sla", {"issueId": "1", "metric": {"id": "12", "completedCycles": {}, "ongoingCycle": 1}}, "1:12",
         "startTime"),
    ],
)  # fmt: skip
def test_a_record_that_nothing_can_be_made_of_is_poison_with_a_reason(
    entity: str, record: dict[str, Any], key: str, field: str
) -> None:
    with pytest.raises(Poison) as caught:
        translate(CONTRACT, entity, record, SEEN_AT)
    assert caught.value.key.startswith(key)
    assert caught.value.field == field
    assert caught.value.what
    assert caught.value.fix


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = {
    "issue": (
        incident,
        ("id", "key", "fields", "changelog", "field_ids", *[f"fields.{f}" for f in incident()["fields"]]),
    ),
    "change": (change, ("approvals", "changelog", *[f"fields.{f}" for f in change()["fields"]])),
    "request_approval": (
        lambda: {"issueId": "1", "approval": approval(1)},
        ("issueId", "approval", *[f"approval.{name}" for name in approval(1)]),
    ),
    "request_sla": (
        lambda: clocked(clock()),
        (
            "issueId",
            "metric",
            "issuetype",
            "changelog",
            *[f"metric.{name}" for name in clock()],
            "metric.ongoingCycle.startTime",
        ),
    ),
}


@settings(max_examples=300, deadline=None)
@given(data=st.data(), entity=st.sampled_from(sorted(PLACES)), junk=JSON, wrapped=st.booleans())
def test_whatever_stands_in_a_record_it_is_read_or_it_is_poison(
    data: st.DataObject, entity: str, junk: Any, wrapped: bool
) -> None:
    make, places = PLACES[entity]
    record = make()
    *path, last = data.draw(st.sampled_from(places)).split(".")
    target = record
    for name in path:
        target = target[name]
    target[last] = [junk] if wrapped else junk
    texts: list[str] = []
    try:
        for version in translate(CONTRACT, entity.replace("change", "issue"), record, SEEN_AT):
            texts += [version.key, *[value for value in version.values.values() if isinstance(value, str)]]
            texts += [issue.value for issue in version.issues]
    except Poison as poison:
        texts += [poison.key, poison.value]
    assert not any("\x00" in text for text in texts)
