"""The command line for operators, as a process of its own on a database of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from click.testing import CliRunner

from api.actions.audit import Log
from api.cli import FAILED, REFUSED, main
from api.sealing import open_system_key
from api.signing.development import DevelopmentSigner
from schema.embedded import Server
from schema.store import Store

USAGE = 2
BOTH = ("--by", "Kim Lee", "--and", "Noor Haddad")


@dataclass(frozen=True)
class Place:
    url: str
    home: Path

    def evenhand(self, *words: str, expect: int = 0) -> str:
        """What the command says on stdout, or on stderr when it is to be refused."""
        environ = {**os.environ, "EVENHAND_HOME": str(self.home), "EVENHAND_DATABASE_URL": self.url}
        done = subprocess.run(
            [sys.executable, "-m", "api.cli", *words], env=environ, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == expect, done.stderr
        return done.stderr if expect == REFUSED else done.stdout


@pytest.fixture
async def place(postgres: Server, template: str, tmp_path: Path) -> Place:
    name = f"cli_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(postgres.url("postgres"))
    await admin.execute(f'create database "{name}" template "{template}"')
    await admin.close()
    return Place(postgres.url(name), tmp_path)


async def sequence(place: Place) -> None:
    store, keys = Store(place.url), place.home / "keys"
    signer = DevelopmentSigner(keys, environment="development")
    await Log("dev.invalid/localhost/audit", open_system_key(keys), signer).sequence(store, datetime.now(UTC))
    await store.close()


async def test_granting_revoking_and_checking_the_log(place: Place) -> None:
    who = str(uuid4())
    until = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    words = ("grant", "auditor", "--person", who, *BOTH)
    assert "AUDITOR needs an end" in place.evenhand(*words, expect=REFUSED)
    given = json.loads(place.evenhand(*words, "--until", until))
    assert given["new"] is True
    assert given["until"] > until, "the last day is inside"
    assert json.loads(place.evenhand("revoke", "auditor", "--person", who, *BOTH))["revoked"] is True
    await sequence(place)
    checked = json.loads(place.evenhand("audit"))
    assert (checked["size"], checked["ok"]) == (2, True)

    admin = await asyncpg.connect(place.url)
    await admin.execute("set session_replication_role = replica")  # whoever owns the database can do this
    await admin.execute("update audit.entry set ty = 'role.other/v1' where ty = 'role.revoked/v1'")
    await admin.close()
    broken = json.loads(place.evenhand("audit", expect=FAILED))
    assert (broken["ok"], broken["broken_index"]) == (False, 1)
    assert "columns differ" in broken["why"]


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_the_help_names_what_is_needed(runner: CliRunner) -> None:
    listed = runner.invoke(main, ["--help"]).output
    assert [name for name in ("audit", "grant", "revoke") if f"  {name} " not in listed] == []
    for name, options in {"grant": ("--until YYYY-MM-DD",), "revoke": (), "audit": ()}.items():
        said = runner.invoke(main, [name, "--help"])
        assert said.exit_code == 0
        for option in options if name == "audit" else ("--person UUID|EMAIL", "--by TEXT", "--and TEXT", *options):
            assert option in said.output
    alone = runner.invoke(main, ["grant", "hr", "--person", str(uuid4()), "--by", "Kim"])
    assert (alone.exit_code, "--and" in alone.output) == (USAGE, True)


@pytest.mark.parametrize("written", ["ITSM_ADMIN", "itsm-admin", "Itsm_Admin"])
def test_a_role_may_be_written_as_everywhere_else(runner: CliRunner, written: str) -> None:
    """It is taken as a role; what is missing then is the environment that may mint."""
    answer = runner.invoke(main, ["token", written], env={"EVENHAND_ENVIRONMENT": "nowhere"})
    assert answer.exit_code == 2
    assert "EVENHAND_ENVIRONMENT" in answer.output
    assert "is not one of" not in answer.output
    assert "is not one of" in runner.invoke(main, ["token", "itsm admin"]).output
