"""What is true of every answer: headers, hosts, refusals; and the small routes beside the large ones."""

import asyncio

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from api import refusals
from api.edge import HEADERS, Edge
from api.house import House
from api.settings import Settings
from engine.refusal import Code, Refused
from tests.api.conftest import Asking

PATHS = [
    "/healthz",
    "/livez",
    "/readyz",
    "/.well-known/jwks.json",
    "/.well-known/evenhand-vkeys.txt",
    "/nowhere",
    "/graphql",
]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_carries_the_headers(ask: Asking, path: str) -> None:
    answer = await ask.client.get(path)
    for name in HEADERS:
        assert name in answer.headers, name
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "server" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert len(answer.headers["x-request-id"]) == 32


async def test_health_and_what_is_published(ask: Asking, house: House) -> None:
    assert (await ask.client.get("/healthz")).json() == {"status": "ok"}
    assert (await ask.client.get("/readyz")).json() == {"status": "ready"}
    keys = (await ask.client.get("/.well-known/jwks.json")).json()["keys"]
    assert keys
    assert all("d" not in key for key in keys), "no private part"
    vkeys = (await ask.client.get("/.well-known/evenhand-vkeys.txt")).text
    assert vkeys.startswith(f"{house.log.origin}+")


async def test_only_known_hosts_are_served(ask: Asking) -> None:
    for host, good in (
        ("small.test", True), ("small.test:8080", True), ("LOCALHOST", True), ("127.0.0.1:1", True),
        ("evil.example", False), ("small.test.evil.example", False), ("", False),
    ):  # fmt: skip
        answer = await ask.client.get("/healthz", headers={"host": host})
        assert (answer.status_code == 200) == good, host
    assert answer.json()["code"] == "BAD_INPUT"


async def test_what_is_not_there(ask: Asking) -> None:
    missing = await ask.client.get("/nowhere")
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
    wrong = await ask.client.post("/healthz")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in wrong.headers["allow"]


class Raises:
    def __init__(self, wrong: Exception) -> None:
        self.wrong = wrong

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise self.wrong


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        (RuntimeError("secret 4711"), 500, "INTERNAL"),
        (TimeoutError("secret 4711"), 504, "TIMEOUT"),
        (ConnectionRefusedError("secret 4711"), 503, "DATABASE_UNAVAILABLE"),
        (Refused(Code.NOT_FOUND, "It is not there.", "Look elsewhere."), 404, "NOT_FOUND"),
        (asyncio.IncompleteReadError(b"secret 4711", 5), 500, "INTERNAL"),
    ],
)
async def test_nothing_but_refusals_leaves(
    wrong: Exception, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Edge(Raises(wrong), Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "what", "fix", "requestId"}
    assert "4711" not in answer.text + caplog.text
    assert ("retry-after" in answer.headers) == (status == 503)


def test_every_code_has_a_status() -> None:
    assert {refusals.status_of(code) for code in Code} <= {
        400,
        401,
        403,
        404,
        405,
        406,
        409,
        413,
        414,
        415,
        429,
        500,
        503,
        504,
    }
    assert refusals.status_of(Code.UNAUTHENTICATED) == 401
    assert refusals.status_of(Code.PLAN_INVALID) == 400
