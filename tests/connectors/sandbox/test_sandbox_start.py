"""Starting the sandbox as a process of its own, and what it refuses."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import jira
import pytest
import requests

from connectors.sandbox.__main__ import NAMES, PREFIX
from tests.connectors.sandbox.conftest import CREDENTIALS, HOOK_SECRET, Served

SECRETS = {f"{PREFIX}{name}": HOOK_SECRET if name == "HOOK_SECRET" else f"made-up-{name.lower()}" for name in NAMES}


def start(secrets: dict[str, str], *words: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EVENHAND_")}
    return subprocess.Popen(
        [sys.executable, "-m", "connectors.sandbox", "--port", "0", *words],
        env=environment | secrets, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def process() -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """The process, its address and the seconds it took."""
    began = time.monotonic()
    running = start(SECRETS, "--seed", "7")
    assert running.stdout is not None
    line = running.stdout.readline()
    seconds = time.monotonic() - began
    found = re.search(r"^sandbox ready on (http://127\.0\.0\.1:\d+) with \d+ incidents$", line)
    assert found, line
    yield running, found.group(1), seconds
    running.terminate()
    running.communicate(timeout=10)


def test_it_is_ready_within_seconds_and_on_loopback(process: tuple[subprocess.Popen[str], str, float]) -> None:
    _, url, seconds = process
    assert seconds < 10
    auth = (SECRETS[f"{PREFIX}USER"], SECRETS[f"{PREFIX}PASSWORD"])
    answer = requests.get(f"{url}/api/now/table/cmdb_ci_service", auth=auth, timeout=5)
    assert len(answer.json()["result"]) == 12
    assert answer.headers["Date"] == "Thu, 25 Dec 2025 00:00:00 GMT"  # its own clock, once


def test_it_warns_loudly(process: tuple[subprocess.Popen[str], str, float]) -> None:
    running, _, _ = process
    assert running.stderr is not None
    assert running.stderr.readline().startswith("WARNING: this is the Evenhand SANDBOX")


@pytest.mark.parametrize(
    ("secrets", "words", "named"),
    [
        ({name: value for name, value in SECRETS.items() if not name.endswith("PASSWORD")}, (), f"{PREFIX}PASSWORD"),
        (SECRETS | {f"{PREFIX}HOOK_SECRET": "whsec_%%"}, (), "whsec_<base64>"),
        (SECRETS | {"EVENHAND_ENVIRONMENT": "production"}, (), "production mode"),
        (SECRETS, ("--log", "/nowhere/log.csv"), "log.csv cannot be read"),
    ],
)
def test_it_refuses_to_start(secrets: dict[str, str], words: tuple[str, ...], named: str) -> None:
    running = start(secrets, *words)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 2
    assert out == ""
    assert named in err


def test_the_jira_client_finds_its_site_beside_servicenow(sandbox: Served) -> None:
    site = jira.JIRA(f"{sandbox.url}/jira", basic_auth=(CREDENTIALS.jira_email, CREDENTIALS.jira_token), max_retries=0)
    found = site.enhanced_search_issues("created >= 0", maxResults=5, json_result=True)
    assert len(found["issues"]) == 5
    site.close()
