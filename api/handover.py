"""Payout files over HTTP, for payroll: list, download, acknowledge. The rules stand in api/actions/pulls.

    GET  /payouts/{receiver}/{sequence}/          {"files": [...], "state": ...}
    GET  /payouts/{receiver}/{sequence}/{name}    the bytes as signed; ETag is their SHA-256; no coding, no transform
    POST /payouts/{receiver}/{sequence}/acks      a signed acknowledgement, with Idempotency-Key

A download carries digests (RFC 9530) and a signature (RFC 9421) over the address that is configured, not over what a
Host header claims. Refusals are api/refusals; a hidden file and a missing one answer alike.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api import identity
from api.actions import pulls
from api.actions.pulls import Address
from api.house import House
from api.signing import http
from engine.refusal import Code, Refused
from schema.store import Viewer

ACK_MAX_BYTES = 1 << 20
RECEIVER = re.compile(r"[A-Za-z0-9-]{1,64}")  # also the name of a key file
SEQUENCE = re.compile(r"[0-9]{1,18}")


def routes(house: House) -> list[Route]:
    trust = identity.access_trust(house.signer)

    async def asked(request: Request) -> tuple[Viewer, Address]:
        """Who asks, before anything that he asks is looked at."""
        token = identity.bearer(request.scope["headers"])
        claims = identity.verify(token, trust, house.clock())
        viewer = await identity.viewer(house.store, claims, request.scope.get("request_id", ""))
        return viewer, address_of(request)

    async def listing(request: Request) -> Response:
        viewer, address = await asked(request)
        return JSONResponse(await pulls.listing(house.store, viewer, address))

    async def download(request: Request) -> Response:
        viewer, address = await asked(request)
        name = request.path_params["name"]
        served = await pulls.pull(house.store, house.log, viewer, address, name, house.clock())
        etag = f'"{served.etag}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        answer = http.Answer(
            status=200,
            content=served.body,
            whole=served.body,
            content_type=served.media_type,
            sequence=address.sequence,
            method="GET",
            target_uri=house.settings.public_url + request.url.path,
        )
        headers = {
            "etag": etag,
            "cache-control": "private, no-transform",
            "content-disposition": f'attachment; filename="{name}"',
            **http.signed_headers(answer, house.signer, int(house.clock().timestamp())),
        }
        return Response(served.body, media_type=served.media_type, headers=headers)

    async def acknowledge(request: Request) -> Response:
        viewer, address = await asked(request)
        key = request.headers.get("idempotency-key", "")
        if not 1 <= len(key) <= 128:
            raise Refused(
                Code.BAD_INPUT, "The Idempotency-Key header is missing.", "Send one key for each acknowledgement."
            )
        body = await limited(request, ACK_MAX_BYTES)
        keys = receiver_keys(house, address.receiver)  # without keys nothing is believed, after all else was checked
        answer = await pulls.acknowledge(house.store, house.log, viewer, address, key, body, keys, house.clock())
        return JSONResponse(answer)

    base = "/payouts/{receiver:str}/{sequence:str}"
    return [
        Route(f"{base}/", listing, methods=["GET"]),
        Route(f"{base}/acks", acknowledge, methods=["POST"]),
        Route(f"{base}/{{name:str}}", download, methods=["GET"]),
    ]


def address_of(request: Request) -> Address:
    """The file that the path names; what can name none is not there."""
    receiver, sequence = request.path_params["receiver"], request.path_params["sequence"]
    odd = "\0" in request.path_params.get("name", "")
    if odd or not RECEIVER.fullmatch(receiver) or not SEQUENCE.fullmatch(sequence):
        raise Refused(Code.NOT_FOUND, "No such payout file.", "Check receiver and sequence number.")
    return Address(receiver, int(sequence))


async def limited(request: Request, most_bytes: int) -> bytes:
    """The body, refused as soon as it grows too big."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise Refused(Code.INPUT_TOO_LARGE, f"The body is larger than {most_bytes} bytes.", "Send a smaller one.")
    return bytes(body)


def receiver_keys(house: House, receiver: str) -> Mapping[str, Any]:
    """The keys that were registered for a receiver; none means that nothing it says is believed."""
    path = house.settings.home / "keys" / "receivers" / f"{receiver}.jwks.json"
    keys: Mapping[str, Any] = orjson.loads(path.read_bytes()) if path.is_file() else {"keys": []}
    return keys
