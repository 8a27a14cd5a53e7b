"""A headless Chromium, asked over its own debugging protocol: open a page, look at it and at the frames inside."""

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_SECONDS = 20


class Browser:
    """One running browser. `complaints` is what pages wrote to the console."""

    def __init__(self, address: str, log: Path) -> None:
        self._address = address
        self._log = log
        self._numbers = itertools.count(1)

    @property
    def complaints(self) -> str:
        return self._log.read_text()

    async def targets(self, kind: str) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(trust_env=False) as client:
            found: list[dict[str, Any]] = (await client.get(f"{self._address}/json")).json()
        return [each for each in found if each["type"] == kind]

    async def call(self, target: dict[str, Any], method: str, **parameters: Any) -> dict[str, Any]:
        async with connect(target["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
            number = next(self._numbers)
            await socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
            async for message in socket:
                answer: dict[str, Any] = json.loads(message)
                if answer.get("id") == number:
                    return dict(answer["result"])
        raise AssertionError("the browser hung up")

    async def open(self, url: str) -> None:
        (page,) = await self.targets("page")
        await self.call(page, "Page.navigate", url=url)

    async def until(self, kind: str, expression: str) -> Any:
        """The first true value of the expression in a target of this kind; None when patience ends."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    for target in await self.targets(kind):
                        found = await self.call(target, "Runtime.evaluate", expression=expression, returnByValue=True)
                        if found["result"].get("value"):
                            return found["result"]["value"]
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return None


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Browser]:
    assert CHROMIUM
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr"]
    arguments += [f"--user-data-dir={folder}", "--remote-debugging-port=0", "--window-size=700,700", "about:blank"]
    log = folder.with_suffix(".log")
    with log.open("wb") as sink:
        running = await asyncio.create_subprocess_exec(CHROMIUM, *arguments, stdout=sink, stderr=sink)
        try:
            port = folder / "DevToolsActivePort"
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not port.exists() or len(port.read_text().splitlines()) < 2:
                    await asyncio.sleep(0.1)
            yield Browser(f"http://127.0.0.1:{port.read_text().splitlines()[0]}", log)
        finally:
            running.terminate()
            await running.wait()
