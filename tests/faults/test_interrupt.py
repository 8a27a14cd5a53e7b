"""Ctrl-C, SIGTERM and a closed terminal: everything ends within seconds, in words, and nothing stays behind."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys import small_log
from tests.journeys.place import Place, Running, children, ended, fresh_place

SOON_SECONDS = 10
CTRL_C, TERMINATED = 130, 143


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_log.write(tmp_path_factory.mktemp("log") / "log.csv", small_log.rows())


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with fresh_place() as found:
        yield found


def end_well(place: Place, running: Running, how: signal.Signals, code: int) -> None:
    """Soon, with this status; the sandbox and the database are gone too, and nothing was said that frightens."""
    others = children(running.process.pid, "")
    others += [place.postmaster] if (place.home / "pg/postmaster.pid").exists() else []
    begin = time.monotonic()
    assert running.end(how) == code, running.said
    assert time.monotonic() - begin < SOON_SECONDS
    assert ended(*others, seconds=1)
    assert not (place.home / "pg/postmaster.pid").exists()
    assert "Traceback" not in "\n".join(running.said)


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_ctrl_c_while_everything_starts(place: Place, log: Path, seconds: float) -> None:
    with place.start("demo", "--log", str(log)) as running:
        running.wait_for("starting the sandbox")
        time.sleep(seconds)
        end_well(place, running, signal.SIGINT, CTRL_C)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, CTRL_C), (signal.SIGTERM, TERMINATED)])
def test_the_end_of_a_serving_demonstration(place: Place, log: Path, how: signal.Signals, code: int) -> None:
    with place.start("demo", "--log", str(log)) as running:
        running.wait_until("Ctrl-C ends it", "itsm-admin")
        assert place.serves()
        end_well(place, running, how, code)
    assert not place.serves()


@pytest.mark.parametrize("command", ["serve", "work"])
def test_the_end_of_a_service(place: Place, command: str) -> None:
    with place.start(command) as running:
        if command == "serve":
            place.await_ready(running)
        else:
            running.wait_for("DEVELOPMENT SIGNER")
        end_well(place, running, signal.SIGHUP, TERMINATED)
