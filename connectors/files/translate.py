"""Rows of files and records of suppliers' interfaces become versions in our words. Pure.

A raw record holds the text of each field by our own name. Its version is the moment at which it was true: of the row
itself where it says one, otherwise of the file; so an older file never overwrites a newer one, whatever comes first. An
interface that tells no moment is taken by the moment of the reading.
A value that cannot be read is listed and stays unknown; without its key a record is `Poison`. Fields that no agreement
covers were dropped before anything was stored; only their names are in the record (`not_covered`).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.files.columns import Unfit, moment
from connectors.files.contract import AS_OF, Contract
from connectors.source import Hook, Issue, Poison, Translator, Unreadable, Version
from engine.canonical import canonical_json
from engine.words import IssueCode, MirrorKind
from schema.typed import may_be_unknown

NOT_COVERED = "not_covered"
FEED_MARK = "/"  # in the entity of what came through an interface: sla-result/acme
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def version_no(at: datetime) -> int:
    """A moment as the number of a version: microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def translator(contract: Contract) -> Translator:
    def translate(entity: str, record: Mapping[str, Any], observed_at: datetime) -> Iterator[Version]:
        if entity.partition(FEED_MARK)[0] != contract.entity:
            raise Unreadable(f"The contract reads {contract.entity}, not {entity}.")
        yield _version(contract, entity, record, observed_at)

    return Translator(translate, _no_hook)


def _no_hook(_body: Mapping[str, Any]) -> Hook:
    raise Unreadable("This source sends no webhooks.")


def _version(contract: Contract, entity: str, record: Mapping[str, Any], observed_at: datetime) -> Version:
    row = {name: value.strip() for name, value in record.items() if isinstance(value, str)}
    values, issues = _values(contract, row)
    issues += [_not_covered(contract, str(name)) for name in record.get(NOT_COVERED, ())]
    _CHECKS.get(contract.kind, _nothing)(contract, values, issues)
    key = _key(contract, values, issues)
    told = _told_at(contract, row)
    at = told or observed_at
    stored = {name for each in contract.fields if each.stored for name in [each.name]}
    return Version(
        contract.source,
        entity,
        key,
        contract.kind,
        version_no(at),
        at,
        canonical_json({name: value for name, value in record.items() if name != AS_OF}),
        {name: value for name, value in values.items() if name in stored},
        tuple(issues),
        observed=told is None and FEED_MARK in entity,
    )


def _values(contract: Contract, row: Mapping[str, str]) -> tuple[dict[str, Any], list[Issue]]:
    values: dict[str, Any] = {}
    issues: list[Issue] = []
    for field in contract.fields:
        given = row.get(field.name, "")
        values[field.name] = None
        if given:
            try:
                values[field.name] = field.read(given, row)
            except Unfit as unfit:
                code = IssueCode.UNMAPPED_SOURCE_VALUE if unfit.unknown_word else IssueCode.MALFORMED
                issues.append(Issue(code, field.name, given[:200], unfit.what, unfit.fix))
        elif field.required:
            issues.append(_missing(field.name, "It is empty, and a row is nothing without it."))
        if field.stored and values[field.name] is None and not may_be_unknown(contract.kind, field.name):
            values[field.name] = ""
    return values, issues


def _missing(name: str, what: str) -> Issue:
    return Issue(IssueCode.REQUIRED_FIELD_MISSING, name, "", what, "Fill it in at the source.")


def _not_covered(contract: Contract, name: str) -> Issue:
    what = f"No agreement covers the field {contract.called(name)}; it was dropped."
    return Issue(IssueCode.FIELD_NOT_COVERED, name, "", what, "Have the supplier leave it out, or agree on it.")


def _key(contract: Contract, values: Mapping[str, Any], issues: list[Issue]) -> str:
    parts = []
    for names in contract.key:
        name = next((name for name in names if values.get(name) not in (None, "")), None)
        if name is None and (len(names) > 1 or _is_required(contract, names[0])):
            for issue in issues:
                if issue.field in names and issue.value:
                    raise Poison("", issue.field, issue.value, issue.what, issue.fix)
            called = " or ".join(contract.called(each) for each in names)
            raise Poison("", names[0], "", f"The row has no usable {called}.", "Fill it in at the source.")
        parts.append("" if name is None else f"{name}={values[name]}" if len(names) > 1 else str(values[name]))
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def _is_required(contract: Contract, name: str) -> bool:
    return any(field.required for field in contract.fields if field.name == name)


def _told_at(contract: Contract, row: Mapping[str, str]) -> datetime | None:
    """When the row itself was true, where it says so."""
    given = row.get(AS_OF, "")
    if contract.as_of is None or not given:
        return None
    try:
        return moment(given, row)
    except Unfit as unfit:
        raise Poison("", AS_OF, given[:200], unfit.what, unfit.fix) from None


def _met_of_total(contract: Contract, values: dict[str, Any], issues: list[Issue]) -> None:
    """Met is a part of total; a result says something only with both, or with a share."""
    met, total = values.get("met"), values.get("total")
    if (met is None) != (total is None):
        issues.append(_missing("total" if total is None else "met", "Met and total say something only together."))
    elif met is not None and total is not None and met > total:
        what = f"Met ({met}) is more than total ({total})."
        issues.append(Issue(IssueCode.MALFORMED, "met", str(met), what, "Correct the counts at the source."))
        values["met"] = values["total"] = None
    elif met is not None and (met < 0 or (total or 0) < 0):
        issues.append(Issue(IssueCode.MALFORMED, "met", str(met), "A count is negative.", "Correct it at the source."))
        values["met"] = values["total"] = None
    elif met is None and values.get("attainment") is None and not issues:
        issues.append(_missing("met", "Neither counts nor an attainment are told."))


def _nothing(contract: Contract, values: dict[str, Any], issues: list[Issue]) -> None:
    """Other kinds have no columns that belong together."""


_CHECKS = {MirrorKind.VENDOR_SLA_RESULT: _met_of_total}
