"""Whether the periods for which a supplier's service levels are reported fit a cycle of ours, and are final in time.

A cycle and a period are days; the day after the last one ends them. Decides about one agreement: its periods must lie
within the cycle, cover each of its days once, and be final on the day on which the cycle is closed. Pure; what to do
about a finding (wait, or a dated rule that closes on what is there) is decided where the cycle is closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from engine.refusal import Code, Refused
from engine.words import Finality


@dataclass(frozen=True, slots=True)
class Period:
    """`ends_before` is the first day after it."""

    starts_on: date
    ends_before: date

    def __post_init__(self) -> None:
        if self.ends_before <= self.starts_on:
            what = f"The period from {self.starts_on} ends before it begins ({self.ends_before})."
            raise Refused(Code.BAD_INPUT, what, "Give the first day after it as its end.", ("period",))

    def __str__(self) -> str:
        return f"{self.starts_on} to {self.ends_before - timedelta(days=1)}"


@dataclass(frozen=True, slots=True)
class Reported:
    """One result of a supplier. Unknown is None: of the period, of its state, of the day on which it became final."""

    period: Period | None
    status: Finality | None
    final_on: date | None = None


@dataclass(frozen=True, slots=True)
class Misfit:
    """What stands in the way of using the results for the cycle. `code` is what a close would refuse with."""

    code: Code
    what: str
    fix: str


def align(cycle: Period, results: Sequence[Reported], closes_on: date) -> tuple[Misfit, ...]:
    """What does not fit, in the order of days. Empty: the results can be used as they are."""
    known = sorted(
        ((each.period, each) for each in results if each.period and _touches(cycle, each.period)),
        key=lambda one: (one[0].starts_on, one[0].ends_before),
    )
    found = [_misfit("A result does not say for which period it is.") for each in results if each.period is None]
    found += [_misfit(f"The period {period} reaches beyond the cycle {cycle}.")
              for period, _ in known if not _within(cycle, period)]  # fmt: skip
    found += _uncovered(cycle, [period for period, _ in known])
    found += [late for period, each in known if (late := _not_final(period, each, closes_on))]
    return tuple(found)


def _touches(cycle: Period, period: Period) -> bool:
    return period.starts_on < cycle.ends_before and cycle.starts_on < period.ends_before


def _within(cycle: Period, period: Period) -> bool:
    return cycle.starts_on <= period.starts_on and period.ends_before <= cycle.ends_before


def _uncovered(cycle: Period, periods: Sequence[Period]) -> list[Misfit]:
    """Days that no period covers, and days that two cover. Periods are in order."""
    found, covered = [], cycle.starts_on
    for period in periods:
        if period.starts_on > covered:
            found.append(_misfit(f"No result covers {Period(covered, period.starts_on)}."))
        elif period.starts_on < covered and covered > cycle.starts_on:
            both = Period(max(period.starts_on, cycle.starts_on), min(covered, period.ends_before))
            found.append(_misfit(f"Two results cover {both}."))
        covered = max(covered, period.ends_before)
    if covered < cycle.ends_before:
        found.append(_misfit(f"No result covers {Period(covered, cycle.ends_before)}."))
    return found


def _not_final(period: Period, each: Reported, closes_on: date) -> Misfit | None:
    if each.status is Finality.FINAL and (each.final_on is None or each.final_on <= closes_on):
        return None
    state = "of unknown state" if each.status is None else "PROVISIONAL"
    if each.status is Finality.FINAL or (each.final_on is not None and each.final_on > closes_on):
        state = f"final only on {each.final_on}"
    what = f"The result of {period} is {state}, and the cycle is closed on {closes_on}."
    fix = "Close later, have the supplier finalise it, or agree on a dated rule that closes on provisional results."
    return Misfit(Code.VENDOR_RESULT_NOT_FINAL, what, fix)


def _misfit(what: str) -> Misfit:
    fix = "Agree with the supplier on periods that add up to the cycle, or move the cycle."
    return Misfit(Code.PERIOD_MISMATCH, what, fix)
