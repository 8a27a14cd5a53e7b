"""The part of a data contract that every source shares: owner, freshness, completeness, schedule, and rules on records.

Source: the same YAML document that names the tool's columns. A rule speaks of a column of our mirror. Those that one
record alone can break (required, range, temporal) are checked here, purely, while it is read; unique and reference
rules need all records and are checked in the database (connectors/crosscheck.py).
WARN keeps the value and lists it. REJECT takes the value out, with everything that was computed from it, and lists it:
it stays unknown and is never guessed. Refuses, with the place, what is not a rule or speaks of an unknown column.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from connectors.schedule import DAY_SECONDS, Blackout, Freshness, Schedule
from connectors.source import Issue, Translator, Version
from engine.documents import Place, read_document
from engine.words import IssueCode, MirrorKind, Weekday
from schema.tables.mirror import TYPED
from schema.typed import columns_of, may_be_unknown

TERMS = ("owner", "freshness", "completeness", "schedule", "rules")
VERSION_AT = "version_at"  # when the tool says that it last changed the record: may stand where a column does
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?")
_CLOCK = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
# What follows from a column and is worth nothing without it.
DERIVED: Mapping[MirrorKind, Mapping[str, tuple[str, ...]]] = {
    MirrorKind.INCIDENT: {"opened_at": ("resolve_seconds",), "resolved_at": ("resolve_seconds",)},
}


class RuleKind(StrEnum):
    REQUIRED = "REQUIRED"
    RANGE = "RANGE"
    TEMPORAL = "TEMPORAL"
    UNIQUE = "UNIQUE"
    REFERENCE = "REFERENCE"


class Severity(StrEnum):
    WARN = "WARN"
    REJECT = "REJECT"


class Verdict(StrEnum):
    """How a row came through: nothing to say, listed, or at least one value of it is not used."""

    PASS = "PASS"  # noqa: S105 - a verdict
    WARN = "WARN"
    REJECT = "REJECT"


# What a reader of a tool lists by itself: whether the value got lost by it.
FOUND_WHILE_READING: Mapping[IssueCode, Verdict] = {
    IssueCode.UNMAPPED_SOURCE_VALUE: Verdict.REJECT,
    IssueCode.MALFORMED: Verdict.REJECT,
    IssueCode.REQUIRED_FIELD_MISSING: Verdict.REJECT,
    IssueCode.FIELD_NOT_COVERED: Verdict.REJECT,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule on one column. `least` and `most` bound a RANGE, `other` is the column of a TEMPORAL one."""

    kind: RuleKind
    field: str
    severity: Severity
    least: Any = None
    most: Any = None
    not_before: str = ""
    not_after: str = ""
    to: MirrorKind | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a contract says beside the tool's own columns."""

    owner: str = ""
    freshness: Freshness = field(default_factory=Freshness)
    freshness_of: Mapping[str, Freshness] = field(default_factory=dict)  # by the tool's entity
    completeness: Fraction = Fraction(1)  # share of the tool's records that must stand in the mirror
    schedule: Schedule = field(default_factory=Schedule)
    rules: Mapping[MirrorKind, tuple[Rule, ...]] = field(default_factory=dict)

    def freshness_for(self, entity: str) -> Freshness:
        return self.freshness_of.get(entity, self.freshness)


@dataclass(frozen=True, slots=True)
class Checked:
    """A version after its rules. What is rejected is out of its values; every finding stands in its issues."""

    version: Version
    verdict: Verdict


# ---- checking


def check(rules: Mapping[MirrorKind, tuple[Rule, ...]], version: Version) -> Checked:
    """Hold one translated version against the rules that it can break alone."""
    found = _broken(rules.get(version.kind, ()), version)
    verdicts = [FOUND_WHILE_READING.get(issue.code, Verdict.WARN) for issue in version.issues]
    verdicts += [Verdict(rule.severity) for rule, _ in found]
    return Checked(_with(version, found), max(verdicts, key=_weight, default=Verdict.PASS))


def _broken(rules: tuple[Rule, ...], version: Version) -> list[tuple[Rule, Issue]]:
    found = []
    for rule in rules:
        finds = _ALONE.get(rule.kind)
        issue = finds(rule, version) if finds else None
        if issue is not None:
            found.append((rule, issue))
    return found


def _with(version: Version, found: list[tuple[Rule, Issue]]) -> Version:
    """The version with what was found, and without what is rejected."""
    if not found:
        return version
    lost: set[str] = set()
    for rule, _ in found:
        if rule.severity is Severity.REJECT:
            lost |= {rule.field, *DERIVED.get(version.kind, {}).get(rule.field, ())}
    values = {name: None if name in lost else value for name, value in version.values.items()}
    values |= {name: "" for name in lost if not may_be_unknown(version.kind, name)}
    return dataclasses.replace(version, values=values, issues=(*version.issues, *(issue for _, issue in found)))


