"""People at work on the imitated Jira site: the next plausible act, drawn from what could be done now.

Decides how often each kind of act happens. The dice alone decide: the same dice on the same site act the same. Leaves
out deletions, moves and silent edits unless they are asked for, as most people may not do them.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_state import JiraState, SandboxIssue

Order = dict[str, Any]
USUAL = {"create": 2, "edit": 4, "transition": 8, "assign": 3, "comment": 4, "ask": 2, "answer": 3, "work": 1}
UNUSUAL = {"delete": 1, "move": 1, "silent": 1, "delete_comment": 1}


def next_act(state: JiraState, dice: Random, weights: Mapping[str, int] | None = None) -> Order:
    """One order for `jira_acts.act` that can be carried out."""
    weights = weights or USUAL
    while True:
        name = dice.choices(list(weights), list(weights.values()))[0]
        order = DRAWS[name](state, dice)
        if order is not None:
            return {"op": name, "by": dice.choice(sorted(state.people)), **order}


def _some(
    state: JiraState, dice: Random, fits: Callable[[SandboxIssue], object] = lambda _: True
) -> SandboxIssue | None:
    fitting = [issue for issue in state.issues.values() if fits(issue)]
    return dice.choice(fitting) if fitting else None


def _keyed(issue: SandboxIssue | None, **more: Any) -> Order | None:
    return None if issue is None else {"key": issue.issue_id, **more}


def _create(state: JiraState, dice: Random) -> Order:
    fields = {"priority": dice.choice("1234"), "summary": f"Case {dice.randrange(10_000)}"}
    return {"type": dice.choice(("incident", "incident", "change")), "fields": fields}


def _fields(dice: Random) -> Order:
    labels = sorted(dice.sample(("network", "mail", "portal", "vip"), dice.randrange(4)))
    name = dice.choice(("priority", "summary", "labels"))
    values = {"priority": dice.choice("1234"), "summary": f"Case {dice.randrange(10_000)}", "labels": labels}
    return {name: values[name]}


def _edit(state: JiraState, dice: Random) -> Order | None:
    return _keyed(_some(state, dice), fields=_fields(dice))


def _transition(state: JiraState, dice: Random) -> Order | None:
    issue = _some(state, dice)
    if issue is None:
        return None
    offered = [s for s in words.WORKFLOWS[issue.values["issuetype"]["id"]] if s != issue.values["status"]["id"]]
    return _keyed(issue, status=dice.choice([status for status in offered if status != words.AT_CAB]))


def _assign(state: JiraState, dice: Random) -> Order | None:
    return _keyed(_some(state, dice), to=dice.choice([None, *sorted(state.people)]))


def _comment(state: JiraState, dice: Random) -> Order | None:
    return _keyed(_some(state, dice), body=f"Seen, {dice.randrange(1000)}.", public=dice.random() < 0.7)


def _delete_comment(state: JiraState, dice: Random) -> Order | None:
    return _keyed(_some(state, dice, lambda issue: issue.comments))


def _work(state: JiraState, dice: Random) -> Order | None:
    return _keyed(_some(state, dice), seconds=60 * dice.randrange(1, 240))


def _ask(state: JiraState, dice: Random) -> Order | None:
    def planned(issue: SandboxIssue) -> bool:
        return str(issue.values["status"]["id"]) == words.PLANNING

    return _keyed(_some(state, dice, planned), approvers=dice.sample(sorted(state.people), 3))


def _awaited(issue: SandboxIssue) -> bool:
    return any(one["finalDecision"] == "pending" for one in issue.approvals)


def _answer(state: JiraState, dice: Random) -> Order | None:
    issue = _some(state, dice, _awaited)
    if issue is None:
        return None
    asked = next(one for one in issue.approvals if one["finalDecision"] == "pending")
    silent = [account for account, given in asked["approvers"] if given == "pending"]
    return _keyed(issue, by=dice.choice(silent), decision=dice.choice(("approve", "approve", "decline")))


def _move(state: JiraState, dice: Random) -> Order | None:
    issue = _some(state, dice)
    others = [p["key"] for p in state.projects.values() if issue and p["id"] != issue.values["project"]["id"]]
    return _keyed(issue, project=dice.choice(others)) if others else None


def _silent(state: JiraState, dice: Random) -> Order | None:
    return _keyed(_some(state, dice), fields=_fields(dice))


DRAWS: dict[str, Callable[[JiraState, Random], Order | None]] = {
    "create": _create, "edit": _edit, "transition": _transition, "assign": _assign, "comment": _comment,
    "delete_comment": _delete_comment, "work": _work, "ask": _ask, "answer": _answer, "move": _move,
    "silent": _silent, "delete": lambda state, dice: _keyed(_some(state, dice)),
}  # fmt: skip
