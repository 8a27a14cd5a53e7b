"""A lean HTTP/1.1 sender over kept-alive connections: one POST after the other, the status back.

Decides nothing about content. It exists because sending tens of thousands of webhooks through a general client costs
more than answering them. Speaks to loopback receivers and plain https; reads bodies only to find their end.
"""

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httptools


class _Reply:
    """What the parser of one answer tells."""

    def __init__(self) -> None:
        self.complete = False
        self.retry_after = ""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self.retry_after = value.decode("latin-1")

    def on_message_complete(self) -> None:
        self.complete = True


class Line:
    """One connection to one host, opened again when it has been closed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.secure = parts.scheme == "https"
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or (443 if self.secure else 80)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> tuple[int, str]:
        """Status and Retry-After of the answer; raises OSError when there is none."""
        try:
            async with asyncio.timeout(seconds):
                return await self._post(url, headers, body)
        except (TimeoutError, OSError, httptools.HttpParserError) as error:
            self.close()
            raise ConnectionError(f"{self.host}:{self.port} gave no answer: {error!r}") from error

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        if self._streams is None:
            context = ssl.create_default_context() if self.secure else None
            self._streams = await asyncio.open_connection(self.host, self.port, ssl=context)
        reader, writer = self._streams
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {target} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        reply = _Reply()
        parser = httptools.HttpResponseParser(reply)
        while not reply.complete:
            data = await reader.read(65_536)
            if not data:
                raise ConnectionError("the connection was closed")
            parser.feed_data(data)
        if not parser.should_keep_alive():
            self.close()
        return parser.get_status_code(), reply.retry_after

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
