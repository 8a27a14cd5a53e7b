"""Rules of a data contract that one record alone can break, and the refusal of what is no rule."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from connectors.rules import Severity, Verdict, check, checking, read_terms
from connectors.source import Hook, Issue, Translator, Version
from engine.refusal import Code, Refused
from engine.words import IssueCode, MirrorKind, Source

UPDATED = datetime(2026, 3, 5, tzinfo=UTC)
OPENED = datetime(2026, 3, 4, 10, tzinfo=UTC)
RESOLVED = datetime(2026, 3, 4, 12, tzinfo=UTC)
GOOD = {"number": "INC1", "priority": 2, "opened_at": OPENED, "resolved_at": RESOLVED, "resolve_seconds": 7200}


def version(*issues: Issue, **values: Any) -> Version:
    given = {**GOOD, **values}
    return Version(Source.SERVICENOW, "incident", "a" * 32, MirrorKind.INCIDENT, 1, UPDATED, b"{}", given, issues)


def rules(*lines: str) -> Any:
    return read_terms("rules:\n  INCIDENT:\n" + "".join(f"    - {line}\n" for line in lines)).rules


@pytest.mark.capability("I7.1")
@pytest.mark.parametrize(
    ("rule", "broken", "code", "says"),
    [
        ("{check: REQUIRED, field: priority, severity: %s}", {"priority": None}, "REQUIRED_FIELD_MISSING", "priority"),
        ("{check: REQUIRED, field: number, severity: %s}", {"number": ""}, "REQUIRED_FIELD_MISSING", "number"),
        ("{check: RANGE, field: priority, least: 1, most: 5, severity: %s}", {"priority": 6}, "OUT_OF_RANGE",
         "at least 1 and at most 5"),
        ("{check: RANGE, field: opened_at, least: 2020-01-01, severity: %s}",
         {"opened_at": datetime(2019, 12, 31, tzinfo=UTC)}, "OUT_OF_RANGE", "at least 2020-01-01"),
        ("{check: TEMPORAL, field: resolved_at, not_before: opened_at, severity: %s}",
         {"opened_at": datetime(2026, 3, 4, 13, tzinfo=UTC)}, "TIME_ORDER", "before opened_at (2026-03-04 13:00:00)"),
        ("{check: TEMPORAL, field: resolved_at, not_after: version_at, severity: %s}",
         {"resolved_at": datetime(2026, 3, 6, tzinfo=UTC)}, "TIME_ORDER", "after the last change of the record"),
    ],
)  # fmt: skip
def test_a_rule_warns_or_rejects(rule: str, broken: dict[str, Any], code: str, says: str) -> None:
    for severity in Severity:
        held = rules(rule % severity)
        assert check(held, version()).verdict is Verdict.PASS
        assert check(held, version()).version.issues == ()
        found = check(held, version(**broken))
        assert found.verdict == severity
        (issue,) = found.version.issues
        assert issue.code == code
        assert says in issue.what
        assert issue.fix
        kept = found.version.values[issue.field]
        was = broken.get(issue.field, GOOD[issue.field])
        assert kept == (was if severity is Severity.WARN or was in ("", None) else None)


@pytest.mark.capability("I7.1")
def test_what_is_rejected_takes_with_it_what_was_computed_from_it() -> None:
    held = rules("{check: TEMPORAL, field: resolved_at, not_after: version_at, severity: REJECT}")
    found = check(held, version(resolved_at=datetime(2026, 3, 6, tzinfo=UTC))).version.values
    assert (found["resolved_at"], found["resolve_seconds"]) == (None, None)
    assert (found["opened_at"], found["number"]) == (OPENED, "INC1")


@pytest.mark.capability("I7.1")
def test_what_the_reader_lists_itself_counts_for_the_verdict() -> None:
    lost = Issue(IssueCode.UNMAPPED_SOURCE_VALUE, "state", "9", "unknown", "map it")
    doubtful = Issue(IssueCode.TIME_ORDER, "closed_at", "x", "early", "correct it")
    assert check({}, version(lost, doubtful)).verdict is Verdict.REJECT
    assert check({}, version(doubtful)).verdict is Verdict.WARN
    held = rules("{check: RANGE, field: priority, most: 1, severity: WARN}")
    assert check(held, version(lost)).verdict is Verdict.REJECT, "the worse one counts"


def test_an_unknown_value_breaks_no_rule_but_required() -> None:
    held = rules(
        "{check: RANGE, field: priority, most: 1, severity: REJECT}",
        "{check: TEMPORAL, field: resolved_at, not_before: opened_at, severity: REJECT}",
    )
    assert check(held, version(priority=None, opened_at=None)).verdict is Verdict.PASS


def test_a_translator_with_rules_gives_checked_versions_and_the_same_hooks() -> None:
    plain = Translator(lambda entity, record, at: [version(priority=9)], lambda body: Hook(note="hook"))
    assert checking(plain, {}) is plain
    assert checking(plain, rules("{check: UNIQUE, field: number, severity: WARN}")) is plain, "needs all records"
    held = checking(plain, rules("{check: RANGE, field: priority, most: 5, severity: REJECT}"))
    (found,) = held.translate("incident", {}, UPDATED)
    assert (found.values["priority"], [issue.code for issue in found.issues]) == (None, [IssueCode.OUT_OF_RANGE])
    assert held.read_hook({}).note == "hook"


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("rules: {INCIDENTS: []}", ("rules", "INCIDENTS"), "is not a kind of record"),
        ("rules: {INCIDENT: []}", ("rules", "INCIDENT"), "at least 1"),
        ("rules: {INCIDENT: [{check: EXISTS}]}", ("rules", "INCIDENT", "0", "check"), "not one of the words"),
        ("rules: {INCIDENT: [{check: REQUIRED, field: prio, severity: WARN}]}", ("rules", "INCIDENT", "0", "field"),
         "INCIDENT has no column 'prio'"),
        ("rules: {INCIDENT: [{check: REQUIRED, field: gone_at, severity: WARN}]}", ("rules", "INCIDENT", "0", "field"),
         "has no column"),
        ("rules: {INCIDENT: [{check: RANGE, field: state, least: 1, severity: WARN}]}",
         ("rules", "INCIDENT", "0", "field"), "cannot be held against state"),
        ("rules: {INCIDENT: [{check: RANGE, field: priority, severity: WARN}]}", ("rules", "INCIDENT", "0"), "bound"),
        ("rules: {INCIDENT: [{check: RANGE, field: priority, least: one, severity: WARN}]}",
         ("rules", "INCIDENT", "0", "least"), "no number"),
        ("rules: {INCIDENT: [{check: TEMPORAL, field: opened_at, not_before: priority, severity: WARN}]}",
         ("rules", "INCIDENT", "0", "not_before"), "cannot be held"),
        ("rules: {INCIDENT: [{check: UNIQUE, field: number, severity: REJECT}]}",
         ("rules", "INCIDENT", "0", "severity"), "cannot be left out"),
        ("rules: {INCIDENT: [{check: UNIQUE, field: number, severity: WARN, to: TEAM}]}",
         ("rules", "INCIDENT", "0", "to"), "not known here"),
        ("freshness: {minutes: 0}", ("freshness", "minutes"), "less than 1"),
        ("freshness: {days: 1, by: '25:00', time_zone: UTC}", ("freshness", "by"), "time of day"),
        ("freshness: {days: 1, by: '06:00', time_zone: Berlin}", ("freshness", "time_zone"), "not known"),
        ("completeness: 1.1", ("completeness",), "more than 1"),
        ("schedule: {poll_minutes: 5, polling: 3}", ("schedule", "polling"), "not known here"),
        ("schedule: {blackouts: [{days: [MONDAY], from: '02:00', to: '02:00', why: x}]}",
         ("schedule", "blackouts", "0"), "begins before it ends"),
        ("rules: [", (), "line 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_place(text: str, place: tuple[str, ...], says: str) -> None:
    with pytest.raises(Refused) as refused:
        read_terms(text)
    assert (refused.value.code, refused.value.field) == (Code.PLAN_INVALID, place)
    assert says in refused.value.what
    assert refused.value.fix


def test_a_document_without_terms_has_the_plain_ones() -> None:
    terms = read_terms("entities: {}")
    assert (terms.owner, str(terms.freshness), terms.completeness, terms.rules) == ("", "60 minutes", Fraction(1), {})
    apart = read_terms("freshness: {minutes: 5, entities: {task_sla: {days: 1, by: '06:00', time_zone: UTC}}}")
    assert str(apart.freshness_for("task_sla")) == "T+1 06:00 UTC"
    assert str(apart.freshness_for("incident")) == "5 minutes"
