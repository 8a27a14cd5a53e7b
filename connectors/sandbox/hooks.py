"""Webhooks as a living queue: what happens in the imitated tools waits here until it is delivered.

Decides what becomes of each event on its way: dropped, doubled, delayed, out of order, badly signed, replayed, in a
burst, tried again. Chance comes from one seed, waiting runs on the virtual clock. ServiceNow sends once; Jira tries
again with the same identifier and a rising count. How a tool signs and retries stands in `Hooks.modes`, which switches
there are in SWITCHES and in the mode's own. Refuses switches that are not known.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

from connectors.sandbox.deliveries import Parcel
from engine.refusal import Code, Refused

WAITING_MOST = 50_000  # a demonstration that nobody drains must not grow for ever
REPLAYED_SECONDS = 3_600
LOST, DROPPED = "lost", "dropped"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell. `content` is the body before it is written and signed."""

    tool: str
    event_id: str
    table: str
    op: str
    key: str
    content: Mapping[str, Any]
    at: int  # seconds on the virtual clock of the queue
    due: int = 0  # not before; the same clock
    attempt: int = 0
    flaws: tuple[str, ...] = ()  # switches that struck it


# Signs an event at a UNIX second; the attempt counts from 0.
Seal = Callable[[Event, int], Parcel]


@dataclass(frozen=True, slots=True)
class Mode:
    """How one tool sends."""

    seal: Seal
    signature_header: str
    waits: tuple[int, ...] = ()  # virtual seconds before each further try
    retried: Callable[[str], bool] = lambda status: False
    # Switches of this tool alone: name -> what is sent instead of one event, given the switch's value and chance.
    switches: Mapping[str, Callable[[Event, Any, Random], list[Event]]] = field(default_factory=dict)
    address: Callable[[Event], str] = lambda event: ""  # of who registered for it; else the queue's


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, or a decision not to try."""

    number: int
    tool: str
    event_id: str
    table: str
    op: str
    key: str
    attempt: int
    at: int
    url: str
    answer: str  # status, "lost", "dropped"
    flaws: tuple[str, ...]


@dataclass(slots=True)
class Hooks:
    modes: dict[str, Mode] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    switches: dict[str, Any] = field(default_factory=dict)
    rng: Random = field(default_factory=lambda: Random(0))
    waiting: list[Event] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    waited_seconds: int = 0  # by order of the clock alone, so that delays do not pass by themselves
    made: int = 0

    def tell(self, event: Event) -> None:
        """An event joins the queue, and what the switches make of it."""
        self.made += 1
        self.waiting += self._through(replace(event, at=self.waited_seconds, due=self.waited_seconds))
        del self.waiting[:-WAITING_MOST]

    def configure(self, order: Mapping[str, Any]) -> None:
        """Addresses and switches, all of them anew; what waits stays as it is."""
        known = {*SWITCHES, *LATER_SWITCHES, *(name for mode in self.modes.values() for name in mode.switches)}
        urls = {tool: str(order[f"{tool}_url"]) for tool in self.modes if order.get(f"{tool}_url")}
        wanted = {n: v for n, v in order.items() if n != "seed" and not n.endswith("_url")}
        if unknown := sorted(wanted.keys() - known):
            raise Refused(Code.BAD_INPUT, f"There is no switch {unknown[0]}.", f"Use {', '.join(sorted(known))}.")
        self.urls, self.switches, self.rng = self.urls | urls, wanted, Random(order.get("seed", 0))

    def _through(self, event: Event) -> list[Event]:
        events = [event]
        for name, value in self.switches.items():
            change = SWITCHES.get(name) or self.modes[event.tool].switches.get(name)
            if change is not None and value:
                events = [new for one in events for new in change(one, value, self.rng)]
        for one in events:
            if DROPPED in one.flaws:
                self.note(one, DROPPED)
        return [one for one in events if DROPPED not in one.flaws]

    def take(self, tool: str, flush: bool = False) -> list[Event]:
        """Those whose time has come leave the queue, in the order in which they go out."""
        ready = [e for e in self.waiting if e.tool == tool and (flush or e.due <= self.waited_seconds)]
        if not flush and len(ready) < int(self.switches.get("burst") or 0):
            return []
        gone = {id(event) for event in ready}
        self.waiting = [event for event in self.waiting if id(event) not in gone]
        window = int(self.switches.get("reorder") or 0)
        if window > 1:
            parts = [ready[start : start + window] for start in range(0, len(ready), window)]
            ready = [event for part in parts for event in self.rng.sample(part, len(part))]
        return ready

    def seal(self, event: Event, now: int) -> Parcel:
        """Headers and body as they go over the wire at a UNIX second, with what is wrong about them."""
        mode = self.modes[event.tool]
        headers, body = mode.seal(event, now - (REPLAYED_SECONDS if "replay" in event.flaws else 0))
        if "bad_signature" in event.flaws and mode.signature_header in headers:
            signed = headers[mode.signature_header]
            spoiled = signed[:-3] + ("AAA" if signed[-3:] != "AAA" else "BBB")
            headers = {**headers, mode.signature_header: spoiled}
        if "no_signature" in event.flaws:
            headers = {name: value for name, value in headers.items() if name != mode.signature_header}
        return headers, body

    def note(self, event: Event, answer: str, url: str = "") -> None:
        number, at = len(self.attempts) + 1, self.waited_seconds
        told = (event.tool, event.event_id, event.table, event.op, event.key, event.attempt)
        self.attempts.append(Attempt(number, *told, at, url, answer, event.flaws))

    def answered(self, event: Event, answer: str, url: str) -> None:
        """Write the attempt down; whoever may try again waits for it."""
        self.note(event, answer, url)
        mode = self.modes[event.tool]
        if mode.retried(answer) and event.attempt < len(mode.waits):
            due = self.waited_seconds + mode.waits[event.attempt]
            self.waiting.append(replace(event, attempt=event.attempt + 1, due=due))

    def shown(self) -> list[dict[str, Any]]:
        return [asdict(attempt) for attempt in self.attempts]

    def counts(self) -> dict[str, int]:
        return {tool: sum(event.tool == tool for event in self.waiting) for tool in self.modes}


def _flawed(name: str) -> Callable[[Event, Any, Random], list[Event]]:
    def strike(event: Event, share: Any, rng: Random) -> list[Event]:
        hit = rng.random() < float(share)
        return [replace(event, flaws=(*event.flaws, name)) if hit else event]

    return strike


def _duplicate(event: Event, share: Any, rng: Random) -> list[Event]:
    """The same identifier twice."""
    return [event, replace(event, flaws=(*event.flaws, "duplicate"))] if rng.random() < float(share) else [event]


def _delay(event: Event, most_seconds: Any, rng: Random) -> list[Event]:
    return [replace(event, due=event.due + rng.randrange(int(most_seconds) + 1))]


# name -> what becomes of one event; a share from 0 to 1, or seconds for `delay`
SWITCHES: dict[str, Callable[[Event, Any, Random], list[Event]]] = {
    "drop": _flawed(DROPPED),
    "duplicate": _duplicate,
    "delay": _delay,
    "bad_signature": _flawed("bad_signature"),
    "no_signature": _flawed("no_signature"),
    "replay": _flawed("replay"),
}
LATER_SWITCHES = ("reorder", "burst")  # they look at many events: a window, a number at once
