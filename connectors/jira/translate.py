"""Turns raw Jira records into versions of mirror rows. Pure: a record, a contract and a moment in, versions out.

Decides what an issue, an approval and a service level clock mean. Order of versions: an issue by its `updated` in
milliseconds; approvals and clocks, which have no version of their own, by when they were observed; a move by when it
was made, and it never changes. A record that cannot be told apart or put in order is poison, with the reason; any other
doubt is noted on the version and the value stays None. Times UTC, durations in whole seconds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, NoReturn, TypeGuard

from connectors.jira.content import canonical, issue_content, lasting
from connectors.jira.contract import Contract
from connectors.jira.course import course_of, objects, paused_seconds
from connectors.jira.hooks import read_hook
from connectors.jira.issues import change_values, incident_values, satisfaction_values
from connectors.jira.moves import ENTITY as MOVES
from connectors.jira.moves import move, moves
from connectors.jira.reading import SOURCE_FIX, Reading, account_of, shown
from connectors.jira.times import milliseconds, moment
from connectors.source import Poison, Translator, Unreadable, Version, Whole
from engine.words import ApprovalState, IssueCode, MirrorKind, SlaStage, SlaTarget, Source
from schema.identity import mirror_id

Raw = Mapping[str, Any]
READ_TIME = frozenset({"elapsedTime", "remainingTime", "withinCalendarHours"})  # of a running clock
PAUSED_TIME = READ_TIME | {"breachTime"}  # a paused clock's breach moves with every look at it
MOST_KEY_CHARACTERS = 200
SETTLED = frozenset({"approved", "declined"})


def translator(contract: Contract) -> Translator:
    """How the mirror reads what this site delivers."""
    return Translator(partial(translate, contract), read_hook, wholes=wholes)


def translate(contract: Contract, entity: str, record: Raw, observed_at: datetime) -> list[Version]:
    """All versions that one raw record of `entity` speaks of; Poison when it speaks of none that can be used."""
    read = ENTITIES.get(entity)
    if read is None:
        raise Unreadable(f"{entity!r} is not read from Jira; only {', '.join(ENTITIES)} are.")
    return list(read(record, contract, observed_at))


def _refuse(key: Any, record: Raw, name: str, value: Any, what: str, fix: str = SOURCE_FIX) -> NoReturn:
    """`key` tells the record apart for people; a record without one is known by its content."""
    known = key if _plain(key) else f"unreadable-{sha256(canonical(record)).hexdigest()[:16]}"
    raise Poison(known, name, shown(value), what, fix)


def _plain(value: Any) -> TypeGuard[str]:
    """Text that can be part of a key."""
    return isinstance(value, str) and 0 < len(value) <= MOST_KEY_CHARACTERS and value.isprintable()


def _issue(record: Raw, contract: Contract, observed_at: datetime) -> Iterator[Version]:
    key, fields = record.get("id"), record.get("fields")
    if not _plain(key) or not isinstance(fields, dict):
        _refuse(key, record, "id", key, "The issue has no id or no fields.")
    updated = moment(fields.get("updated"))
    if updated is None:
        _refuse(key, record, "updated", fields.get("updated"), "Without `updated` its versions have no order.")
    reading = Reading()
    kind = reading.required("issuetype", reading.numbered("issuetype", fields.get("issuetype"), contract.kinds))
    if kind is None:
        issue = reading.noted()[0]
        _refuse(key, record, issue.field, issue.value, issue.what, issue.fix)
    number = milliseconds(updated)
    payload = issue_content(record)
    values = ISSUES[kind](record, contract, reading)
    yield Version(Source.JIRA, "issue", key, kind, number, updated, payload, values, reading.noted())
    reading = Reading()
    answer = satisfaction_values(record, reading) if kind is MirrorKind.INCIDENT else None
    if answer is not None:
        entity, kind = "issue_satisfaction", MirrorKind.CSAT_RESPONSE
        yield Version(Source.JIRA, entity, key, kind, number, updated, payload, answer, reading.noted())
    yield from moves(record, key)


def _move(record: Raw, contract: Contract, observed_at: datetime) -> Iterator[Version]:
    """What was kept of one move; the site itself tells of moves with their issue."""
    version = move(record)
    if version is None:
        _refuse(None, record, "created", record.get("created"), "The move has no issue, no id or no time.")
    yield version


def _approval(record: Raw, contract: Contract, observed_at: datetime) -> Iterator[Version]:
    """One version per approver. Who did not answer before the approval was settled decided nothing."""
    issue_id, approval = record.get("issueId"), record.get("approval")
    if not (_plain(issue_id) and isinstance(approval, dict) and isinstance(approval.get("approvers"), list)):
        _refuse(None, record, "approval", approval, "The approval has not the known form.")
    if not _plain(approval.get("id")):
        _refuse(None, record, "id", approval.get("id"), "The approval has no id.")
    name = f"{issue_id}:{approval['id']}"
    settled = str(approval.get("finalDecision")) in SETTLED
    about = {key: value for key, value in approval.items() if key != "approvers"}
    for answer in approval["approvers"]:
        user = _held(answer, "approver")
        account = account_of(user)
        if not _plain(account):
            _refuse(name, record, "approver", answer, "An approver has no account.")
        reading, said = Reading(), answer.get("approverDecision")
        state = reading.required("decision", reading.mapped("decision", said, said, contract.decisions))
        if state is ApprovalState.REQUESTED and settled:
            state = ApprovalState.NOT_REQUIRED
        person = reading.person("approver", user, contract.people)
        values = {
            "change_id": mirror_id(Source.JIRA, "issue", issue_id),
            "approver_id": mirror_id(Source.SERVICENOW, "sys_user", person),
            "state": state,
            "source_state": reading.text("decision", said),
            "acted_by": None,
        }
        content = {"issueId": issue_id, "approval": lasting(about), "answer": lasting(answer)}
        kind = MirrorKind.CHANGE_APPROVAL
        yield _observed("request_approval", f"{name}:{account}", kind, content, values, reading, observed_at)


def _sla(record: Raw, contract: Contract, observed_at: datetime) -> Iterator[Version]:
    """One version per cycle of a clock; a cycle is known by its start, running or completed."""
    if "clocks" in record:  # which clocks there are, and nothing of what they show
        return
    issue_id, metric = record.get("issueId"), record.get("metric")
    if not (_plain(issue_id) and isinstance(metric, dict) and _plain(metric.get("id"))):
        _refuse(None, record, "metric", metric, "The clock has not the known form.")
    name, completed, running = (
        f"{issue_id}:{metric['id']}",
        metric.get("completedCycles") or [],
        metric.get("ongoingCycle"),
    )
    if not isinstance(completed, list):
        _refuse(name, record, "completedCycles", completed, "The clock's cycles are not a list.")
    for cycle in [*completed, *([] if running is None else [running])]:
        started_at = _point(cycle, "startTime")
        if not isinstance(cycle, dict) or started_at is None:
            _refuse(name, record, "startTime", cycle, "A cycle of the clock has no start.")
        reading = Reading()
        meaning = reading.mapped("metric", metric["id"], metric.get("name"), contract.slas)
        told = _cycle_values(cycle, started_at, cycle is running, reading)
        if meaning is not None and meaning.target is SlaTarget.RESOLUTION:
            told["business_pause_seconds"] = _paused(record, contract, told["ended_at"], reading)
        values = {
            "task_id": mirror_id(Source.JIRA, "issue", issue_id),
            "definition_id": None,
            "sla_type": meaning.sla_type if meaning else None,
            "target": meaning.target if meaning else None,
            "vendor_id": mirror_id(Source.SERVICENOW, "core_company", meaning.vendor) if meaning else None,
            **told,
        }
        about = {name: value for name, value in record.items() if name != "metric"}
        about |= {"id": metric["id"], "name": metric.get("name")}
        content = {**about, "cycle": _lasting(cycle) if cycle is running else cycle}
        key = f"{name}:{milliseconds(started_at)}"
        yield _observed("request_sla", key, MirrorKind.TASK_SLA, content, values, reading, observed_at)


def _lasting(running: Any) -> dict[str, Any]:
    """What of a running cycle does not change by looking at it again."""
    calculated = PAUSED_TIME if running.get("paused") is True else READ_TIME
    return {name: value for name, value in running.items() if name not in calculated}


def _cycle_values(cycle: Raw, started_at: datetime, running: bool, reading: Reading) -> dict[str, Any]:
    """What one cycle tells. Business time is the clock's own, known once it has stopped."""
    ended_at = None if running else reading.required("stopTime", _point(cycle, "stopTime"))
    if ended_at is not None and ended_at < started_at:
        reading.note(IssueCode.TIME_ORDER, "stopTime", ended_at, "The clock stopped before it started.")
        ended_at = None
    breached = cycle.get("breached")
    if not isinstance(breached, bool):
        reading.note(IssueCode.MALFORMED, "breached", breached, "The clock does not say whether it breached.")
        breached = None
    elapsed = _held(cycle.get("elapsedTime"), "millis")
    paused = running and cycle.get("paused") is True
    stage = SlaStage.PAUSED if paused else SlaStage.IN_PROGRESS
    return {
        "stage": stage if running else SlaStage.COMPLETED,
        "has_breached": breached,
        "started_at": started_at,
        "ended_at": ended_at,
        "planned_end_at": None if paused else _point(cycle, "breachTime"),
        "business_seconds": elapsed // 1000 if isinstance(elapsed, int) and not running else None,
        "business_pause_seconds": None,
    }


