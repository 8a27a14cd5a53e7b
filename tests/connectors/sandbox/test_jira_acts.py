"""What people do on the imitated site leaves its traces: values, changelog, stamps, clocks, approvals."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from connectors.sandbox import jira_words as words
from connectors.sandbox.company_small import small_company
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_crowd import UNUSUAL, USUAL, next_act
from connectors.sandbox.jira_shapes import approvals_shown, slas_shown
from connectors.sandbox.jira_small import small_site
from connectors.sandbox.jira_state import JiraState, SandboxIssue
from connectors.sandbox.jira_truth import jira_truth
from engine.refusal import Refused
from tests.connectors.sandbox.small_jira import HOUR_MS, MINUTE_MS, company, order, site


def one(state: JiraState, status: str) -> SandboxIssue:
    return next(issue for issue in state.issues.values() if issue.values["status"]["id"] == status)


def test_the_small_project_has_everything_and_follows_from_its_seed() -> None:
    state = site()
    assert len(state.issues) == 25
    assert {issue.values["status"]["id"] for issue in state.issues.values()} == set(words.STATUSES)
    decided = Counter(a["finalDecision"] for issue in state.issues.values() for a in issue.approvals)
    assert decided == {"approved": 4, "declined": 1, "pending": 1}
    clocks = [slas_shown(state, issue) for issue in state.issues.values()]
    cycles = [cycle for metrics in clocks for metric in metrics for cycle in metric["completedCycles"]]
    assert {cycle["breached"] for cycle in cycles} == {True, False}
    assert max(len(metric["completedCycles"]) for metrics in clocks for metric in metrics) == 2
    assert sum("ongoingCycle" in metric for metrics in clocks for metric in metrics) > 5
    assert any(
        m["ongoingCycle"]["paused"] for ms in clocks for m in ms if "ongoingCycle" in m and m["name"].endswith("tion")
    )
    assert all(edit.at_ms < state.now_ms for issue in state.issues.values() for edit in issue.history)
    assert jira_truth(site()) == jira_truth(state)
    assert jira_truth(small_site(small_company(4, "x")[0])) != jira_truth(state)


@pytest.mark.parametrize(
    ("status", "done", "changed", "entries", "stamped"),
    [
        (words.OPEN, {"op": "edit", "fields": {"priority": "High"}}, {"priority": words.PRIORITIES["2"]}, 1, True),
        (words.OPEN, {"op": "edit", "fields": {"labels": ["a", "b"]}}, {"labels": ["a", "b"]}, 1, True),
        (words.OPEN, {"op": "transition", "status": "Resolved"}, {"resolution": words.RESOLUTIONS["10000"]}, 1, True),
        (words.RESOLVED, {"op": "transition", "status": "3"}, {"resolution": None, "resolutiondate": None}, 1, True),
        (words.OPEN, {"op": "comment", "body": "Hello"}, {}, 0, True),
        (words.OPEN, {"op": "work", "seconds": 60}, {}, 0, True),
        (words.OPEN, {"op": "silent", "fields": {"summary": "never said"}}, {"summary": "never said"}, 0, False),
        (words.OPEN, {"op": "silent", "fields": {"status": "Closed"}}, {"status": words.STATUSES["6"]}, 0, False),
        (words.WAITING, {"op": "assign", "to": None}, {"assignee": None}, 1, True),
        (words.PLANNING, {"op": "ask"}, {"status": words.STATUSES[words.AT_CAB]}, 1, True),
        (words.OPEN, {"op": "move", "project": "ARC"}, {"project": words.ARCHIVE}, 1, True),
    ],
)
def test_an_act_leaves_its_traces(
    status: str, done: dict[str, Any], changed: dict[str, Any], entries: int, stamped: bool
) -> None:
    state = site()
    issue = one(state, status)
    state.advance(state.now_ms + HOUR_MS)
    before, history, at_ms = dict(issue.values), len(issue.history), state.now_ms
    answer = act(state, {"key": issue.key, **done})
    assert answer["key"] == issue.issue_id
    assert {name: issue.values[name] for name in changed} == changed
    assert len(issue.history) - history == entries
    assert issue.values["updated"] == (at_ms if stamped else before["updated"])
    assert len(state.queue) == (stamped and 1)
    if entries:
        numbers = [int(edit.edit_id[5:]) for edit in issue.history]
        assert numbers == sorted(numbers)


def test_a_moved_issue_keeps_its_id_and_answers_to_both_keys() -> None:
    state = site()
    issue = one(state, words.OPEN)
    key = issue.key
    act(state, {"op": "move", "key": key, "project": "ARC"})
    assert (issue.key, issue.issue_id) == ("ARC-1", state.ids_by_key[key])
    assert state.find(key) is state.find("ARC-1") is issue
    assert [item["toString"] for item in issue.history[-1].items] == ["Archive", "ARC-1"]
    created = act(state, {"op": "create", "project": "OPS"})
    assert created["issue_key"] == "OPS-26"  # a key that has been given is not given again


def test_a_deleted_issue_is_gone_for_good_and_its_number_too() -> None:
    state = site()
    act(state, {"op": "delete", "key": "OPS-25"})
    assert state.find("OPS-25") is None
    assert "20025" in jira_truth(state)["gone"]
    created = act(state, {"op": "create", "type": "change", "fields": {"summary": "Next"}})
    assert (created["key"], created["issue_key"]) == ("20026", "OPS-26")


def test_approvers_answer_until_it_is_settled_and_the_silent_stay_pending() -> None:
    state = site()
    issue = one(state, words.AT_CAB)
    (asked,) = approvals_shown(state, issue)
    accounts = [entry["approver"]["accountId"] for entry in asked["approvers"]]
    assert [entry["approverDecision"] for entry in asked["approvers"]] == ["pending"] * 3
    act(state, {"op": "answer", "key": issue.key, "by": accounts[1]})
    assert approvals_shown(state, issue)[0]["finalDecision"] == "pending"
    with pytest.raises(Refused, match="no answer to give"):
        act(state, {"op": "answer", "key": issue.key, "by": accounts[1]})
    state.advance(state.now_ms + HOUR_MS)
    act(state, {"op": "answer", "key": issue.key, "by": accounts[2]})
    (settled,) = approvals_shown(state, issue)
    assert settled["finalDecision"] == "approved"
    assert settled["completedDate"]["epochMillis"] - settled["createdDate"]["epochMillis"] > HOUR_MS
    assert [e["approverDecision"] for e in settled["approvers"]] == ["pending", "approved", "approved"]
    assert issue.values["status"]["id"] == words.APPROVED


def test_one_no_declines_a_change() -> None:
    state = site()
    issue = one(state, words.AT_CAB)
    act(state, {"op": "answer", "key": issue.key, "decision": "decline"})
    assert issue.values["status"]["id"] == words.DECLINED
    assert issue.approvals[-1]["finalDecision"] == "declined"


def test_a_clock_breaches_by_itself_and_a_reopening_starts_another() -> None:
    state = site()
    created = act(state, {"op": "create", "fields": {"priority": "Highest"}})
    issue = state.issues[created["key"]]
    updated = issue.values["updated"]
    state.advance(state.now_ms + 5 * HOUR_MS)
    running = slas_shown(state, issue)[0]["ongoingCycle"]
    assert (running["breached"], running["remainingTime"]["millis"] < -59 * MINUTE_MS) == (True, True)
    assert issue.values["updated"] == updated
    for status in ("Resolved", "In progress"):
        act(state, {"op": "transition", "key": issue.key, "status": status})
        state.advance(state.now_ms + HOUR_MS)
    resolution = slas_shown(state, issue)[0]
    assert len(resolution["completedCycles"]) == 1
    assert resolution["ongoingCycle"]["breached"] is False


def test_new_goals_leave_completed_cycles_alone_until_somebody_rebuilds_them() -> None:
    state = site()
    issue = state.issues["20001"]  # highest, resolved within two hours

    def cycle() -> tuple[int, bool]:
        done = slas_shown(state, issue)[0]["completedCycles"][0]
        return done["goalDuration"]["millis"], done["breached"]

    assert cycle() == (4 * HOUR_MS, False)
    act(state, {"op": "goals", "goals": {"12": {"1": 60}}})
    assert cycle() == (4 * HOUR_MS, False)
    created = act(state, {"op": "create", "fields": {"priority": "1"}})
    running = slas_shown(state, state.issues[created["key"]])[0]["ongoingCycle"]
    assert running["goalDuration"]["millis"] == HOUR_MS
    act(state, {"op": "rebuild"})
    assert cycle() == (HOUR_MS, True)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ({"op": "fly"}, "Nobody can fly"),
        ({"op": "edit", "key": "OPS-99"}, "no issue OPS-99"),
        ({"op": "edit", "key": "OPS-1", "by": "nobody"}, "no user nobody"),
        ({"op": "edit", "key": "OPS-1", "fields": {"status": "Open"}}, "does not change the status"),
        ({"op": "edit", "key": "OPS-1", "fields": {"colour": "red"}}, "Nobody can set colour"),
        ({"op": "edit", "key": "OPS-1", "fields": {"priority": "Extreme"}}, "no priority Extreme"),
        ({"op": "transition", "key": "OPS-1", "status": "Planning"}, "cannot become Planning"),
        ({"op": "create", "type": "poem"}, "no issue type poem"),
        ({"op": "move", "key": "OPS-1", "project": "OPS"}, "in OPS already"),
        ({"op": "move", "key": "OPS-1", "project": "XYZ"}, "no project XYZ"),
        ({"op": "ask", "key": "OPS-1"}, "is no change"),
        ({"op": "answer", "key": "OPS-1"}, "Nobody can"),
        ({"op": "delete_comment", "key": "OPS-9"}, "has no comment"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(done: dict[str, Any], said: str) -> None:
    state = site()
    before = jira_truth(state)
    with pytest.raises(Refused, match=said):
        act(state, done)
    assert jira_truth(state) == before


def test_a_crowd_acts_the_same_for_the_same_dice() -> None:
    def busy_day(dice: Random) -> JiraState:
        state = site()
        for _ in range(120):
            act(state, next_act(state, dice, USUAL | UNUSUAL))
            state.advance(state.now_ms + MINUTE_MS)
        return state

    first, again, other = busy_day(Random(1)), busy_day(Random(1)), busy_day(Random(2))
    assert jira_truth(first) == jira_truth(again) != jira_truth(other)
    assert [sending.body for sending in first.queue] == [sending.body for sending in again.queue]
    assert len(first.gone) > 0
    stamps = [issue.values["updated"] for issue in first.issues.values()]
    assert len(set(stamps)) == len(stamps)


def test_the_truth_is_the_same_whatever_the_reader_suffers() -> None:
    state = site()
    before = jira_truth(state)
    for name, params in (("account_zone", {"zone": "Pacific/Apia"}), ("acl_fields", {"fields": ["status"]}),
                         ("permission_loss", {"project": "OPS"}), ("missing_updated", {})):  # fmt: skip
        order(state, name, params=params)
    assert jira_truth(state) == before
    assert state.standing("missing_updated") is not None
    whole = before["issue"]["20001"]
    assert set(whole) >= {"fields", "changelog", "approvals", "sla", "comments"}
    assert whole["fields"]["comment"]["total"] == len(whole["comments"]) == 1
    assert whole["fields"]["timespent"] == 5400


def test_people_of_data_center_have_keys_and_logins() -> None:
    state = site("dc")
    person = next(iter(state.people.values()))
    assert person.shown() == {
        "key": person.account_id, "name": person.login, "displayName": person.name, "emailAddress": person.email,
        "active": True,
    }  # fmt: skip
    act(state, {"op": "assign", "key": "OPS-1", "to": person.login})
    assert state.issues["20001"].values["assignee"] == person.account_id
    entry = jira_truth(state)["issue"]["20001"]["changelog"][-1]
    assert set(entry["author"]) == {"key", "name"}
    assert entry["items"][0]["toString"] == person.name
    assert len(company().tables["sys_user"]) >= len(state.people)
