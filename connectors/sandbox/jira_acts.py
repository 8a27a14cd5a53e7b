"""What people do on the imitated Jira site when they are told to: each act with its trace, its webhooks and its time.

    {"op", "key", "by", ...}    `key`: an issue's key or id; `by`: an account, else the assignee or whoever comes first

    create      {"type": incident | change, "fields", "project"}         edit        {"fields"}
    transition  {"status", "fields"}                                     assign      {"to"}; null takes it away
    comment     {"body", "public"}                                       edit_comment, delete_comment {"comment"}
    work        {"seconds"}                                              delete_work {"worklog"}
    ask         {"approvers", "needed"}                                  answer      {"decision": approve | decline}
    move        {"project"}                                              delete
    silent      {"fields"}: content alone, no stamp, no changelog, no event
    goals       {"goals": metric -> priority -> minutes}                 rebuild     all cycles with today's goals
    withdraw    {"metric"}: no request has this clock any more, and no stamp moves

`fields` take the site's field ids or the words in `NAMES`; options, priorities and statuses by id or name, people by
account, times in milliseconds. Refuses what it does not know, before anything happens.
"""

from collections.abc import Callable, Mapping
from typing import Any

from connectors.sandbox import jira_edits as edits
from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_lives import option
from connectors.sandbox.jira_shapes import PEOPLE_FIELDS
from connectors.sandbox.jira_sla import STANDARD, rebuilt
from connectors.sandbox.jira_state import JiraState, SandboxIssue
from engine.refusal import Code, Refused

Order = Mapping[str, Any]
NAMES = {
    "service": words.SERVICE, "team": words.TEAM, "satisfaction": words.SATISFACTION,
    "change_type": words.CHANGE_TYPE, "outcome": words.OUTCOME, "planned_start": words.PLANNED_START,
    "planned_end": words.PLANNED_END, "actual_start": words.ACTUAL_START, "actual_end": words.ACTUAL_END,
}  # fmt: skip
PLAIN = frozenset({"summary", "description", "labels", "duedate", "components", "fixVersions", "issuelinks", "parent"})
OPTIONS = frozenset({words.SERVICE, words.TEAM, words.CHANGE_TYPE, words.OUTCOME})
TYPES = {"incident": words.INCIDENT, "change": words.CHANGE}
DECISIONS = {"approve": "approved", "decline": "declined"}
LISTS: dict[str, Mapping[str, Mapping[str, Any]]] = {
    "priority": words.PRIORITIES, "status": words.STATUSES, "resolution": words.RESOLUTIONS,
    "issuetype": words.ISSUE_TYPES,
}  # fmt: skip


def refused(what: str, fix: str) -> Refused:
    return Refused(Code.BAD_INPUT, what, fix)


def act(state: JiraState, order: Order) -> dict[str, Any]:
    """Let one act happen; says which issue it concerned."""
    name = str(order.get("op"))
    if name not in OPS:
        raise refused(f"Nobody can {name} in Jira.", f"Use one of {', '.join(sorted(OPS))}.")
    issue = OPS[name](state, order)
    if issue is None:
        return {"table": "issue", "key": ""}
    return {"table": "issue", "key": issue.issue_id, "issue_key": issue.key, "updated_ms": issue.values["updated"]}


def _issue(state: JiraState, order: Order) -> SandboxIssue:
    issue = state.find(str(order.get("key")))
    if issue is None:
        raise refused(f"Jira has no issue {order.get('key')}.", "Name one by key or id.")
    return issue


def _person(state: JiraState, account: Any) -> str:
    if account in state.people:
        return str(account)
    for person in state.people.values():
        if account and account in (person.login, person.email):
            return person.account_id
    raise refused(f"Jira has no user {account}.", "Name one by account, login or e-mail address.")


def _by(state: JiraState, order: Order, issue: SandboxIssue | None = None) -> str:
    if order.get("by"):
        return _person(state, order["by"])
    usual = issue.values.get("assignee") or issue.values.get("reporter") if issue else None
    return str(usual or next(iter(state.people)))


def _one_of(table: Mapping[str, Mapping[str, Any]], wanted: Any, name: str) -> Mapping[str, Any]:
    for number, entry in table.items():
        if str(wanted).lower() in (number, str(entry["name"]).lower()):
            return entry
    raise refused(f"Jira has no {name} {wanted}.", f"Use one of {', '.join(str(e['name']) for e in table.values())}.")


