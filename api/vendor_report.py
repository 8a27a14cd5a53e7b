"""The report about suppliers: reported against computed service levels, and whether the periods fit a cycle of ours.

Source: schema/vendor_results.py; engine/alignment.py decides about periods. A reported result is compared when both
sides are final, its company is known, its period is made of whole months and it is the only result of its agreement for
it. What cannot be compared is listed with the reason. The report changes nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import agreements
from engine.alignment import Period, Reported, align
from engine.refusal import Refused
from engine.words import Finality
from schema.store import DbRole, Store
from schema.vendor_results import Computed, Result, computed, reported

VENDOR_RESULT_MISMATCH = "VENDOR_RESULT_MISMATCH"
TOLERANCE = Fraction(1, 1000)  # of an attainment that is told without counts, and rounded
NEWEST = text("select starts_on, ends_before from score.cycle order by starts_on desc, id limit 1")
Months = Mapping[tuple[Any, str], Sequence[Computed]]


async def vendor_report(
    store: Store, now: datetime, zone: str = "UTC", cycle: Period | None = None, closes_on: date | None = None
) -> dict[str, Any]:
    """All suppliers. Without a cycle the newest one is taken, and without a day of closing the day after it."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        clocks, results = await computed(connection, now, zone), await reported(connection)
        within = cycle or await _newest(connection)
    months: dict[tuple[Any, str], list[Computed]] = defaultdict(list)
    for each in clocks:
        months[each.vendor_id, _spelled(each.agreement)].append(each)
    counts = [_compared(each, _rivals(each, results), months) for each in results]
    return {
        "cycle": str(within) if within else None,
        "closes_on": (closes_on or within.ends_before).isoformat() if within else None,
        "computed": [_row(each) for each in clocks],
        "reported": [{**_row(each), **said} for each, said in zip(results, counts, strict=True)],
        "alignment": _aligned(within, closes_on or within.ends_before, results) if within else [],
        "agreements": [each for each in await agreements.listed(store, now) if each["warning"]],
    }


async def _newest(connection: AsyncConnection) -> Period | None:
    row = (await connection.execute(NEWEST)).first()
    return Period(row.starts_on, row.ends_before) if row else None


def _rivals(result: Result, results: Sequence[Result]) -> int:
    """Other results of the same agreement for days of the same period."""
    return sum(
        other.id != result.id
        and (other.vendor_id, _spelled(other.agreement)) == (result.vendor_id, _spelled(result.agreement))
        and None not in (other.starts_on, other.ends_before, result.starts_on, result.ends_before)
        and other.starts_on < result.ends_before  # type: ignore[operator]
        and result.starts_on < other.ends_before  # type: ignore[operator]
        for other in results
    )


def _compared(result: Result, rivals: int, months: Months) -> dict[str, Any]:
    """The finding, or why there is nothing to compare."""
    if result.vendor_id is None:
        return _not("Its company is not known in the tools.")
    if result.starts_on is None or result.ends_before is None or not _whole_months(result):
        return _not("Its period is not made of whole months.")
    if rivals:
        return _not("Several results stand for this agreement and period.")
    if result.status is not Finality.FINAL:
        return _not("The supplier has not said that it is final.")
    of = [
        each
        for each in months.get((result.vendor_id, _spelled(result.agreement)), ())
        if each.starts_on is None or result.starts_on <= each.starts_on < result.ends_before
    ]
    if not of:
        return _not("No clock of this agreement is mirrored for this period.")
    if any(each.status is not Finality.FINAL for each in of):
        return _not("Clocks of this period still run, or are not known.")
    met, total = sum(each.met for each in of), sum(each.total for each in of)
    said = {"computed_met": met, "computed_total": total, "not_compared": None, "finding": None}
    if _agrees(result, met, total):
        return said
    told = f"{result.met} of {result.total}" if result.total is not None else f"{result.attainment}"
    what = f"{result.vendor} reports {told} for {result.agreement}, the clocks in the tools say {met} of {total}."
    fix = "Compare the clocks with the supplier's list; correct the record that is wrong where it is kept."
    return {**said, "finding": {"code": VENDOR_RESULT_MISMATCH, "what": what, "fix": fix}}


def _not(why: str) -> dict[str, Any]:
    return {"computed_met": None, "computed_total": None, "not_compared": why, "finding": None}


def _agrees(result: Result, met: int, total: int) -> bool:
    if result.total is not None:
        return (result.met, result.total) == (met, total)
    return bool(total) and abs(Fraction(result.attainment or 0) - Fraction(met, total)) <= TOLERANCE


def _whole_months(result: Result) -> bool:
    return bool(result.starts_on and result.ends_before) and (result.starts_on.day, result.ends_before.day) == (1, 1)  # type: ignore[union-attr]


def _spelled(name: str | None) -> str:
    return (name or "").strip().casefold()


def _aligned(cycle: Period, closes_on: date, results: Sequence[Result]) -> list[dict[str, Any]]:
    """Each agreement, metric and service on its own."""
    lines: dict[tuple[str, ...], list[Reported]] = defaultdict(list)
    for each in results:
        name = (each.vendor or "", each.agreement or "", each.metric or "", str(each.service_id or ""))
        lines[name].append(Reported(_period(each), each.status, each.final_on))
    return [
        {"vendor": name[0], "agreement": name[1], "metric": name[2] or None, "code": misfit.code.value,
         "what": misfit.what, "fix": misfit.fix}
        for name, of in sorted(lines.items())
        for misfit in align(cycle, of, closes_on)
    ]  # fmt: skip


def _period(each: Result) -> Period | None:
    if each.starts_on is None or each.ends_before is None:
        return None
    try:
        return Period(each.starts_on, each.ends_before)
    except Refused:  # it ends before it begins: nobody knows which days it means
        return None


def _row(each: Computed | Result) -> dict[str, Any]:
    shown = ("vendor", "agreement", "starts_on", "ends_before", "met", "total", "status")
    more = ("source", "running", "unknown") if isinstance(each, Computed) else ("metric", "attainment", "final_on",
                                                                               "source_key", "revision_id")  # fmt: skip
    return {name: getattr(each, name) for name in (*shown, *more)}


def as_lines(found: Mapping[str, Any]) -> list[str]:
    """The same as text: what does not fit first."""
    lines = [f"{row['code']} {row['vendor']}, {row['agreement']}: {row['what']}" for row in found["alignment"]]
    for row in found["reported"]:
        if row["finding"]:
            lines.append(f"{row['finding']['code']} {_days(row)}: {row['finding']['what']}")
    lines += [f"WARNING {row['warning']}" for row in found["agreements"]]
    for row in found["reported"]:
        same = row["not_compared"] or ("differs" if row["finding"] else "as computed")
        told = f"{row['met']} of {row['total']}" if row["total"] is not None else f"{row['attainment']}"
        lines.append(f"reported {row['vendor']}, {row['agreement']} {_days(row)}: {told} {row['status']} ({same})")
    for row in found["computed"]:
        rest = f", {row['running']} running, {row['unknown']} unknown" if row["running"] or row["unknown"] else ""
        lines.append(f"computed {row['vendor'] or 'unknown company'}, {row['agreement']} {_days(row)}: "
                     f"{row['met']} of {row['total']} {row['status']}{rest}")  # fmt: skip
    return lines or ["No service levels of suppliers are mirrored."]


def _days(row: Mapping[str, Any]) -> str:
    return f"{row['starts_on'] or '?'}..{row['ends_before'] or '?'}"
