"""The API on its port: as a process of its own, or beside the demonstration in the same event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

from api import memory
from api.app import create_app
from api.opening import open_house
from api.settings import Settings
from engine.refusal import Code, Refused
from webhooks.gate import gate

KEEP_ALIVE_SECONDS, MOST_CONCURRENT = 15, 400
LAST_REQUESTS_SECONDS = 5
MESSAGE_MAX_BYTES = 256 * 1024


class Server(uvicorn.Server):
    """Leaves signals to whoever runs the loop: the server is closed by its block, and the house after it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server_of(app: Starlette, settings: Settings) -> Server:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=gate(app.routes),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LAST_REQUESTS_SECONDS,
        limit_concurrency=MOST_CONCURRENT,
        ws_max_size=MESSAGE_MAX_BYTES,
        ws_per_message_deflate=False,  # a connection that waits for a change holds no window of 64 KiB
    )
    return Server(config)


def listen(settings: Settings) -> socket.socket:
    """The listening socket, or words that say why not."""
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        raise Refused(
            Code.BAD_INPUT,
            f"Nothing can listen on {settings.host}:{settings.port}: {error.strerror}.",
            "End what uses the port, or choose another one with EVENHAND_PORT.",
        ) from error
    # Head and body leave in two writes; without this the second waits 40 ms for the other side's acknowledgement. Event
    # loops set it only on sockets that they made themselves; connections inherit it from here.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@asynccontextmanager
async def served(app: Starlette, settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    """Serve in the background until the block ends; requests under way are finished."""
    with listen(settings) as listener:
        server = server_of(app, settings)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started and not running.done():
                await asyncio.sleep(0.01)
            yield running
        finally:
            server.should_exit = True
            await running


async def serve(settings: Settings) -> None:
    """Serve until the process is asked to end."""
    async with open_house(settings) as house, served(create_app(house), settings) as running:
        memory.steady()
        await asyncio.wait([running])
