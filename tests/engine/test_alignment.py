"""Periods of suppliers against a cycle: what does not add up, what is not final, and a count of days beside it."""

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.alignment import Misfit, Period, Reported, align
from engine.refusal import Refused
from engine.words import Finality

JAN, FEB, MAR, APR, MAY = (date(2026, month, 1) for month in range(1, 6))
QUARTER = Period(JAN, APR)


def final(starts: date, ends: date, on: date | None = None) -> Reported:
    return Reported(Period(starts, ends), Finality.FINAL, on)


def codes(found: tuple[Misfit, ...]) -> list[str]:
    return [each.code.value for each in found]


@pytest.mark.capability("I6.1")
@pytest.mark.parametrize(
    ("results", "expected", "says"),
    [
        ([final(JAN, FEB), final(FEB, MAR), final(MAR, APR)], [], ""),
        ([final(MAR, APR, APR), final(JAN, MAR, FEB)], [], ""),
        ([final(APR, MAY)], ["PERIOD_MISMATCH"], "No result covers 2026-01-01 to 2026-03-31"),
        ([], ["PERIOD_MISMATCH"], "No result covers"),
        ([final(JAN, FEB), final(MAR, APR)], ["PERIOD_MISMATCH"], "2026-02-01 to 2026-02-28"),
        ([final(JAN, MAR), final(FEB, APR)], ["PERIOD_MISMATCH"], "Two results cover 2026-02-01 to 2026-02-28"),
        ([final(date(2025, 12, 15), FEB), final(FEB, APR)], ["PERIOD_MISMATCH"], "reaches beyond"),
        ([final(JAN, MAY)], ["PERIOD_MISMATCH"], "reaches beyond"),
        ([Reported(QUARTER, Finality.PROVISIONAL)], ["VENDOR_RESULT_NOT_FINAL"], "is PROVISIONAL"),
        ([Reported(QUARTER, None)], ["VENDOR_RESULT_NOT_FINAL"], "unknown state"),
        ([final(JAN, APR, APR + timedelta(days=1))], ["VENDOR_RESULT_NOT_FINAL"], "final only on 2026-04-02"),
        ([Reported(QUARTER, Finality.PROVISIONAL, date(2026, 4, 9))], ["VENDOR_RESULT_NOT_FINAL"], "2026-04-09"),
        ([final(JAN, APR), Reported(None, Finality.FINAL)], ["PERIOD_MISMATCH"], "does not say"),
    ],
)
def test_what_does_not_fit(results: list[Reported], expected: list[str], says: str) -> None:
    found = align(QUARTER, results, APR)
    assert codes(found) == expected
    assert all(each.fix for each in found)
    assert says in "".join(each.what for each in found)


def test_a_period_has_days() -> None:
    with pytest.raises(Refused, match="ends before it begins"):
        Period(JAN, JAN)


DAYS = st.integers(-10, 40)
PERIODS = st.lists(st.tuples(DAYS, st.integers(1, 25)), max_size=5)


@given(PERIODS, st.randoms())
def test_periods_fit_when_each_day_is_covered_once_and_no_other(
    given_periods: list[tuple[int, int]], random: Random
) -> None:
    cycle = Period(JAN, JAN + timedelta(days=30))
    results = [final(JAN + timedelta(days=first), JAN + timedelta(days=first + length))
               for first, length in given_periods]  # fmt: skip
    touching = [(f, f + n) for f, n in given_periods if f < 30 and f + n > 0]
    covered = sorted(day for first, end in touching for day in range(first, end))
    found = align(cycle, results, MAY)
    assert (found == ()) == (covered == list(range(30)))
    random.shuffle(results)
    assert align(cycle, results, MAY) == found
