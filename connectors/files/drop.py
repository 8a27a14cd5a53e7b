"""A dropped file judged row by row, and what of it is taken as pages.

Decides for each row PASS, WARN (it is taken, something is listed) or REJECT (it is left out, the others are not), with
line, column, what and fix. The same row twice is taken once; two different rows under one key are both left out, since
nobody can say which is right. A file is judged whole before anything of it is taken, and read a second time to be
taken, so that no size of it fills the memory. Pure but for reading the file.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from connectors.files import sheet as sheets
from connectors.files.contract import AS_OF, Contract
from connectors.files.sheet import Row, Sheet
from connectors.files.translate import NOT_COVERED, translator
from connectors.rules import Rule, Verdict, check
from connectors.source import Page, Poison, Version
from engine.canonical import canonical_hash, canonical_json
from engine.words import Feed, IssueCode, MirrorKind

NO_ACTIVE_AGREEMENT = "NO_ACTIVE_AGREEMENT"
DUPLICATE_ROW, CONFLICTING_ROWS = "DUPLICATE_ROW", "CONFLICTING_ROWS"
MOST_FAULTS = 1_000  # that are kept one by one; all are counted
PAGE_RECORDS = 1_000
SHOWN_CHARACTERS = 80
PARTY = "vendor_name"  # the field that names whose data a row is

Rules = Mapping[MirrorKind, tuple[Rule, ...]]
Cover = Callable[[str], frozenset[str] | None]  # fields that a party may send us; None without an agreement


@dataclass(frozen=True, slots=True)
class Fault:
    """Something about one row, as its author should read it."""

    line: int
    column: str
    code: str
    verdict: Verdict
    value: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A row, what is wrong with it, and what would be taken of it."""

    line: int
    verdict: Verdict
    faults: tuple[Fault, ...]
    record: Mapping[str, Any] | None = None
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read. `as_of` is its moment, where its rows do not tell their own."""

    contract: Contract
    rules: Rules
    as_of: datetime | None
    now: datetime
    cover: Cover | None = None  # where an agreement is needed


@dataclass(slots=True)
class Judgement:
    """A whole file. `taken` leads from the key of each row that is taken to its line and the hash of its body."""

    sheet: Sheet
    rows: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    taken: dict[str, tuple[int, bytes, int, Verdict]] = field(default_factory=dict)  # line, hash, version, verdict
    conflicting: set[str] = field(default_factory=set)
    copies: Counter[str] = field(default_factory=Counter)  # identical rows beyond the first, by key
    not_covered: Counter[str] = field(default_factory=Counter)
    without_agreement: Counter[str] = field(default_factory=Counter)

    def note(self, fault: Fault) -> None:
        self.codes[fault.code] += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)


def judge(path: Path, reading: Reading) -> Judgement:
    """Read the whole file; nothing is taken yet."""
    found = Judgement(sheets.look_at(path, reading.contract))
    for each in judged_rows(found.sheet, reading):
        found.rows += 1
        found.verdicts[each.verdict] += 1
        for fault in each.faults:
            found.note(fault)
            if fault.code == NO_ACTIVE_AGREEMENT:
                found.without_agreement[fault.value] += 1
            elif fault.code == IssueCode.FIELD_NOT_COVERED:
                found.not_covered[fault.column] += 1
        if each.version is not None and each.verdict is not Verdict.REJECT:
            _once(found, each, each.version)
    for key in found.conflicting:
        found.taken.pop(key, None)
    return found


def _once(found: Judgement, each: Judged, version: Version) -> None:
    """Each key is taken once, or not at all."""
    known = found.taken.setdefault(
        version.key, (each.line, sha256(version.payload).digest(), version.version_no, each.verdict)
    )
    line, digest, number, verdict = known
    if line == each.line:
        return
    same = (digest, number) == (sha256(version.payload).digest(), version.version_no)
    if same and version.key not in found.conflicting:
        found.copies[version.key] += 1
        _move(found, each.verdict, Verdict.WARN)
        what = f"The same row stands in line {line} too; it is taken once."
        found.note(Fault(each.line, "", DUPLICATE_ROW, Verdict.WARN, _shown(version.key), what, "Remove one of them."))
        return
    if version.key not in found.conflicting:
        found.conflicting.add(version.key)
        _move(found, verdict, Verdict.REJECT)
        _move(found, Verdict.WARN, Verdict.REJECT, found.copies[version.key])
        found.note(_conflict(line, each.line, version))
    _move(found, each.verdict, Verdict.REJECT)
    found.note(_conflict(each.line, line, version))


def _conflict(line: int, other: int, version: Version) -> Fault:
    what = f"Lines {min(line, other)} and {max(line, other)} are two different rows of one key; neither is taken."
    return Fault(line, "", CONFLICTING_ROWS, Verdict.REJECT, _shown(version.key), what, "Keep the right one.")


def _move(found: Judgement, was: Verdict, now: Verdict, count: int = 1) -> None:
    found.verdicts[was] -= count
    found.verdicts[now] += count


def judged_rows(sheet: Sheet, reading: Reading) -> Iterator[Judged]:
    return (_judged(row, reading) for row in sheets.rows(sheet, reading.contract))


def _judged(row: Row, reading: Reading) -> Judged:
    if row.wrong is not None:
        wrong = row.wrong
        return _out(row.line, wrong.column, IssueCode.MALFORMED, wrong.value, wrong.what, wrong.fix)
    contract, record = reading.contract, dict[str, Any](row.texts)
    if reading.cover is not None:
        party = row.texts.get(PARTY, "").strip()
        covered = reading.cover(party)
        if covered is None and party:
            what = f"There is no active data-sharing agreement with {_shown(party)}."
            fix = "Agree on one first: evenhand agreement propose."
            return _out(row.line, contract.called(PARTY), NO_ACTIVE_AGREEMENT, party, what, fix)
        record = without_uncovered(record, covered or frozenset())
    try:
        (version,) = translator(contract).translate(contract.entity, record, reading.as_of or reading.now)
    except Poison as poison:
        code = IssueCode.MALFORMED if poison.value else IssueCode.REQUIRED_FIELD_MISSING
        return _out(row.line, contract.called(poison.field), code, poison.value, poison.what, poison.fix)
    if (fault := _moment_fault(row, reading, version)) is not None:
        return Judged(row.line, Verdict.REJECT, (fault,))
    faults = tuple(_faults(row.line, contract, reading.rules, version))
    verdict = max((fault.verdict for fault in faults), key=_WEIGHT.index, default=Verdict.PASS)
    return Judged(row.line, verdict, faults, record, version)


_WEIGHT = (Verdict.PASS, Verdict.WARN, Verdict.REJECT)


def without_uncovered(record: Mapping[str, Any], covered: frozenset[str]) -> dict[str, Any]:
    """The record with the fields that an agreement covers, and the names of the others."""
    lost = sorted(name for name in record if name not in covered and name not in (AS_OF, PARTY))
    kept = {name: value for name, value in record.items() if name not in lost}
    return {**kept, NOT_COVERED: lost} if lost else kept


def _moment_fault(row: Row, reading: Reading, version: Version) -> Fault | None:
    header = reading.contract.called(AS_OF)
    if AS_OF not in row.texts and reading.as_of is None:
        what = "Nothing says when this row was true."
        return Fault(row.line, header, IssueCode.REQUIRED_FIELD_MISSING, Verdict.REJECT, "", what, "Give --as-of.")
    if version.version_at > reading.now:
        what = "It says that it was true at a later moment than now."
        fix = "Correct it; otherwise nothing newer could ever replace it."
        return Fault(row.line, header, IssueCode.TIME_ORDER, Verdict.REJECT, version.version_at.isoformat(), what, fix)
    return None


def _faults(line: int, contract: Contract, rules: Rules, version: Version) -> Iterator[Fault]:
    """What reading found, and what the rules of the contract find. A field that is not covered costs only itself."""
    for issue in version.issues:
        verdict = Verdict.WARN if issue.code is IssueCode.FIELD_NOT_COVERED else Verdict.REJECT
        yield Fault(line, contract.called(issue.field), issue.code, verdict, _shown(issue.value), issue.what, issue.fix)
    for rule in rules.get(version.kind, ()):
        for issue in check({version.kind: (rule,)}, replace(version, issues=())).version.issues:
            column, verdict = contract.called(issue.field), Verdict(rule.severity)
            yield Fault(line, column, issue.code, verdict, _shown(issue.value), issue.what, issue.fix)


def _out(line: int, column: str, code: str, value: str, what: str, fix: str) -> Judged:
    return Judged(line, Verdict.REJECT, (Fault(line, column, code, Verdict.REJECT, _shown(value), what, fix),))


def _shown(text: str) -> str:
    """What a terminal and a database can show of a text that somebody sent."""
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:SHOWN_CHARACTERS])
    return printable.encode("utf-8", "backslashreplace").decode()


def pages(found: Judgement, reading: Reading) -> Iterator[Page]:
    """What is taken, in the order of the file. The same content at the same moment gives the same pages."""
    waiting: list[Judged] = []
    for each in judged_rows(found.sheet, reading):
        if each.version is None or each.verdict is Verdict.REJECT:
            continue
        known = found.taken.get(each.version.key)
        if known is None or known[0] != each.line:
            continue
        waiting.append(each)
        if len(waiting) == PAGE_RECORDS:
            yield _page(reading, waiting)
            waiting = []
    if waiting:
        yield _page(reading, waiting)


def _page(reading: Reading, taken: list[Judged]) -> Page:
    """Its moment is that of the file, or the last one of its rows: never when somebody loaded it."""
    contract = reading.contract
    at = reading.as_of or max(each.version.version_at for each in taken if each.version)
    body = canonical_json([each.record for each in taken])
    mark = canonical_hash([contract.entity, at.isoformat(), sha256(body).hexdigest()])
    return Page(contract.source, contract.entity, Feed.FILE, f"file:{mark}", body, at, records=len(taken))