def checking(translator: Translator, rules: Mapping[MirrorKind, tuple[Rule, ...]]) -> Translator:
    """The same translator, with every version held against the rules."""
    alone = {kind: kept for kind, given in rules.items() if (kept := tuple(r for r in given if r.kind in _ALONE))}
    if not alone:
        return translator

    def translate(entity: str, record: Mapping[str, Any], observed_at: datetime) -> Iterator[Version]:
        for version in translator.translate(entity, record, observed_at):
            held = alone.get(version.kind)
            yield _with(version, _broken(held, version)) if held else version

    return dataclasses.replace(translator, translate=translate)


def _weight(verdict: Verdict) -> int:
    return list(Verdict).index(verdict)


def _required(rule: Rule, version: Version) -> Issue | None:
    if version.values.get(rule.field) not in (None, ""):
        return None
    what = f"This {version.kind} has no usable {rule.field}, which the data contract requires."
    fix = "Fill it in at the source, or take the rule out of the data contract."
    return Issue(IssueCode.REQUIRED_FIELD_MISSING, rule.field, "", what, fix)


def _range(rule: Rule, version: Version) -> Issue | None:
    value = version.values.get(rule.field)
    if value is None or value == "":
        return None
    if (rule.least is None or value >= rule.least) and (rule.most is None or value <= rule.most):
        return None
    bounds = " and ".join(
        said for said in (f"at least {rule.least}" if rule.least is not None else "",
                          f"at most {rule.most}" if rule.most is not None else "") if said
    )  # fmt: skip
    what = f"{rule.field} must be {bounds}. {_CONSEQUENCE[rule.severity]}"
    return Issue(IssueCode.OUT_OF_RANGE, rule.field, str(value), what,
                 "Correct the record at the source, or widen the range in the data contract.")  # fmt: skip


def _temporal(rule: Rule, version: Version) -> Issue | None:
    value = version.values.get(rule.field)
    for other, wrong, word in ((rule.not_before, _before, "before"), (rule.not_after, _after, "after")):
        limit = version.version_at if other == VERSION_AT else version.values.get(other) if other else None
        if value is not None and limit is not None and wrong(value, limit):
            called = "the last change of the record" if other == VERSION_AT else other
            what = f"{rule.field} is {word} {called} ({limit:%Y-%m-%d %H:%M:%S}). {_CONSEQUENCE[rule.severity]}"
            return Issue(IssueCode.TIME_ORDER, rule.field, str(value), what, "Correct the record at the source.")
    return None


def _before(value: Any, limit: Any) -> bool:
    return bool(value < limit)


def _after(value: Any, limit: Any) -> bool:
    return bool(value > limit)


_CONSEQUENCE = {Severity.WARN: "The value is kept.", Severity.REJECT: "The value is not used."}
_ALONE: Mapping[RuleKind, Callable[[Rule, Version], Issue | None]] = {
    RuleKind.REQUIRED: _required,
    RuleKind.RANGE: _range,
    RuleKind.TEMPORAL: _temporal,
}


# ---- reading


def read_terms(text: str) -> Terms:
    """The shared part of a contract; what it does not say has the default."""
    place = read_document(text)
    present = {name: place.at(name) for name in TERMS if place.has(name)}
    freshness, of = _freshnesses(present["freshness"]) if "freshness" in present else (Freshness(), {})
    return Terms(
        owner=present["owner"].text(200) if "owner" in present else "",
        freshness=freshness,
        freshness_of=of,
        completeness=present["completeness"].share() if "completeness" in present else Fraction(1),
        schedule=_schedule(present["schedule"]) if "schedule" in present else Schedule(),
        rules=_rules(present["rules"]) if "rules" in present else {},
    )


def _freshnesses(place: Place) -> tuple[Freshness, dict[str, Freshness]]:
    apart = place.at("entities").entries() if place.has("entities") else ()
    return _freshness(place), {entity: _freshness(given) for entity, given in apart}


def _freshness(place: Place) -> Freshness:
    if place.has("minutes"):
        place.keys(("minutes",), ("entities",))
        return Freshness(minutes=place.at("minutes").integer(1))
    place.keys(("days", "by", "time_zone"), ("entities",))
    return Freshness(None, place.at("days").integer(), _clock(place.at("by")), _zone(place.at("time_zone")))


