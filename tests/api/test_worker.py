"""The rhythm of the worker: what fails is tried again, and the log does not repeat what a failure said."""

import asyncio
import logging

import pytest

from api.worker import every
from connectors.source import SourceUnavailable


@pytest.mark.parametrize(
    "failure", [SourceUnavailable("later"), ConnectionResetError("pay of ana: 61.71"), KeyError("x")]
)
async def test_a_job_that_fails_is_tried_again(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    done = asyncio.Event()
    tries = 0

    async def job() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise failure
        done.set()

    with caplog.at_level(logging.WARNING, "evenhand.worker"):
        running = asyncio.create_task(every(0, job))
        await asyncio.wait_for(done.wait(), 5)
        running.cancel()
        await asyncio.wait([running])
    assert running.cancelled(), "being asked to end is no failure"
    assert len(caplog.records) == 2
    assert "61.71" not in caplog.text
