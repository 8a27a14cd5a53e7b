"""The API on its port: as a process of its own, or beside the demonstration in the same event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from api.app import create_app
from api.house import House
from api.opening import open_house
from api.settings import Settings
from engine.refusal import Code, Refused

KEEP_ALIVE_SECONDS, MOST_CONCURRENT = 15, 400


def server_of(house: House) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(house),
        host=house.settings.host,
        port=house.settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        limit_concurrency=MOST_CONCURRENT,
    )
    return uvicorn.Server(config)


def listen(settings: Settings) -> socket.socket:
    """The listening socket, or words that say why not."""
    try:
        return socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        raise Refused(
            Code.BAD_INPUT,
            f"Nothing can listen on {settings.host}:{settings.port}: {error.strerror}.",
            "End what uses the port, or choose another one with EVENHAND_PORT.",
        ) from error


@asynccontextmanager
async def served(house: House) -> AsyncIterator[None]:
    """Serve in the background until the block ends; requests under way are finished."""
    with listen(house.settings) as listener:
        server = server_of(house)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started and not running.done():
                await asyncio.sleep(0.01)
            yield
        finally:
            server.should_exit = True
            await running


async def serve(settings: Settings) -> None:
    """Serve until the process is asked to end."""
    async with open_house(settings) as house:
        with listen(settings) as listener:
            await server_of(house).serve(sockets=[listener])