def _paused(record: Raw, contract: Contract, ended_at: datetime | None, reading: Reading) -> int | None:
    """Business time from the issue's opening to this stop of its resolution clock in which nobody was to work.

    It counts from the opening, so the last stop of a reopened issue carries all of it, the gaps between cycles too.
    """
    if ended_at is None:
        return None
    kind = reading.required("issuetype", reading.numbered("issuetype", record.get("issuetype"), contract.kinds))
    if kind is None:
        return None
    course = course_of(record, contract.states[kind], reading)
    return paused_seconds(contract.calendar, course, ended_at, reading)


def wholes(entity: str, record: Raw) -> Iterator[Whole]:
    """What a record tells completely: an issue its approvals with their approvers or its clocks, a clock its cycles."""
    issue_id, approvals = record.get("id"), record.get("approvals")
    if entity == "issue" and _plain(issue_id) and isinstance(approvals, list):
        keys = [
            f"{issue_id}:{approval.get('id')}:{account_of(_held(answer, 'approver'))}"
            for approval in objects(approvals)
            for answer in objects(approval.get("approvers"))
        ]
        yield Whole(Source.JIRA, "request_approval", f"{issue_id}:", frozenset(keys))
    issue_id, metric = record.get("issueId"), record.get("metric")
    if entity == "request_sla" and _plain(issue_id) and isinstance(metric, dict) and _plain(metric.get("id")):
        cycles = clock_keys(issue_id, [metric])
        if cycles is not None:
            yield Whole(Source.JIRA, "request_sla", f"{issue_id}:{metric['id']}:", frozenset(cycles))
    clocks = record.get("clocks")
    if entity == "request_sla" and _plain(issue_id) and isinstance(clocks, list):
        yield Whole(Source.JIRA, "request_sla", f"{issue_id}:", frozenset(clocks))


