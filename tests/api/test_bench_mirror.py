"""What the bench of the mirror says about memory: a leak shows in its figures, a warm-up does not."""

from collections.abc import Callable

import pytest

from api.bench.mirror_load import WARM_UP, Sample, growth, slope, steps

END = 5 * WARM_UP
STEP = WARM_UP // 20


def samples(worker_mb: Callable[[int], float], end: int = END) -> list[Sample]:
    return [Sample(done / 1_000, done, worker_mb(done), 200.0) for done in range(STEP, end + 1, STEP)]


def test_a_worker_that_stood_still_once_it_was_warm_did_not_grow() -> None:
    flat = samples(lambda done: 160.0 if done > WARM_UP else 130.0)
    assert (growth(flat, "worker_mb"), slope(flat, "worker_mb")) == (0.0, 0.0)
    assert [one["warm"] for one in steps(flat, END)] == [False, False] + [True] * 8
    assert [one["worker_mb"] for one in steps(flat, END)] == [130, 130] + [160] * 8


def test_a_leak_shows_in_slope_and_growth() -> None:
    leaking = samples(lambda done: 160.0 + done / 100_000)
    assert slope(leaking, "worker_mb") == pytest.approx(1.0)
    assert (growth(leaking, "worker_mb") or 0) > 3
    assert (growth(leaking, "database_mb"), slope(leaking, "database_mb")) == (0.0, 0.0)


def test_what_passed_within_a_tenth_is_in_its_step_and_not_in_the_growth() -> None:
    passing = samples(lambda done: 300.0 if done == END - STEP else 160.0)
    assert steps(passing, END)[-1]["worker_mb"] == 300
    assert growth(passing, "worker_mb") == 0.0


def test_a_worker_that_was_never_warm_gives_no_figure() -> None:
    short = samples(lambda _done: 160.0, WARM_UP)
    assert (growth(short, "worker_mb"), slope(short, "worker_mb")) == (None, None)
    assert len(steps(short, WARM_UP)) == 10


def test_a_worker_that_is_closing_down_counts_no_more() -> None:
    closed = [*samples(lambda _done: 160.0), Sample(9_999.0, END, 0.0, 150.0)]
    assert growth(closed, "worker_mb") == 0.0
