"""The imitated instance, as fixtures."""

from collections.abc import Iterator

import httpx
import pytest

from tests.connectors.servicenow.imitation import Imitation, served


@pytest.fixture(scope="module")
def instance(request: pytest.FixtureRequest) -> Iterator[Imitation]:
    """Shared by the tests of a module; each plans the faults that it needs, and they end with it."""
    with served(size=getattr(request.module, "SIZE", "company")) as imitation:
        yield imitation


@pytest.fixture(autouse=True)
def calm(request: pytest.FixtureRequest) -> None:
    """No fault and no nap of another test."""
    if "instance" in request.fixturenames:
        imitation = request.getfixturevalue("instance")
        httpx.delete(f"{imitation.url}/_sandbox/faults").raise_for_status()
        imitation.naps.clear()
        imitation.veil.lift()
        imitation.config = imitation.configured()  # a governor that remembers nothing