def clock_keys(issue_id: str, metrics: Sequence[Any]) -> list[str] | None:
    """The keys of every cycle of these clocks of an issue, in order; None where one of them cannot be told."""
    keys = []
    for metric in metrics:
        if not (_plain(_held(metric, "id")) and isinstance(metric.get("completedCycles") or [], list)):
            return None
        starts = [_point(cycle, "startTime") for cycle in cycles_of(metric)]
        keys += [f"{issue_id}:{metric['id']}:{milliseconds(start)}" for start in starts if start is not None]
        if None in starts:
            return None
    return sorted(keys)


def cycles_of(metric: Raw) -> list[Any]:
    """Completed cycles, and the running one."""
    completed, running = metric.get("completedCycles"), metric.get("ongoingCycle")
    return [*(completed if isinstance(completed, list) else ()), *([] if running is None else [running])]


def _held(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, dict) else None


def _point(cycle: Any, name: str) -> datetime | None:
    return moment(_held(_held(cycle, name), "epochMillis"))


def _observed(
    entity: str, key: str, kind: MirrorKind, content: Raw, values: Raw, reading: Reading, observed_at: datetime
) -> Version:
    number = milliseconds(observed_at)
    return Version(
        Source.JIRA, entity, key, kind, number, observed_at, canonical(content), values, reading.noted(), True
    )


ENTITIES: Mapping[str, Callable[[Raw, Contract, datetime], Iterator[Version]]] = {
    "issue": _issue,
    MOVES: _move,
    "request_approval": _approval,
    "request_sla": _sla,
}
ISSUES: Mapping[MirrorKind, Callable[[Raw, Contract, Reading], dict[str, Any]]] = {
    MirrorKind.INCIDENT: incident_values,
    MirrorKind.CHANGE: change_values,
}