def _value(state: JiraState, name: str, value: Any) -> Any:
    if value is None or name in PLAIN or name in words.TIME_FIELDS:
        return value
    if name in LISTS:
        return dict(_one_of(LISTS[name], value, name))
    if name in OPTIONS:
        return option(str(value))
    if name in PEOPLE_FIELDS:
        return _person(state, value)
    if name == words.SATISFACTION:
        return float(value)
    raise refused(f"Nobody can set {name}.", f"Use field ids or {', '.join(NAMES)}.")


def _fields(state: JiraState, order: Order) -> dict[str, Any]:
    asked: dict[str, Any] = dict(order.get("fields") or {})
    given = {NAMES.get(name, name): value for name, value in asked.items()}
    return {name: _value(state, name, value) for name, value in given.items()}


def _project(state: JiraState, wanted: Any) -> Mapping[str, Any]:
    for project in state.projects.values():
        if wanted in (project["id"], project["key"]):
            return project
    raise refused(f"Jira has no project {wanted}.", "Name one by key or id.")


def _create(state: JiraState, order: Order) -> SandboxIssue:
    kind = TYPES.get(str(order.get("type", "incident")))
    if kind is None:
        raise refused(f"Jira has no issue type {order.get('type')}.", "Use incident or change.")
    by = _by(state, order)
    usual: dict[str, Any] = {
        "summary": "Something is wrong", "description": "Told by telephone.", "issuetype": words.ISSUE_TYPES[kind],
        "status": words.STATUSES[words.WORKFLOWS[kind][0]], "priority": words.PRIORITIES["3"], "resolution": None,
        "resolutiondate": None, "assignee": None, "reporter": by, "labels": [],
        words.SERVICE: option(next(iter(state.services), "none")), words.TEAM: option(next(iter(state.teams), "none")),
    }  # fmt: skip
    more = (words.SATISFACTION,) if kind == words.INCIDENT else (words.OUTCOME, words.ACTUAL_START, words.ACTUAL_END)
    if kind == words.CHANGE:
        day_ms = 86_400_000
        usual |= {words.CHANGE_TYPE: option("Normal"), words.PLANNED_START: state.now_ms + day_ms}
        usual |= {words.PLANNED_END: state.now_ms + day_ms + day_ms // 12}
    project = _project(state, order.get("project", words.PROJECT["key"]))
    return edits.create(state, by, usual | dict.fromkeys(more) | _fields(state, order), project)


def _edit(state: JiraState, order: Order) -> SandboxIssue:
    issue, fields = _issue(state, order), _fields(state, order)
    if "status" in fields:
        raise refused("An edit does not change the status.", "Use a transition.")
    edits.change(state, issue, _by(state, order, issue), fields)
    return issue


def _silent(state: JiraState, order: Order) -> SandboxIssue:
    issue = _issue(state, order)
    edits.change(state, issue, _by(state, order, issue), _fields(state, order), silent=True)
    return issue


def _transition(state: JiraState, order: Order) -> SandboxIssue:
    issue, fields = _issue(state, order), _fields(state, order)
    status = str(_one_of(words.STATUSES, order.get("status"), "status")["id"])
    if status not in words.WORKFLOWS[issue.values["issuetype"]["id"]]:
        raise refused(f"{issue.key} cannot become {order.get('status')}.", "Use a status of its workflow.")
    edits.move_status(state, issue, _by(state, order, issue), status, fields)
    return issue


def _assign(state: JiraState, order: Order) -> SandboxIssue:
    issue, to = _issue(state, order), order.get("to")
    edits.change(state, issue, _by(state, order, issue), {"assignee": None if to is None else _person(state, to)})
    return issue


def _comment(state: JiraState, order: Order) -> SandboxIssue:
    issue = _issue(state, order)
    body, public = order.get("body", "Seen."), bool(order.get("public", True))
    edits.comment(state, issue, _by(state, order, issue), body, {}, public)
    return issue


def _held(issue: SandboxIssue, kept: list[dict[str, Any]], number: Any, what: str) -> dict[str, Any]:
    """The record with this number, or the newest."""
    found = [one for one in kept if number in (None, one["id"])]
    if not found:
        raise refused(f"{issue.key} has no {what} {number or ''}.", f"Add a {what} first, or name one by its id.")
    return found[-1]


def _edit_comment(state: JiraState, order: Order) -> SandboxIssue:
    issue = _issue(state, order)
    held = _held(issue, issue.comments, order.get("comment"), "comment")
    edits.rewrite_comment(state, issue, held, order.get("body", "Seen again."), _by(state, order, issue))
    return issue


def _delete_comment(state: JiraState, order: Order) -> SandboxIssue:
    issue = _issue(state, order)
    held = _held(issue, issue.comments, order.get("comment"), "comment")
    edits.remove_comment(state, issue, held, _by(state, order, issue))
    return issue


def _work(state: JiraState, order: Order) -> SandboxIssue:
    issue = _issue(state, order)
    edits.log_work(state, issue, _by(state, order, issue), int(order.get("seconds", 1800)))
    return issue


def _delete_work(state: JiraState, order: Order) -> SandboxIssue:
    issue = _issue(state, order)
    held = _held(issue, issue.worklogs, order.get("worklog"), "worklog")
    edits.remove_worklog(state, issue, held, _by(state, order, issue))
    return issue


def _delete(state: JiraState, order: Order) -> SandboxIssue:
    issue = _issue(state, order)
    edits.delete(state, issue, _by(state, order, issue))
    return issue


def _move(state: JiraState, order: Order) -> SandboxIssue:
    issue, project = _issue(state, order), _project(state, order.get("project"))
    if project["id"] == issue.values["project"]["id"]:
        raise refused(f"{issue.key} is in {project['key']} already.", "Name another project.")
    edits.move_project(state, issue, _by(state, order, issue), project)
    return issue


def _ask(state: JiraState, order: Order) -> SandboxIssue:
    """A change goes before its approvers and waits for them."""
    issue = _issue(state, order)
    if issue.values["issuetype"]["id"] != words.CHANGE:
        raise refused(f"{issue.key} is no change.", "Ask for the approval of a change.")
    approvers = [_person(state, account) for account in order.get("approvers") or list(state.people)[:3]]
    asked = {
        "id": str(state.next_number()), "name": "Waiting for CAB", "finalDecision": "pending",
        "createdMs": state.now_ms, "completedMs": None, "needed": int(order.get("needed", 2)),
        "approvers": [(account, "pending") for account in approvers],
    }  # fmt: skip
    edits.move_status(state, issue, _by(state, order, issue), words.AT_CAB, {}, [*issue.approvals, asked])
    return issue


def _answer(state: JiraState, order: Order) -> SandboxIssue:
    """One approver answers; enough yes or a single no settles it, and who was silent stays pending."""
    issue, decision = _issue(state, order), DECISIONS.get(str(order.get("decision", "approve")))
    asked = next((one for one in issue.approvals if one["finalDecision"] == "pending"), None)
    if decision is None or asked is None:
        raise refused(
            f"Nobody can {order.get('decision')} {issue.key} now.", "Ask for an approval, approve or decline."
        )
    silent = [account for account, given in asked["approvers"] if given == "pending"]
    by = _person(state, order["by"]) if order.get("by") else next(iter(silent), "")
    if by not in silent:
        raise refused(f"{by} has no answer to give to {issue.key}.", "Name an approver who has not answered.")
    answers = [(account, decision if account == by else given) for account, given in asked["approvers"]]
    given = [verdict for _, verdict in answers].count(decision)
    settled = decision == "declined" or given >= min(asked.get("needed", 2), len(answers))
    after = {**asked, "approvers": answers}
    if settled:
        after |= {"finalDecision": decision, "completedMs": state.now_ms}
    edits.change(state, issue, by, {}, [after if one is asked else one for one in issue.approvals])
    if settled and issue.values["status"]["id"] == words.AT_CAB:
        edits.move_status(state, issue, by, words.APPROVED if decision == "approved" else words.DECLINED, {})
    return issue


def _goals(state: JiraState, order: Order) -> None:
    """New goals count from now on: running cycles have them, completed ones keep theirs."""
    state.goals.append((state.now_ms, dict(order["goals"])))


def _rebuild(state: JiraState, order: Order) -> None:
    """An administrator has all cycles computed anew, with the goals of today."""
    if order.get("goals"):
        _goals(state, order)
    state.goals[:] = rebuilt(state.goals)


def _withdraw(state: JiraState, order: Order) -> None:
    """An administrator deletes a clock of the desk, with all that it ever counted."""
    if order.get("metric") not in STANDARD:
        raise refused(f"{order.get('metric')} is no clock.", f"Use one of {', '.join(STANDARD)}.")
    state.withdrawn.add(str(order["metric"]))


OPS: dict[str, Callable[[JiraState, Order], SandboxIssue | None]] = {
    "create": _create, "insert": _create, "edit": _edit, "update": _edit, "transition": _transition,
    "assign": _assign, "comment": _comment, "edit_comment": _edit_comment, "delete_comment": _delete_comment,
    "work": _work, "delete_work": _delete_work, "delete": _delete, "move": _move, "ask": _ask, "answer": _answer,
    "silent": _silent, "goals": _goals, "rebuild": _rebuild, "withdraw": _withdraw,
}  # fmt: skip
