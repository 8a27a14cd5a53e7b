"""The whole demonstration, told once and looked at by many tests. Nobody may change what it left behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.journeys.place import Place, fresh_place, summary


@dataclass(frozen=True)
class Told:
    """A finished `evenhand demo --once`: where it happened, what it printed, and the summary on its last line."""

    place: Place
    printed: str
    said: str
    summary: dict[str, Any]


@pytest.fixture(scope="session")
def told() -> Iterator[Told]:
    with fresh_place() as place:
        done = place.evenhand("demo", "--once")
        assert done.returncode == 0, done.stderr
        yield Told(place, done.stdout, done.stderr, summary(done.stdout))
