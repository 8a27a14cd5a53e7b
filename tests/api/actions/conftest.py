"""The firm at each stage of its story, as a copy that belongs to one test alone."""

from collections.abc import AsyncIterator

import pytest

from api.sealing import open_system_key
from api.signing.development import DevelopmentSigner
from schema.embedded import Server
from tests.api.actions.firm import Firm, Stages


@pytest.fixture(scope="session")
def stages(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    keys = tmp_path_factory.mktemp("firm") / "keys"
    signer = DevelopmentSigner(keys, environment="test")
    return Stages(postgres, template, signer, open_system_key(keys))


@pytest.fixture
async def empty(stages: Stages) -> AsyncIterator[Firm]:
    async with stages.at("") as firm:
        yield firm


@pytest.fixture
async def scored(stages: Stages) -> AsyncIterator[Firm]:
    async with stages.at("SCORED") as firm:
        yield firm


@pytest.fixture
async def submitted(stages: Stages) -> AsyncIterator[Firm]:
    async with stages.at("SUBMITTED") as firm:
        yield firm


@pytest.fixture
async def approved(stages: Stages) -> AsyncIterator[Firm]:
    async with stages.at("APPROVED") as firm:
        yield firm


@pytest.fixture
async def released(stages: Stages) -> AsyncIterator[Firm]:
    async with stages.at("RELEASED") as firm:
        yield firm


@pytest.fixture
async def pulled(stages: Stages) -> AsyncIterator[Firm]:
    async with stages.at("PULLED") as firm:
        yield firm
