"""The sandbox as a process of its own, with credentials that were made up for this home and stay the same.

It is started on a free port of loopback and ends with the block; if we are killed, it ends when the pipe to it breaks.
Secrets go through its environment, never through the command line.
"""

import asyncio
import base64
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Any

import httpx

from api.demo.portal import origin_of
from api.settings import JiraSettings, ServiceNowSettings, Settings
from api.signing.folder import once, open_folder
from engine.refusal import Code, Refused

READY = re.compile(r"sandbox ready on (http://\S+) with (\d+) incidents")
START_SECONDS, DELIVER_SECONDS = 60, 900


@dataclass(frozen=True, slots=True)
class Play:
    """What is shown: a made-up company from a seed, or a real incident log."""

    seed: int = 7
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A running sandbox."""

    url: str
    secrets: Mapping[str, str]

    async def deliver(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Have the tools send webhooks; answers when all were sent."""
        async with httpx.AsyncClient(timeout=DELIVER_SECONDS) as client:
            answer = await client.post(f"{self.url}/_sandbox/deliver", json=dict(order))
            answer.raise_for_status()
            counts: dict[str, Any] = answer.json()
            return counts


def secrets_of(home: Path) -> Mapping[str, str]:
    """Credentials for this home's sandbox, made once."""
    fresh = {
        "USER": "evenhand.integration",
        "PASSWORD": token_urlsafe(24),
        "CLIENT_ID": token_urlsafe(12),
        "CLIENT_SECRET": token_urlsafe(24),
        "HOOK_SECRET": "whsec_" + base64.b64encode(token_bytes(32)).decode(),
        "JIRA_EMAIL": "evenhand@sandbox.invalid",
        "JIRA_TOKEN": token_urlsafe(24),
        "JIRA_HOOK_SECRET": token_urlsafe(32),
    }
    kept = once(open_folder(home / "keys") / "sandbox.json", lambda: json.dumps(fresh).encode())
    found: dict[str, str] = json.loads(kept)
    return found


def pointed_at(settings: Settings, stage_url: str, secrets: Mapping[str, str], play: Play) -> Settings:
    """The settings of an installation whose tools are the sandbox. A log has no Jira."""
    servicenow = ServiceNowSettings(
        url=stage_url,
        user=secrets["USER"],
        password=secrets["PASSWORD"],
        webhook_secrets=(secrets["HOOK_SECRET"],),
    )
    jira = JiraSettings(
        url=f"{stage_url}/jira",
        user=secrets["JIRA_EMAIL"],
        token=secrets["JIRA_TOKEN"],
        webhook_secrets=(secrets["JIRA_HOOK_SECRET"],),
    )
    return replace(
        settings,
        servicenow=servicenow,
        jira=JiraSettings() if play.log else jira,
        frame_ancestors=(*settings.frame_ancestors, origin_of(settings)),
    )


@asynccontextmanager
async def sandbox(settings: Settings, play: Play) -> AsyncIterator[Stage]:
    """Run the sandbox until the block ends."""
    if settings.production:
        raise Refused(
            Code.BAD_INPUT, "The demonstration does not run in production.", "Unset EVENHAND_ENVIRONMENT for it."
        )
    secrets = secrets_of(settings.home)
    environ = {**os.environ, **{f"EVENHAND_SANDBOX_{name}": value for name, value in secrets.items()}}
    words = [sys.executable, "-m", "connectors.sandbox", "--attached", "--port", "0", "--seed", str(play.seed)]
    if play.log:
        words += ["--log", str(play.log)]
    process = await asyncio.create_subprocess_exec(
        *words, env=environ, stdin=PIPE, stdout=PIPE, stderr=PIPE,
        start_new_session=True,  # Ctrl-C is for us: we end it when nothing needs it any more
    )  # fmt: skip
    try:
        yield Stage(await ready(process), secrets)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def ready(process: asyncio.subprocess.Process) -> str:
    """Address of the sandbox, once it says so; its own words when it does not start."""
    assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - both are pipes
    said = f"It said nothing for {START_SECONDS} seconds."
    found = None
    with suppress(TimeoutError):
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        found = READY.search(line.decode())
        if not line:  # it has ended, so its last words are complete
            said = (await process.stderr.read()).decode()[-500:]
    if not found:
        raise Refused(Code.BAD_INPUT, f"The sandbox did not start. {said}", "Correct what it names and start again.")
    asyncio.ensure_future(process.stderr.read())  # noqa: RUF006 - keeps its pipe from filling up, ends with it
    return found.group(1)
