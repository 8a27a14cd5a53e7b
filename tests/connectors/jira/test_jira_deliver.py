"""A score reaches the issue exactly once, whatever happens on the way."""

import re
from typing import Any
from uuid import uuid4

import pytest

from connectors.jira.deliver import (
    PROPERTY,
    Written,
    deliver,
    read_score,
    write_dashboard,
    write_link,
    write_score,
)
from connectors.jira.site import JiraConfig, connect
from connectors.outbox import Write
from connectors.sandbox.jira_state import Fault, JiraState
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Refused

SCORE = {"service": "Data Lakehouse", "score": "0.87", "cycle": "2025-H1"}


def puts(state: JiraState) -> int:
    return sum(place.startswith("PUT ") for place in state.log)


def test_a_score_is_written_once_and_replaced_when_it_changes(jira_config: JiraConfig, jira_state: JiraState) -> None:
    issue = jira_state.issues["20001"]
    updated = issue.values["updated"]
    with connect(jira_config) as site:
        assert read_score(site, "20001") is None
        assert write_score(site, "20001", SCORE) is Written.WRITTEN
        assert write_score(site, "20001", dict(reversed(SCORE.items()))) is Written.ALREADY_THERE
        assert puts(jira_state) == 1
        assert issue.properties == {PROPERTY: SCORE}
        assert write_score(site, "20001", SCORE | {"score": "0.91"}) is Written.WRITTEN
        assert read_score(site, "20001") == SCORE | {"score": "0.91"}
    assert puts(jira_state) == 2
    assert issue.values["updated"] == updated  # a score is no news about the ticket


def test_a_lost_answer_is_settled_by_reading(jira_config: JiraConfig, jira_state: JiraState) -> None:
    """The site refuses the answer after it took the write, then a write that it never took."""
    with connect(jira_config) as site:
        jira_state.faults.append(Fault(re.compile("^PUT "), 504))
        with pytest.raises(SourceUnavailable):
            write_score(site, "20001", SCORE)
        jira_state.issues["20002"].properties[PROPERTY] = SCORE
        jira_state.faults.append(Fault(re.compile("^GET .*20002"), 404))  # not there when read before the write
        jira_state.faults.append(Fault(re.compile("^PUT "), 504))
        assert write_score(site, "20002", SCORE) is Written.WRITTEN
    assert puts(jira_state) == 2


def test_what_cannot_be_written_is_refused(jira_config: JiraConfig, jira_state: JiraState) -> None:
    with connect(jira_config) as site:
        with pytest.raises(SourceRefused, match="no issue 99999"):
            write_score(site, "99999", SCORE)
        with pytest.raises(Refused, match="issue id"):
            write_score(site, "20001/properties/x?", SCORE)
        with pytest.raises(Refused, match="32768"):
            write_score(site, "20001", {"why": "x" * 33_000})
        jira_state.faults.append(Fault(re.compile("^PUT "), 403))
        with pytest.raises(SourceRefused, match="rights"):
            write_score(site, "20001", SCORE)


LINK: dict[str, Any] = {
    "globalId": "system=evenhand&subject=1",
    "application": {"type": "evenhand", "name": "Evenhand"},
    "object": {"url": "https://pay.example.com/", "title": "Portal: 87", "summary": "OK"},
}


def test_a_link_is_one_however_often_it_changes(jira_config: JiraConfig, jira_state: JiraState) -> None:
    held = jira_state.issues["20001"].remote_links
    held.clear()
    with connect(jira_config) as site:
        assert write_link(site, "20001", LINK) is Written.WRITTEN
        assert write_link(site, "20001", LINK) is Written.ALREADY_THERE
        newer = LINK | {"object": LINK["object"] | {"title": "Portal: 91"}}
        assert write_link(site, "20001", newer) is Written.WRITTEN
        jira_state.faults.append(Fault(re.compile("^POST "), 504))
        with pytest.raises(SourceUnavailable):
            write_link(site, "20001", LINK)
        with pytest.raises(SourceRefused, match="no issue 99999"):
            write_link(site, "99999", LINK)
    assert [link["object"]["title"] for link in held] == ["Portal: 91"]
    assert sum(place.startswith("POST ") and "remotelink" in place for place in jira_state.log) == 4


def test_a_dashboard_item_shows_the_scores(jira_config: JiraConfig, jira_state: JiraState) -> None:
    with connect(jira_config) as site:
        assert write_dashboard(site, "10001/10010", {"scores": [SCORE]}) is Written.WRITTEN
        assert write_dashboard(site, "10001/10010", {"scores": [SCORE]}) is Written.ALREADY_THERE
        with pytest.raises(SourceRefused, match="dashboard item 10001/99"):
            write_dashboard(site, "10001/99", {"scores": []})
        with pytest.raises(Refused, match="10000/10010"):
            write_dashboard(site, "10001/../x", {"scores": []})
    assert jira_state.dashboards["10001", "10010"] == {PROPERTY: {"scores": [SCORE]}}


@pytest.mark.parametrize(("operation", "record"), [("score", "20001"), ("dashboard", "10001/10011"), ("link", "20001")])
def test_the_outbox_reaches_every_place(
    jira_config: JiraConfig, jira_state: JiraState, operation: str, record: str
) -> None:
    deliver(jira_config, Write(uuid4(), operation, record, LINK, False))
    places = {
        "score": jira_state.issues["20001"].properties.get(PROPERTY),
        "dashboard": jira_state.dashboards["10001", "10011"].get(PROPERTY),
        "link": next((link["object"] for link in jira_state.issues["20001"].remote_links), None),
    }
    assert places.pop(operation) in (LINK, LINK["object"])
