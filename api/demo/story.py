"""The demonstration told from beginning to end: records in, scores, awards, a payout that checks, scores back.

Every scene calls the same actions as an installation does, and may be told again on the same home: what is there
already stays as it is. Progress goes to stderr; the summary is the return value.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from importlib.resources import files
from typing import Any
from uuid import UUID

import httpx
import orjson
from sqlalchemy import text

from api import identity, rhythm, serving, worker
from api.actions import awards, books, payouts, plans, proofs, runs
from api.actions.drafts import Receiver
from api.actions.plans import Published
from api.app import create_app
from api.demo import cast, portal, receiver
from api.demo.figures import summary
from api.demo.stage import Play, Stage, pointed_at, sandbox
from api.feeds import drain_all, poll_all
from api.house import House
from api.opening import open_house
from api.settings import Settings
from api.signing.folder import open_folder
from api.verify import verify_folder
from engine.ledger import beancount_text, hledger_text
from engine.money import CURRENCY_DIGITS
from engine.refusal import Code, Refused
from engine.words import Role
from schema.store import DbRole, Viewer

RECEIVER = Receiver()
HEARD = text("select exists (select from inbox.delivery where feed = 'WEBHOOK')")
SHUFFLE_SEED, DUPLICATE_SHARE = 11, 0.1


class Feeds(StrEnum):
    """Which way the records come in. Webhooks alone can tell a whole log, not a company that is older than they are."""

    BOTH = "BOTH"
    POLL = "POLL"
    WEBHOOKS = "WEBHOOKS"


BEGAN = time.monotonic()


def say(what: str) -> None:
    print(f"{time.monotonic() - BEGAN:6.1f} s  {what}", file=sys.stderr, flush=True)


async def tell(settings: Settings, play: Play, feeds: Feeds, once: bool) -> Mapping[str, Any]:
    """The whole story; without `once` it goes on serving until it is interrupted."""
    if feeds is Feeds.WEBHOOKS and play.log is None:
        raise Refused(Code.BAD_INPUT, "Webhooks alone cannot fill a company.", "Leave --feeds out, or give --log FILE.")
    async with open_stage(settings, play) as (house, stage):
        scenes = Scenes(house, stage, play)
        await rhythm.begin(house)
        await scenes.read_tools(feeds)
        cast_of = await cast.assign(house.store, house.log, house.clock())
        published = await scenes.publish(cast_of)
        ran = await runs.run(house.store, house.log, house.clock(), published.plan.key)
        say(f"scored: result hash {ran.result_hash}" + ("" if ran.new else " (as before)"))
        if published.plan.pool:
            await scenes.pay(cast_of, published, ran.run_id)
        await worker.sequence(house)
        await scenes.hand_out_keys(cast_of)
        written = await worker.write_back(house, ran.run_id)
        say(f"written back: {written} scores")
        told = await summary(house, ran, cast_of, play.log is not None)
        if not once:
            async with portal.shown(house) as words:
                await scenes.invite(words)
                await worker.go_on(house)
        return told


@asynccontextmanager
async def open_stage(settings: Settings, play: Play) -> AsyncIterator[tuple[House, Stage]]:
    """Sandbox, house and server, started side by side and closed together."""
    say("starting the sandbox, the database and the API")
    async with sandbox(settings, play) as stage:
        pointed = pointed_at(settings, stage.url, stage.secrets, play)
        async with open_house(pointed) as house, serving.served(create_app(house), pointed):
            yield house, stage


async def heard_before(house: House) -> bool:
    """Whether webhooks have reached this home, in this life or an earlier one."""
    async with house.store.begin(DbRole.WORKER, read_only=True) as connection:
        return bool((await connection.execute(HEARD)).scalar())


class Scenes:
    """What happens, one scene a method."""

    def __init__(self, house: House, stage: Stage, play: Play) -> None:
        self._house = house
        self._stage = stage
        self._play = play
        self._out = house.settings.home / "out"

    async def read_tools(self, feeds: Feeds) -> None:
        """Poll, then let the tools send their webhooks, shuffled and partly twice, and mirror everything."""
        house = self._house
        if self._play.log is None and await heard_before(house):
            # The imitated tools forget with their process; real ones do not go back in time. What they had already told
            # this home has happened for them too, so that the poll finds what a crash may have kept us from reading.
            await self._stage.deliver({"what": "live", "servicenow_url": None, "jira_url": None})
        if feeds is not Feeds.WEBHOOKS:
            await poll_all(house, say)
        if feeds is not Feeds.POLL:
            order = {
                "what": "log" if self._play.log else "live",
                "servicenow_url": f"{house.settings.public_url}/hooks/servicenow",
                "jira_url": None if self._play.log else f"{house.settings.public_url}/hooks/jira",
                "shuffle_seed": SHUFFLE_SEED,
                "duplicate_share": DUPLICATE_SHARE,
                "concurrency": 64,
            }
            sending = asyncio.create_task(self._stage.deliver(order))
            try:
                while not sending.done():
                    await drain_all(house)
                    await asyncio.wait([sending], timeout=0.2)
                counts = sending.result()
            finally:
                sending.cancel()  # when we are told to end before the tools have said everything
                await asyncio.gather(sending, return_exceptions=True)
            say(f"webhooks: {counts['sent']} sent, {counts['accepted']} accepted, {counts['refused']} refused")
        await drain_all(house)

    async def publish(self, cast_of: Mapping[str, UUID]) -> Published:
        name = "log_plan.yaml" if self._play.log else "plan.yaml"
        body = files("connectors.sandbox").joinpath(name).read_text(encoding="utf-8")
        house = self._house
        viewer = Viewer(cast_of["plan-admin"])
        published = await plans.publish(house.store, house.log, viewer, body, house.clock())
        say(f"plan {published.plan.key} version {published.plan.version}: {published.plan.content_hash}")
        return published

    async def pay(self, cast_of: Mapping[str, UUID], published: Published, run_id: UUID) -> None:
        """HR submits, finance approves, two approve the file, finance releases it, payroll takes and pays it."""
        house, cycle_id = self._house, published.cycle_id
        store, log, now = house.store, house.log, house.clock()
        finance, second = Viewer(cast_of["finance"]), Viewer(cast_of["finance-second"])
        submitted = await awards.submit(store, log, Viewer(cast_of["hr"]), run_id, now)
        approved = await awards.approve_cycle(store, log, finance, cycle_id, now)
        say(f"awards: {submitted} submitted, {approved} approved")
        environment = house.signer.environment
        for viewer in (finance, second):
            await payouts.approve(store, log, viewer, cycle_id, RECEIVER, environment, now)
        file_id = await payouts.release(store, log, house.signer, finance, cycle_id, RECEIVER, now)
        say(f"payout released: {file_id}" if file_id else "payout: nothing new to pay")
        await self.receive(cast_of["payroll"], now)

    async def receive(self, payroll: UUID, now: datetime) -> None:
        """Payroll pulls over HTTP, checks offline, accepts and pays."""
        house = self._house
        token = identity.mint(house.signer, payroll, now)
        key = receiver.receiver_key(house.settings.home, RECEIVER.name)
        async with httpx.AsyncClient(base_url=house.settings.public_url, timeout=30) as client:
            before = await receiver.fetch(client, token, RECEIVER.name, 1, self._out)
            self.write_keys()
            checks = verify_folder(self._out)
            failed = [check for check in checks if not check.ok]
            if failed:
                raise Refused(
                    Code.SIGNATURE_INVALID, f"The payout does not verify: {failed[0]}.", "Do not pay; ask the issuer."
                )
            say(f"payroll pulled it and {len(checks)} checks passed")
            manifest = (self._out / "manifest.json").read_bytes()
            for stage in {"RELEASED": ("accepted", "paid"), "PULLED": ("accepted", "paid"), "ACCEPTED": ("paid",)}.get(
                before, ()
            ):
                said = await receiver.acknowledge(client, token, key, manifest, stage, now)
                say(f"payroll says {stage}: the file is {said['state']}")

    def write_keys(self) -> None:
        """What a receiver gets over a second channel."""
        signer, out = self._house.signer, self._out
        open_folder(out)  # pay and books: nobody else on this machine reads them
        (out / "payout-ca.pem").write_bytes(signer.payout_ca_pem)
        (out / "jwks.json").write_bytes(orjson.dumps(signer.jwks(), option=orjson.OPT_INDENT_2))
        (out / "log.vkey").write_text(signer.vkey(self._house.log.origin) + "\n")

    async def hand_out_keys(self, cast_of: Mapping[str, UUID]) -> None:
        """Keys, the newest checkpoint and the books, for whoever checks them outside."""
        self.write_keys()
        house = self._house
        async with house.store.begin(DbRole.SEQUENCER) as connection:
            note = await proofs.newest_checkpoint(connection, house.log)
        if note:
            (self._out / "checkpoint").write_text(note)
        viewer = Viewer(cast_of["finance"])
        async with house.store.begin(DbRole.PAY, viewer, read_only=True) as connection:
            journals = await books.read(connection, viewer)
        if journals:
            (self._out / "ledger.beancount").write_text(beancount_text(journals, CURRENCY_DIGITS))
            (self._out / "ledger.journal").write_text(hledger_text(journals, CURRENCY_DIGITS))

    async def invite(self, portal_words: str) -> None:
        """What to paste and where to look."""
        house = self._house
        base = house.settings.public_url
        print(f"\nEvenhand is serving at {base}  (Ctrl-C ends it)")
        print(f"  GraphQL      {base}/graphql")
        print(f"  GraphiQL     {base}/graphiql  (with one of the tokens below)")
        print(f"  Score cards  {portal_words}")
        if (self._out / "payout.csv").exists():  # a plan without a pool pays nothing
            print(f"  Payout       {base}/payouts/{RECEIVER.name}/1/  and the same files in {self._out}")
        tokens = {
            role: identity.mint(house.signer, person, house.clock())
            for role, person in (await cast.players(house.store)).items()
        }
        for role, token in tokens.items():
            print(f"\n{role.value.lower().replace('_', '-')}\n{token}")
        who = Role.MANAGER if Role.MANAGER in tokens else Role.ITSM_ADMIN
        query = "{ viewer { roles person { name } } scores(first: 5) { nodes { subjectLabel value status } } }"
        print(f"\ncurl -s {base}/graphql -H 'Content-Type: application/json' \\")
        print(f"  -H 'Authorization: Bearer {tokens[who]}' \\")
        print(f"  -d '{orjson.dumps({'query': query}).decode()}'\n", flush=True)
