"""The command as people meet it: help for everything, refusals in words with the right exit status."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from api.cli import main
from schema import embedded
from tests.journeys.place import Place, fresh_place
from tests.journeys.playing import Told

PROMISED = {"serve", "work", "migrate", "sync", "run", "verify", "bench", "capabilities", "demo", "token", "plan"}


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with fresh_place() as found:
        yield found


def test_help_names_every_command_that_is_promised(place: Place) -> None:
    done = place.evenhand("--help")
    assert done.returncode == 0
    listed = set(re.findall(r"^  ([a-z][a-z-]*)  ", done.stdout.partition("Commands:")[2], re.MULTILINE))
    assert listed == set(main.commands)
    assert listed >= PROMISED
    assert {
        name for name in ("EVENHAND_HOME", "EVENHAND_PORT", "EVENHAND_DATABASE_URL") if name not in done.stdout
    } == set()


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(place: Place, command: str) -> None:
    done = place.evenhand(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: evenhand {command}")
    assert not place.home.exists(), "asking for help leaves no trace"


def test_the_module_is_the_same_command(place: Place) -> None:
    words = [sys.executable, "-m", "api.cli", "verify", "--help"]
    done = subprocess.run(words, env=place.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "EVENHAND" not in done.stderr


@pytest.mark.parametrize(
    ("words", "settings", "said"),
    [
        (["frobnicate"], {}, "No such command"),
        (["bench", "nothing"], {}, "intake"),
        (["demo", "--once", "--feeds", "webhooks"], {}, "Webhooks alone cannot fill a company"),
        (["demo", "--once", "--log", "nowhere.csv"], {}, "does not exist"),
        (["serve"], {"EVENHAND_PORT": "eighty"}, "EVENHAND_PORT"),
        (["migrate"], {"EVENHAND_DATABASE_URL": "mysql://x"}, "EVENHAND_DATABASE_URL"),
        (["demo", "--once"], {"EVENHAND_ENVIRONMENT": "production"}, "does not run in production"),
        (["token", "manager"], {"EVENHAND_ENVIRONMENT": "production"}, "production"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_wrong_call_is_refused_in_words(place: Place, words: list[str], settings: dict[str, str], said: str) -> None:
    done = place.evenhand(*words, **settings)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_secret_in_the_wrong_place_is_not_repeated(place: Place) -> None:
    done = place.evenhand("migrate", EVENHAND_PORT="hunter2")
    assert done.returncode == 2
    assert "hunter2" not in done.stderr + done.stdout


@pytest.mark.parametrize("words", [["serve"], ["demo", "--once"]], ids=" ".join)
def test_a_taken_port_is_named(told: Told, words: list[str]) -> None:
    with socket.create_server(("127.0.0.1", told.place.port)):
        done = told.place.evenhand(*words)
    assert done.returncode == 2
    assert f"Nothing can listen on 127.0.0.1:{told.place.port}" in done.stderr
    assert "EVENHAND_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_cannot_be_used_is_refused_in_words(place: Place, postgres: embedded.Server) -> None:
    secret = f"postgresql://nobody:hunter2@127.0.0.1:{place.port}/nothing"
    for url, why in ((secret, "ConnectionRefusedError"), (postgres.url("nothing"), "3D000")):
        done = place.evenhand("migrate", EVENHAND_DATABASE_URL=url)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith(f"DATABASE_UNAVAILABLE: The database server cannot be used ({why}).")
        assert "EVENHAND_DATABASE_URL" in done.stderr
        assert "hunter2" not in done.stderr
        assert "Traceback" not in done.stderr
