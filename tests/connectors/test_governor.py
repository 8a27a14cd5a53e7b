"""The governor waits as long as it is told, and presses nobody."""

import threading
from typing import Any

import pytest

from connectors.governor import LONGEST_WAIT_SECONDS, Busy, Governor
from connectors.source import SourceUnavailable


class Time:
    def __init__(self) -> None:
        self.now, self.naps = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def governor(time: Time, **changes: Any) -> Governor:
    return Governor(clock=lambda: time.now, sleep=time.sleep, **({"dice": lambda: 0.5} | changes))


def answers(*outcomes: Any) -> Any:
    left = list(outcomes)

    def request() -> Any:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return request


def test_an_answer_comes_without_waiting() -> None:
    time = Time()
    assert governor(time).call(answers("yes")) == "yes"
    assert time.naps == []


def test_what_the_tool_says_is_never_undercut() -> None:
    for dice in (0.0, 1.0):
        time = Time()
        assert governor(time, dice=lambda dice=dice: dice).call(answers(Busy("", 30), "yes")) == "yes"
        assert time.naps == [30 * (1 + 0.1 * dice)]


def test_without_a_word_it_waits_ever_longer_but_not_for_ever() -> None:
    time = Time()
    with pytest.raises(SourceUnavailable, match=r"down\. Gave up after 9 attempts"):
        governor(time, attempts=9).call(answers(*[Busy("down.")] * 9))
    assert time.naps == [5, 10, 20, 40, 80, 160, 300, 300]
    assert max(time.naps) <= LONGEST_WAIT_SECONDS


def test_when_one_is_told_to_wait_all_wait() -> None:
    time = Time()
    shared = governor(time, attempts=1)
    with pytest.raises(SourceUnavailable):
        shared.call(answers(Busy("", 12)))
    assert shared.call(answers("yes")) == "yes"
    assert time.naps == []  # nobody slept for the attempt that was given up …
    shared = governor(time)
    with pytest.raises(Busy):
        shared.call_once(answers(Busy("", 12)))
    assert shared.call(answers("yes")) == "yes"
    assert time.naps == [pytest.approx(12 * 1.05)]  # … but the next one waited


def test_a_write_is_sent_once() -> None:
    time = Time()
    request = answers(Busy("lost"), "sent again")
    with pytest.raises(Busy):
        governor(time).call_once(request)
    assert request() == "sent again"


def test_no_more_than_its_places_are_in_flight() -> None:
    shared = Governor(in_flight=2)
    most, now, lock, gate = [0], [0], threading.Lock(), threading.Barrier(2, timeout=10)

    def request() -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        gate.wait()
        with lock:
            now[0] -= 1

    threads = [threading.Thread(target=shared.call, args=(request,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [2]
    assert shared.requests == 6
