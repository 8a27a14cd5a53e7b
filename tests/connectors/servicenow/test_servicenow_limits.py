"""A rule of the instance that limits us stops what it limits, and nothing else."""

import pytest
import requests

from connectors.governor import Busy, Purpose
from connectors.servicenow.instance import ServiceNowConfig, accepted, connect, count_rows
from connectors.servicenow.pull import poll, refetch
from connectors.servicenow.sweep import exists, sweep
from connectors.source import SourceUnavailable
from engine.words import Feed
from tests.connectors.servicenow.imitation import Imitation

SIZE = "small"
TABLE = "/api/now/v2/table/problem"


def groups(config: ServiceNowConfig) -> int:
    return sum(1 for _ in poll(config, "sys_user_group", None))


def test_a_rule_that_limits_one_table_leaves_the_others_alone(instance: Imitation) -> None:
    """Its header names the rule; which resources it is about is learnt from what it refuses."""
    config = instance.config
    config.governor.attempts = 1
    instance.break_down("rate_limit", path=TABLE, retry_after=120)
    with pytest.raises(SourceUnavailable):
        list(poll(config, "problem", None))
    assert groups(config) == 1
    assert max(instance.naps, default=0) < 1
    assert sum(1 for _ in poll(config, "problem", None)) == 1
    assert max(instance.naps) == pytest.approx(120 * 1.05, abs=1)


def test_the_budget_of_an_hour_is_learnt_from_any_answer_and_sweeps_keep_to_their_share(instance: Imitation) -> None:
    instance.veil.headers = {b"x-ratelimit-limit": b"1000", b"x-ratelimit-rule": b"0" * 32}
    config = instance.config
    assert sum(1 for _ in poll(config, "problem", None)) == 1
    assert sum(instance.naps) == 0
    assert sweep(config, "problem").complete
    turn = 3600 / (0.3 * 1_000)
    assert sum(instance.naps) >= 2 * turn - 1  # each request of it waits for its turn, the first one excepted


def test_each_reading_says_what_it_is_for(instance: Imitation, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    config = instance.config
    called = type(config.governor).call

    def call(self: object, request: object, *, purpose: str, scopes: object) -> object:
        told.append(purpose)
        return called(self, request, purpose=purpose, scopes=scopes)  # type: ignore[arg-type]

    monkeypatch.setattr(type(config.governor), "call", call)
    key = sorted(instance.tables["problem"].rows)[0]
    for reading, purpose in (
        (lambda: list(poll(config, "problem", None)), Purpose.POLL),
        (lambda: list(poll(config, "problem", None, Feed.SWEEP)), Purpose.SWEEP),
        (lambda: list(refetch(config, "problem", [key])), Purpose.REFETCH),
        (lambda: sweep(config, "problem"), Purpose.SWEEP),
        (lambda: exists(config, "problem", key), Purpose.SWEEP),
    ):
        told.clear()
        reading()
        assert set(told) == {purpose}


def test_counting_and_reading_are_limited_apart(instance: Imitation) -> None:
    config = instance.config
    instance.break_down("rate_limit", path="/api/now/stats", retry_after=120)
    with connect(config) as opened:
        assert count_rows(opened, "problem", "").rows == len(instance.tables["problem"].rows)
    assert max(instance.naps) >= 120
    instance.naps.clear()
    assert sum(1 for _ in poll(config, "problem", None)) == 1
    assert max(instance.naps, default=0) < 60


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Date": "Wed, 04 Mar 2026 10:00:00 GMT", "X-RateLimit-Reset": "1772618430"}, 30),
        ({"Date": "Wed, 04 Mar 2026 10:00:00 GMT", "X-RateLimit-Reset": "1772618430", "Retry-After": "17"}, 17),
        ({"X-RateLimit-Reset": "1772618430"}, None),  # a proxy took the clock away: it cannot be known
        ({"X-RateLimit-Reset": "1772618430", "Retry-After": "17"}, 17),
    ],
)
def test_when_a_limit_ends_is_told_by_the_instances_clock(headers: dict[str, str], wait: float | None) -> None:
    response = requests.Response()
    response.status_code = 429
    response.headers.update(headers)
    with pytest.raises(Busy) as busy:
        accepted(response, "reading")
    assert busy.value.retry_after_seconds == wait
