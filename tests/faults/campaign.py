"""Seeded campaigns against the sandbox: users edit, hooks get lost, the tools misbehave, we are cut off; then it ends.

A seed decides everything: the world, who edits what and when, which faults strike, which feeds run, where we are cut
off. When the faults have ended and the feeds have run, the mirror must be the truth, row by row and hash by hash.
`python -m tests.faults.campaign --first 0 --count 1000` runs many and names those that fail.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import asyncpg
import httpx

from api import feeds, settings
from api.app import create_app
from api.house import House
from api.opening import open_house
from api.serving import served
from api.sources import connected
from connectors.governor import Governor
from connectors.sandbox.app import Credentials, create, listen, server
from connectors.sandbox.faults_servicenow import edit_by_chance
from connectors.sandbox.faults_undone import roll_back, set_back
from connectors.sandbox.servicenow import Login
from connectors.sandbox.servicenow_columns import INSERT_ONLY
from connectors.source import SourceRefused, SourceUnavailable
from schema import embedded
from tests.faults.truth import differences
from tests.journeys.place import free_port, fresh_folder

HOOK_SECRET = "whsec_bWFkZS11cC1tYWRlLXVwLW1hZGUtdXAtbWFkZS11cA=="
CREDENTIALS = Credentials(
    Login("evenhand.integration", "made-up-password", "client", "made-up-secret"), HOOK_SECRET,
    "evenhand@tarnhelm.example", "made-up-token", "made-up-hook-made-up-hook-made-up-hook",
)  # fmt: skip
SCHEMAS = ("access", "inbox", "mirror", "ops", "score")
JIRA_OPS = ("create", "edit", "transition", "assign", "comment", "delete")
STATUSES = ("3", "10001", "10002", "10003", "6")
ALWAYS, AND_SOME = ("incident", "task_sla"), 4  # tables of one campaign; many campaigns meet all of them
DELETES_A_TABLE = 4  # below what a sweep holds back
FEW_ROWS = 6
UNDONE = 0.2  # share of what users do that has not happened in the end

# Each fault with what it needs; all of them end when they are forgotten.
TROUBLE: tuple[dict[str, Any], ...] = (
    {"name": "http_error", "probability": 0.2, "params": {"status": 503}},
    {"name": "http_error", "probability": 0.1, "params": {"status": 500}},
    {"name": "truncate", "probability": 0.2, "params": {"at": 300}},
    {"name": "transaction_cancelled", "probability": 0.3, "match": {"path": "/api/now"}},
    {"name": "html_login", "times": 2},
    {"name": "rate_limit", "times": 3, "params": {"retry_after": 1}},
    {"name": "slow", "times": 2, "params": {"seconds": 0.01}},
    {"name": "row_cap", "times": None, "match": {"table": "incident"}, "params": {"rows": 25}},
    {"name": "acl_rows", "times": None, "match": {"table": "incident"}, "params": {"share": 0.3}},
    {"name": "acl_rows", "times": None, "match": {"table": "task_sla"}, "params": {"share": 0.5, "count": "post"}},
    {"name": "permission_loss", "times": None, "match": {"table": "change_request"}},
    {"name": "late_commit", "times": None, "match": {"table": "incident"}, "params": {"seconds": 300}},
    {"name": "tied_stamps", "times": 2, "match": {"table": "incident"}, "params": {"rows": 30}},
    {"name": "silent_update", "times": 2, "match": {"table": "problem"}, "params": {"rows": 2}},
    {"name": "edit_during_paging", "times": 3, "match": {"table": "incident"},
     "params": {"edits": 3, "ops": ["insert", "update"]}},
    {"name": "sla_repair", "times": 1, "match": {"table": "task_sla"}, "params": {"rows": 1}},
    {"name": "index_lag", "times": None, "params": {"seconds": 120}},
    {"name": "fewer_items", "times": None, "params": {"most": 7, "omit_last": True}},
    {"name": "sla_rebuild", "times": 1},
    {"name": "rolled_back", "times": 2, "match": {"path": "/api/now"}, "params": {"rows": 2}},
    {"name": "rolled_back", "times": 1, "match": {"table": "incident"}, "params": {"ops": ["insert", "delete"]}},
    {"name": "set_back", "times": 2, "match": {"table": "incident"}, "params": {"rows": 2}},
)  # fmt: skip
SWITCHES: tuple[dict[str, Any], ...] = (
    {}, {"drop": 0.5}, {"drop": 1.0}, {"duplicate": 0.5}, {"reorder": 20}, {"bad_signature": 0.3},
    {"drop": 0.3, "duplicate": 0.3, "reorder": 10}, {"delay": 900},
)  # fmt: skip


@dataclass
class Place:
    """One sandbox, one service and one database, used for one world after the other."""

    house: House
    app: Any
    control: httpx.Client
    admin: asyncpg.Connection
    hooks: dict[str, str]
    environ: dict[str, str]
    sleeps: list[float] = field(default_factory=list)

    login = (CREDENTIALS.servicenow.user, CREDENTIALS.servicenow.password)

    @property
    def sandbox(self) -> Any:
        return self.app.state.sandbox

    def order(self, name: str, content: Any) -> Any:
        answer = self.control.post(f"/_sandbox/{name}", json=content)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def empty(self) -> None:
        """As a fresh database; what never may be edited is edited here by the administrator."""
        tables = await self.admin.fetch(
            "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = any($1)"
            " and tablename <> 'security_digest'", list(SCHEMAS),
        )  # fmt: skip
        await self.admin.execute("set session_replication_role = replica")
        await self.admin.execute(f"truncate {', '.join(row['name'] for row in tables)} restart identity")
        await self.admin.execute("set session_replication_role = origin")


@contextmanager
def sandbox() -> Iterator[tuple[Any, str]]:
    """The imitated tools over real HTTP, in a thread of their own."""
    app = create(0, CREDENTIALS, size="small")
    running, listener = server(app), listen(0)
    thread = threading.Thread(target=lambda: running.run(sockets=[listener]), daemon=True)
    thread.start()
    try:
        yield app, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join(10)


@asynccontextmanager
async def place(database_url: str, folder: Path) -> AsyncIterator[Place]:
    """Everything but the world. A governor waits by the clock of its own, so that nobody sleeps."""
    sleeps: list[float] = []

    def governor(_url: str, _account: str) -> Governor:
        return Governor(clock=lambda: sum(sleeps), sleep=sleeps.append, failures_to_open=10**9)

    with sandbox() as (app, url), mock.patch("api.sources.governor_of", governor):
        environ = {
            "EVENHAND_HOME": str(folder), "EVENHAND_PORT": str(free_port()), "EVENHAND_DATABASE_URL": database_url,
            "EVENHAND_SERVICENOW_URL": url, "EVENHAND_SERVICENOW_USER": CREDENTIALS.servicenow.user,
            "EVENHAND_SERVICENOW_PASSWORD": CREDENTIALS.servicenow.password,
            "EVENHAND_SERVICENOW_WEBHOOK_SECRET": CREDENTIALS.servicenow_hook,
            "EVENHAND_JIRA_URL": f"{url}/jira", "EVENHAND_JIRA_USER": CREDENTIALS.jira_email,
            "EVENHAND_JIRA_TOKEN": CREDENTIALS.jira_token, "EVENHAND_JIRA_WEBHOOK_SECRET": CREDENTIALS.jira_hook,
        }  # fmt: skip
        chosen = settings.read(environ)
        async with open_house(chosen) as house:
            admin = await asyncpg.connect(database_url)
            here = f"http://127.0.0.1:{chosen.port}/hooks"
            hooks = {"servicenow_url": f"{here}/servicenow", "jira_url": f"{here}/jira"}
            async with served(create_app(house), chosen):
                # a connection of its own for each order: one that idles is closed by the other side
                with httpx.Client(
                    base_url=url, timeout=60, limits=httpx.Limits(max_keepalive_connections=0)
                ) as control:
                    yield Place(house, app, control, admin, hooks, environ, sleeps)
            await admin.close()


@dataclass
class Campaign:
    """One seed against one place. `entities` are those that its feeds read; webhooks speak of all."""

    place: Place
    seed: int
    rng: random.Random
    entities: tuple[str, ...] = ()
    deleted: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)

    async def play(self) -> list[str]:
        """Play the whole schedule; what differs from the truth at the end."""
        await self.place.empty()
        self.place.order("seed", {"seed": self.seed, "size": "small"})
        self.place.order("hooks", {**self.place.hooks, **self.rng.choice(SWITCHES), "seed": self.seed})
        every = [each.entity for each in (await connected(self.place.house.store, self.place.house.settings)).readings]
        self.entities = tuple(sorted({*ALWAYS, *self.rng.sample(every, AND_SOME)}))
        ways = self.rng.choice(("webhooks", "polls", "sweeps", "all", "all"))
        for _ in range(self.rng.randint(3, 6)):
            self.edit()
            self.spoil()
            await self.feed(ways)
            if self.rng.random() < 0.5:
                self.calm()
        self.edit()
        self.calm()
        await self.end()
        return await differences(self.place, self.entities)

    # ---- what happens in the tools

    def edit(self) -> None:
        for _ in range(self.rng.randint(0, 8)):
            if self.rng.random() < 0.3:
                self.jira_edit()
            else:
                self.servicenow_edit()
            if self.rng.random() < 0.3:
                self.pass_time(self.rng.randint(1, 90))
        self.pass_time(self.rng.choice((5, 120, 3_600, 90_000)))

    def pass_time(self, seconds: int) -> None:
        self.place.order("clock", {"advance_seconds": seconds})

    def servicenow_edit(self) -> None:
        records = self.place.sandbox.records
        name = self.rng.choice(("incident", "incident", "change_request", "problem", *sorted(records.tables)))
        table = records.table(name)
        if name not in INSERT_ONLY and self.rng.random() < UNDONE:
            self.undo(table)
            return
        op = "insert" if name in INSERT_ONLY else self.rng.choice(("insert", "update", "update", "update", "delete"))
        if op == "delete" and not self.may_delete(name, len(table.rows)):
            op = "update"
        with contextlib.suppress(LookupError):
            edit_by_chance(records, table, op, self.rng)

    def undo(self, table: Any) -> None:
        """A transaction is rolled back after its webhook, or a row is set back as after a restore."""
        records, way = self.place.sandbox.records, self.rng.choice(("update", "update", "insert", "delete", "restore"))
        if way == "insert" and not self.may_delete(table.name, len(table.rows)):  # it will be found gone
            way = "update"
        if way == "restore":
            set_back(records, table, self.rng)
        else:
            roll_back(records, table, way, self.rng)

    def may_delete(self, name: str, rows: int) -> bool:
        self.deleted[name] += 1
        return rows > FEW_ROWS and self.deleted[name] <= DELETES_A_TABLE and name not in ("sys_user", "sys_dictionary")

    def jira_edit(self) -> None:
        issues = sorted(self.place.sandbox.jira.issues)
        op = self.rng.choice(JIRA_OPS)
        if op == "delete" and not self.may_delete("jira", len(issues)):
            op = "edit"
        act: dict[str, Any] = {"tool": "jira", "op": op, "key": self.rng.choice(issues)}
        if op == "create":
            act = {"tool": "jira", "op": op, "type": "incident", "fields": {"summary": f"New {self.rng.random()}"}}
        elif op == "edit":
            act["fields"] = {"priority": self.rng.choice("1234"), "summary": f"Edited {self.rng.random()}"}
        elif op == "transition":
            act["status"] = self.rng.choice(STATUSES)
        elif op == "assign":
            act["to"] = None
        elif op == "comment":
            act["body"] = "Looked at it."
        answer = self.place.control.post("/_sandbox/act", json=[act])
        assert answer.status_code in (200, 400), answer.text  # 400: the workflow does not allow this move

    def spoil(self) -> None:
        chosen = self.rng.sample(TROUBLE, self.rng.randint(0, 3))
        self.place.order("faults", [{**fault, "seed": self.rng.randrange(10**6)} for fault in chosen])
        self.told.append("+".join(str(fault["name"]) for fault in chosen))

    def calm(self) -> None:
        assert self.place.control.delete("/_sandbox/faults").is_success

    # ---- what we do

    async def feed(self, ways: str) -> None:
        """Some of the feeds; a fault may end one, and we may be cut off in the middle of it."""
        house, scope = self.place.house, self.scope()
        jobs = {
            "webhooks": [self.deliver],
            "polls": [lambda: feeds.poll_all(house, scope=scope)],
            "sweeps": [lambda: feeds.sweep_all(house, scope=scope)],
            "all": [
                self.deliver,
                lambda: feeds.poll_all(house, scope=scope),
                lambda: feeds.sweep_all(house, scope=scope),
            ],
        }[ways]
        self.rng.shuffle(jobs)
        for job in jobs:
            patience = self.rng.choice((None, None, None, 0.02, 0.2))
            with contextlib.suppress(SourceRefused, SourceUnavailable, TimeoutError):
                await asyncio.wait_for(job(), patience)  # type: ignore[no-untyped-call]

    def scope(self, whole: bool = False) -> feeds.Scope:
        return feeds.Scope(entities=self.entities, whole=whole)

    async def deliver(self) -> None:
        await asyncio.to_thread(self.place.order, "deliver", {"what": "pending"})
        await feeds.drain_all(self.place.house)

    async def end(self) -> None:
        """Quiet: two key sweeps and a content sweep, as two nights and a weekend would bring them.

        Where more has gone than a sweep lets go by itself, a person has looked and says so, once.
        """
        house, scope = self.place.house, self.scope()
        await self.deliver()
        self.pass_time(900)
        await feeds.sweep_all(house, scope=scope)
        self.pass_time(86_400)
        for held in [swept for swept in await feeds.sweep_all(house, scope=scope) if swept.state == "HELD"]:
            only = feeds.Scope(sources=(held.source,), entities=(held.entity,))
            await feeds.sweep_all(house, scope=only, allowed=held.suspected)
            self.pass_time(86_400)
            await feeds.sweep_all(house, scope=only)
        await feeds.poll_all(house, scope=self.scope(whole=True))


async def campaign(place: Place, seed: int) -> tuple[list[str], Campaign]:
    one = Campaign(place, seed, random.Random(f"campaign:{seed}"))
    return await one.play(), one


async def many(first: int, count: int) -> int:
    """Run the seeds, print those that end wrongly and a line for every fifty; how many did."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        here = embedded.start(fresh_folder("evenhand-campaign-"))
        failed, began = 0, time.monotonic()
        try:
            async with place(here.url(), home / "service") as where:
                for seed in range(first, first + count):
                    try:
                        wrong, one = await campaign(where, seed)
                    except Exception as error:
                        wrong, one = [f"{type(error).__name__}: {error}"], None
                    if wrong:
                        failed += 1
                        print(f"seed {seed}: {len(wrong)} differences; {one and one.told}", *wrong[:6], sep="\n   ")
                    if (seed - first + 1) % 50 == 0:
                        took = time.monotonic() - began
                        print(f"{seed - first + 1} schedules, {failed} wrong, {took:.0f} s", flush=True)
        finally:
            here.stop()
    print(f"{count} schedules, {failed} wrong")
    return failed


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--count", type=int, default=100)
    chosen = options.parse_args()
    sys.exit(bool(asyncio.run(many(chosen.first, chosen.count))))
