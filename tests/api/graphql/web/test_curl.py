"""The lines of docs/api.md that begin with curl: each is run, and must be answered as its comment says."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from api.house import House
from tests.api.conftest import Asking
from tests.api.listening import opened

PAGE = Path(__file__).parents[4] / "docs/api.md"
LINE = re.compile(r"^    (curl \$A/graphql .*?) +# (\d{3})(?: (.+))?$", re.MULTILINE)
QUIET = " -sS --noproxy '*' -o /dev/null -w '%{http_code} %{content_type}'"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
async def test_the_lines_are_answered_as_the_page_says(ask: Asking, house: House) -> None:
    lines = LINE.findall(PAGE.read_text())
    assert len(lines) == PAGE.read_text().count("curl $A/graphql") > 10
    async with opened(house) as address:
        environment = {**os.environ, "A": address, "T": ask.token("ana")}
        for command, status, kind in lines:
            running = await asyncio.create_subprocess_shell(
                command + QUIET, env=environment, stdout=asyncio.subprocess.PIPE
            )
            said = (await asyncio.wait_for(running.communicate(), 20))[0].decode()
            assert said.startswith(f"{status} {kind}"), command
