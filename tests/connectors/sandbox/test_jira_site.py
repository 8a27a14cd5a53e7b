"""The imitated site is one plausible year, the same for the same seed, and sends what happens signed as Jira signs."""

import hmac
from collections import Counter
from hashlib import sha256

import orjson
import pytest

from connectors.sandbox import jira_words as words
from connectors.sandbox.company import Company, generate
from connectors.sandbox.jira_hooks import jira_deliveries
from connectors.sandbox.jira_lives import YEAR_END_MS
from connectors.sandbox.jira_project import LIVE, YEAR_START_MS, open_site
from connectors.sandbox.jira_shapes import slas_shown
from connectors.sandbox.jira_sla import MINUTE_MS, request_slas
from connectors.sandbox.jira_state import JiraState


@pytest.fixture(scope="module")
def company() -> Company:
    return generate(7)


def snapshot(state: JiraState) -> bytes:
    held = {i: [issue.key, issue.values, issue.approvals] for i, issue in state.issues.items()}
    return orjson.dumps([held, [edit.edit_id for edit in state.live]])


def test_the_same_seed_makes_the_same_site_and_another_seed_another(company: Company) -> None:
    assert snapshot(open_site(company)) == snapshot(open_site(generate(7)))
    assert snapshot(open_site(company)) != snapshot(open_site(generate(8)))


def test_the_year_holds_what_it_should(company: Company) -> None:
    state = open_site(company)
    for _ in jira_deliveries(state):
        pass
    kinds = Counter(issue.values["issuetype"]["id"] for issue in state.issues.values())
    assert kinds == {words.INCIDENT: 900, words.CHANGE: 200}
    assert set(state.services.values()) == set(company.jira_services)
    for issue in state.issues.values():
        assert issue.values[words.SERVICE]["value"] in state.services
        assert issue.values[words.TEAM]["value"] in state.teams
        assert YEAR_START_MS <= issue.values["created"] <= issue.values["updated"] <= YEAR_END_MS
        times = [edit.at_ms for edit in issue.history]
        assert times == sorted(set(times))
    closed = [issue.values for issue in state.issues.values() if issue.values["status"]["name"] == "Closed"]
    assert all(values["resolutiondate"] >= values["created"] for values in closed)
    answers = Counter(values.get(words.SATISFACTION) for values in closed)
    assert answers[None] > len(closed) / 2  # most customers do not answer
    assert set(answers) <= {None, 1.0, 2.0, 3.0, 4.0, 5.0}


def test_changes_keep_and_break_the_rules_of_the_board(company: Company) -> None:
    """Approved in time, approved late, never asked, declined: each of them happens."""
    fates: Counter[str] = Counter()
    for issue in open_site(company).issues.values():
        values = issue.values
        if values["issuetype"]["id"] != words.CHANGE or values[words.CHANGE_TYPE]["value"] != "Normal":
            continue
        started_ms = values[words.ACTUAL_START]
        if not issue.approvals:
            fates["skipped" if started_ms else "planned"] += 1
            continue
        approval = issue.approvals[0]
        late = approval["completedMs"] is None or (started_ms is not None and approval["completedMs"] > started_ms)
        fates["late" if late else approval["finalDecision"]] += 1
        if approval["finalDecision"] == "approved":
            assert sorted(decision for _, decision in approval["approvers"]) == ["approved", "approved", "pending"]
    assert fates["approved"] > fates["late"] > 0
    assert fates["skipped"] > 0
    assert fates["declined"] > 0


def test_what_is_held_back_arrives_signed_and_only_once(company: Company) -> None:
    state = open_site(company)
    before = snapshot(state)
    sent = list(jira_deliveries(state))
    after, clock = snapshot(state), state.now_ms
    assert len(sent) == LIVE
    assert before != after
    assert list(jira_deliveries(state)) == sent  # byte for byte
    assert (snapshot(state), state.now_ms) == (after, clock)
    assert list(jira_deliveries(open_site(company))) == sent  # the next start sends the same
    assert len({headers["x-atlassian-webhook-identifier"] for headers, _ in sent}) == LIVE
    for headers, body in sent:
        expected = hmac.new(state.webhook_secret, body, sha256).hexdigest()
        assert headers["x-hub-signature"] == f"sha256={expected}"
        event = orjson.loads(body)
        assert ("changelog" in event) is (event["webhookEvent"] == "jira:issue_updated")
        assert event["issue"]["id"] in state.issues


def test_an_edit_has_happened_when_its_webhook_is_sent(company: Company) -> None:
    state = open_site(company)
    for _, body in jira_deliveries(state):
        event = orjson.loads(body)
        issue = state.issues[event["issue"]["id"]]
        assert issue.values["updated"] == event["timestamp"]
        assert issue.values["status"]["id"] == event["issue"]["fields"]["status"]["id"]


H = 60 * MINUTE_MS


def test_the_resolution_clock_pauses_stops_and_starts_again() -> None:
    """High priority, 8 hours: 1 h work, 3 h waiting, 1 h work, resolved; reopened, runs a second cycle."""
    timeline = [
        (0, words.OPEN), (H // 2, words.WORKING), (H, words.WAITING), (4 * H, words.WORKING), (5 * H, words.RESOLVED),
        (10 * H, words.WORKING),
    ]  # fmt: skip
    resolution, response = request_slas("2", timeline, now_ms=20 * H)
    (done,) = resolution["completedCycles"]
    assert done["elapsedTime"]["millis"] == 2 * H
    assert done["breachTime"]["epochMillis"] == 11 * H
    assert done["stopTime"]["epochMillis"] == 5 * H
    assert done["breached"] is False
    running = resolution["ongoingCycle"]
    assert running["startTime"]["epochMillis"] == 10 * H
    assert running["elapsedTime"]["millis"] == 10 * H
    assert running["breachTime"]["epochMillis"] == 18 * H
    assert running["breached"] is True
    assert running["remainingTime"]["millis"] == -2 * H
    (answered,) = response["completedCycles"]
    assert answered["elapsedTime"]["millis"] == H // 2
    assert "ongoingCycle" not in response


def test_a_clock_breaches_by_time_alone() -> None:
    before, after = (request_slas("1", [(0, words.OPEN)], now_ms=now)[0]["ongoingCycle"] for now in (4 * H, 4 * H + 1))
    assert (before["breached"], after["breached"]) == (False, True)
    assert before["breachTime"] == after["breachTime"] == {"epochMillis": 4 * H}


def test_changes_have_no_clock(company: Company) -> None:
    state = open_site(company)
    shown = {issue.values["issuetype"]["id"]: slas_shown(state, issue) for issue in state.issues.values()}
    assert shown[words.CHANGE] == []
    assert [metric["name"] for metric in shown[words.INCIDENT]] == ["Time to resolution", "Time to first response"]
