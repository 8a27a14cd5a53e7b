"""Misbehaviour on order: what a test asks the sandbox to do wrong, to which requests, how often.

A fault is {"name", "match": {"method", "path", "table"}, "times" | "probability", "seed", "skip", "params"}: `path` is
a prefix, `skip` lets that many matching requests pass first. Without either it strikes once; a probability strikes by
chance until it is forgotten, or as often as `times` says; `times: null` strikes until it is forgotten. Plays answer in
the tool's place, one of them to a request; layers change what the tool holds or shows, and any number of them meet. A
name that is both is a layer when its params name a budget. Also keeps the request log, without credentials.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from random import Random
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandbox.faults_servicenow import LAYERS as SERVICENOW_LAYERS
from connectors.sandbox.faults_undone import LAYERS as UNDONE_LAYERS
from connectors.sandbox.faults_wire import BUDGETS, PLAYS, Play
from connectors.sandbox.jira_part import LAYERS as JIRA_LAYERS
from connectors.sandbox.jira_part import PLAYS as JIRA_PLAYS
from connectors.sandbox.world import Sandbox
from engine.refusal import Code, Refused

LOG_LENGTH, BODY_CHARACTERS = 20_000, 4_000
# tool -> name -> what happens; a tool's own go before those of every tool ("http")
ALL_PLAYS: dict[str, dict[str, Play]] = {"http": PLAYS, "servicenow": {}, "jira": JIRA_PLAYS}
ALL_LAYERS: dict[str, dict[str, Play]] = {
    "http": BUDGETS,
    "servicenow": SERVICENOW_LAYERS | UNDONE_LAYERS,
    "jira": JIRA_LAYERS,
}


@dataclass(slots=True)
class Fault:
    name: str
    match: Mapping[str, str] = field(default_factory=dict)
    times: int | None = 1
    skip: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    probability: float | None = None
    seed: int = 0
    rng: Random = field(init=False, repr=False)
    memory: dict[str, Any] = field(default_factory=dict, init=False)  # what a layer keeps between two requests

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)

    @property
    def spent(self) -> bool:
        return self.times is not None and self.times <= 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is hit; counts it if so."""
        pieces = path.split("/")
        hit = (
            not self.spent
            and self.match.get("method", method) == method
            and path.startswith(self.match.get("path", ""))
            and self.match.get("table", pieces[-1]) in pieces
        )
        if hit and self.skip > 0:
            self.skip -= 1
            return False
        if hit and self.probability is not None:
            hit = self.rng.random() < self.probability
        if hit and self.times is not None:
            self.times -= 1
        return hit


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the request log."""

    number: int
    method: str
    path: str
    query: str
    body: str
    status: int
    fault: str  # names, joined by commas


class Faulty:
    """The app with its log and its planned faults around it."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self.app = app
        self.sandbox = sandbox
        self.faults: list[Fault] = []
        self.log: deque[Entry] = deque(maxlen=LOG_LENGTH)
        self.requests = 0

    def plan(self, faults: list[dict[str, Any]]) -> None:
        """Add faults; refuses names that are not known."""
        planned = [Fault(**({"times": None} if "probability" in fault else {}) | fault) for fault in faults]
        known = {name for tables in (ALL_PLAYS, ALL_LAYERS) for plays in tables.values() for name in plays}
        for fault in planned:
            if fault.name not in known:
                what, fix = f"There is no fault {fault.name}.", f"Use one of {', '.join(sorted(known))}."
                raise Refused(Code.BAD_INPUT, what, fix)
        self.faults = [fault for fault in self.faults if not fault.spent] + planned

    def planned(self) -> list[dict[str, Any]]:
        shown = ("name", "match", "times", "probability", "seed", "skip", "params")
        return [{name: getattr(fault, name) for name in shown} for fault in self.faults if not fault.spent]

    def logged(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.log]

    def _struck(self, method: str, path: str) -> list[tuple[Fault, Play]]:
        """Faults that hit this request, outermost first: what changes the tool happens whatever it answers."""
        tool = "jira" if path.startswith("/jira/") else "servicenow"
        play: list[tuple[Fault, Play]] = []
        layers: list[tuple[Fault, Play]] = []
        for fault in self.faults:
            layer, answer = _found(ALL_LAYERS, tool, fault.name), _found(ALL_PLAYS, tool, fault.name)
            if layer is not None and (answer is None or "budget" in fault.params):
                if fault.strikes(method, path):
                    layers.append((fault, layer))
            elif answer is not None and not play and fault.strikes(method, path):
                play.append((fault, answer))
        return layers + play

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, body = 0, bytearray()

        async def listen() -> Message:
            message = await receive()
            body.extend(message.get("body", b"")[: BODY_CHARACTERS - len(body)])
            return message

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        method, path = scope["method"], scope["path"]
        struck = self._struck(method, path)
        scope["sandbox"], app = self.sandbox, self.app
        for fault, play in reversed(struck):
            app = partial(play, app, fault)
        await app(scope, listen, watch)
        self.requests += 1
        query, text = scope["query_string"].decode("latin-1"), body.decode("utf-8", "replace")
        # credentials come in the body of the token request alone; they are not kept
        text = "" if path == "/oauth_token.do" else text
        names = ",".join(fault.name for fault, _ in struck)
        self.log.append(Entry(self.requests, method, path, query, text, status, names))


def _found(tables: Mapping[str, Mapping[str, Play]], tool: str, name: str) -> Play | None:
    return tables[tool].get(name) or tables["http"].get(name)