def _schedule(place: Place) -> Schedule:
    place.keys((), ("time_zone", "poll_minutes", "sweep_hours", "blackouts"))
    plain = Schedule()
    return Schedule(
        _zone(place.at("time_zone")) if place.has("time_zone") else plain.time_zone,
        place.at("poll_minutes").integer(1) * 60 if place.has("poll_minutes") else plain.poll_seconds,
        place.at("sweep_hours").integer(1) * 3600 if place.has("sweep_hours") else plain.sweep_seconds,
        tuple(_blackout(given) for given in place.at("blackouts").items()) if place.has("blackouts") else (),
    )


def _blackout(place: Place) -> Blackout:
    place.keys(("days", "from", "to", "why"))
    days = frozenset(list(Weekday).index(day.word(Weekday)) for day in place.at("days").items(1))
    first, last = _clock(place.at("from")), _clock(place.at("to"))
    if first in (last, DAY_SECONDS):
        raise place.refused("a blackout begins before it ends", "Write from: 22:00 and to: 02:00, for example.")
    return Blackout(days, first, last, place.at("why").text(200))


def _rules(place: Place) -> dict[MirrorKind, tuple[Rule, ...]]:
    found = {}
    for name, given in place.entries():
        if name not in TYPED:
            raise given.refused(f"{name!r} is not a kind of record", f"Use one of: {', '.join(TYPED)}.")
        kind = MirrorKind(name)
        found[kind] = tuple(_rule(kind, rule) for rule in given.items(1))
    return found


_KEYS: Mapping[RuleKind, tuple[str, ...]] = {
    RuleKind.REQUIRED: (),
    RuleKind.RANGE: ("least", "most"),
    RuleKind.TEMPORAL: ("not_before", "not_after"),
    RuleKind.UNIQUE: (),
    RuleKind.REFERENCE: ("to",),
}
_FITTING: Mapping[RuleKind, tuple[type, ...]] = {
    RuleKind.RANGE: (int, Decimal, datetime, date),
    RuleKind.TEMPORAL: (datetime, date),
    RuleKind.UNIQUE: (str, int, UUID),
    RuleKind.REFERENCE: (UUID,),
}


def _rule(kind: MirrorKind, place: Place) -> Rule:
    check = place.at("check").word(RuleKind)
    place.keys(("check", "field", "severity"), _KEYS[check])
    name, holds = _column(kind, place.at("field"), _FITTING.get(check, (object,)))
    severity = place.at("severity").word(Severity)
    if severity is Severity.REJECT and check is not RuleKind.REQUIRED and not may_be_unknown(kind, name):
        raise place.at("severity").refused(f"{name} of {kind} cannot be left out", "Use WARN for it.")
    said = [key for key in _KEYS[check] if place.has(key)]
    if check in (RuleKind.RANGE, RuleKind.TEMPORAL) and not said:
        raise place.refused(f"a {check} rule needs a bound", f"Add {' or '.join(_KEYS[check])}.")
    more: dict[str, Any] = {}
    for key in said:
        at = place.at(key)
        if check is RuleKind.RANGE:
            more[key] = _bound(at, holds)
        elif check is RuleKind.TEMPORAL:
            more[key] = VERSION_AT if at.node == VERSION_AT and holds is datetime else _column(kind, at, (holds,))[0]
        else:
            more[key] = at.word(MirrorKind)
    return Rule(check, name, severity, **more)


def _column(kind: MirrorKind, place: Place, fitting: tuple[type, ...]) -> tuple[str, type]:
    columns = columns_of(kind)
    name = place.text(64)
    if name not in columns:
        raise place.refused(f"{kind} has no column {name!r}", f"Use one of: {', '.join(columns)}.")
    if columns[name] not in fitting and object not in fitting:
        fit = [other for other, holds in columns.items() if holds in fitting]
        raise place.refused(f"this rule cannot be held against {name}", f"Use one of: {', '.join(fit)}.")
    return name, columns[name]


def _bound(place: Place, holds: type) -> Any:
    if holds in (int, Decimal):
        text = place.text(32)
        if not _NUMBER.fullmatch(text):
            raise place.refused(f"{text!r} is no number", "Write it plainly: 5 or -0.5.")
        return Decimal(text)
    day = place.day()
    return day if holds is date else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _clock(place: Place) -> int:
    text = place.text(16)
    found = _CLOCK.fullmatch(text)
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 if found else DAY_SECONDS + 1
    if seconds > DAY_SECONDS:
        raise place.refused(f"{text!r} is no time of day", "Write it as 06:00.")
    return seconds


def _zone(place: Place) -> str:
    name = place.text(64)
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise place.refused(f"the time zone {name!r} is not known", "Write it as Europe/Berlin or UTC.") from None
    return name
