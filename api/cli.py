"""The command `evenhand`. It parses words and prints; what it does stands in the actions and beside this file.

Exit status: 0 done, 1 something failed or did not verify, 2 the call or an input was refused (the text says why and
what to do), 130 interrupted by Ctrl-C, 143 asked to end. Either way everything that was opened is closed first.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from base64 import b64encode
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from api import cli_contracts, cli_documents, cli_files, cli_mirror, cli_outbox, cli_reports
from api import settings as configuration
from api.settings import Settings
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Refused
from engine.words import Role

REFUSED, FAILED, INTERRUPTED, ASKED_TO_END = 2, 1, 130, 143


class Words(click.Group):
    """Turns expected refusals into words and exit statuses, for every command at once."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as refused:
            click.echo(f"{refused.code.value}: {refused.what}\n  To fix it: {refused.fix}", err=True)
            sys.exit(REFUSED)
        except (SourceRefused, SourceUnavailable) as failed:
            click.echo(f"{type(failed).__name__}: {failed}", err=True)
            sys.exit(FAILED)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except asyncio.CancelledError:
            click.echo("Ended, as asked.", err=True)
            sys.exit(ASKED_TO_END)


def spelled(word: str) -> str:
    """Roles and options may be written as everywhere else: ITSM_ADMIN is itsm-admin."""
    return word.lower().replace("_", "-")


@click.group(cls=Words, context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": spelled})
@click.version_option(package_name="evenhand")
def main() -> None:
    """Evenhand turns what happened in ServiceNow and Jira into pay that people accept as fair, and proves every cent.

    Settings are environment variables: EVENHAND_HOME (data folder, default ./.evenhand), EVENHAND_PORT (default 8080),
    EVENHAND_DATABASE_URL (an external PostgreSQL instead of the embedded one); docs/settings.md lists them all.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def read_settings() -> Settings:
    return configuration.read(os.environ)


def start(work: Callable[[Settings], Coroutine[Any, Any, Any]]) -> Any:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(until_asked_to_end(work(read_settings())))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one."""
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.new_event_loop


async def until_asked_to_end(work: Coroutine[Any, Any, Any]) -> Any:
    """SIGTERM, and a terminal that goes away, end the work as Ctrl-C does. Being asked again changes nothing."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, lambda: task.cancelling() or task.cancel())
    return await task


def out(value: Any) -> None:
    click.echo(json.dumps(value, sort_keys=True, default=str))


@main.command()
@click.option("--once", is_flag=True, help="Do the whole job, print a summary as JSON on the last line, and exit.")
@click.option("--seed", type=int, default=7, show_default=True, help="Which made-up company.")
@click.option("--log", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A real incident event log (.csv or .csv.gz) instead of a made-up company.")  # fmt: skip
@click.option("--feeds", type=click.Choice(["both", "poll", "webhooks"]), default="both", show_default=True,
              help="Which way the records come in.")  # fmt: skip
def demo(once: bool, seed: int, log: Path | None, feeds: str) -> None:
    """Show the whole thing on a sandboxed ServiceNow and Jira; serve until Ctrl-C unless --once."""
    from api.demo import story
    from api.demo.stage import Play

    summary = start(lambda settings: story.tell(settings, Play(seed, log), story.Feeds(feeds.upper()), once))
    if once:
        out(summary)


@main.command()
def serve() -> None:
    """Serve the API, the webhooks, the embeds and the payout files."""
    from api import serving

    start(serving.serve)


@main.command()
@click.option("--once", is_flag=True, help="One round instead of going on until Ctrl-C.")
def work(once: bool) -> None:
    """Read the tools, drain the inbox, score what changed, sequence the audit log, write scores back."""
    from api import worker

    start(lambda settings: worker.work(settings, once))


@main.command()
def migrate() -> None:
    """Bring the database up to date and lay the row-security policies anew. Safe to repeat."""
    from api.opening import open_house

    async def bring_up(settings: Settings) -> None:
        async with open_house(settings):
            click.echo("The database is up to date.")

    start(bring_up)


@main.command()
@click.option("--plan", "plan_key", default="", help="Key of the plan; the newest one if left out.")
def run(plan_key: str) -> None:
    """Score the newest plan's cycle on the mirror as it is now. The same inputs give the same result hash."""
    from api.actions import runs
    from api.opening import open_house

    async def score(settings: Settings) -> dict[str, Any]:
        async with open_house(settings) as house:
            ran = await runs.run(house.store, house.log, house.clock(), plan_key)
            return {"run": str(ran.run_id), "result_hash": ran.result_hash, "new": ran.new}

    out(start(score))


@main.command()
@click.argument("document", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--person", type=click.UUID, required=True, help="Who publishes: a holder of PLAN_ADMIN.")
def plan(document: Path, person: UUID) -> None:
    """Check a plan document and publish it. A published version never changes."""
    from api.actions import plans
    from api.opening import open_house
    from schema.store import Viewer

    async def publish(settings: Settings) -> dict[str, Any]:
        async with open_house(settings) as house:
            found = await plans.publish(house.store, house.log, Viewer(person), document.read_text(), house.clock())
            return {"plan": found.plan.key, "version": found.plan.version, "content_hash": found.plan.content_hash}

    out(start(publish))


ROLES = click.Choice([role.value.lower().replace("_", "-") for role in Role])


def role_of(_ctx: click.Context, _param: click.Parameter, word: str | None) -> Role | None:
    return Role(word.upper().replace("-", "_")) if word else None


ROLE = click.argument("role", type=ROLES, callback=role_of)


@main.command()
@ROLE
@click.option("--person", metavar="UUID|EMAIL", required=True, help="Who gets it.")
@click.option("--by", required=True, help="Name of the first person who decided this.")
@click.option("--and", "by_second", required=True, help="Name of the second one.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD",
              help="Last day, UTC; required for all roles but itsm-admin.")  # fmt: skip
def grant(role: Role, person: str, by: str, by_second: str, until: datetime | None) -> None:
    """Give a person a role that two people decided on, or prolong it. It works at once."""
    from api.actions import access
    from api.opening import open_house

    end = until.replace(tzinfo=UTC) + timedelta(days=1) if until else None

    async def give(settings: Settings) -> dict[str, Any]:
        async with open_house(settings) as house:
            store, log, both, now = house.store, house.log, (by, by_second), house.clock()
            who = await access.person_called(store, person)
            new = await access.grant(store, log, person_id=who, role=role, by=both, until=end, now=now)
            return {"role": role, "person": who, "until": end, "new": new}

    out(start(give))


@main.command()
@ROLE
@click.option("--person", metavar="UUID|EMAIL", required=True, help="Who loses it.")
@click.option("--by", required=True, help="Name of the first person who decided this.")
@click.option("--and", "by_second", required=True, help="Name of the second one.")
def revoke(role: Role, person: str, by: str, by_second: str) -> None:
    """End a role that a person holds. It works at once."""
    from api.actions import access
    from api.opening import open_house

    async def end(settings: Settings) -> dict[str, Any]:
        async with open_house(settings) as house:
            store, log, both, now = house.store, house.log, (by, by_second), house.clock()
            who = await access.person_called(store, person)
            await access.revoke(store, log, person_id=who, role=role, by=both, now=now)
            return {"role": role, "person": who, "revoked": True}

    out(start(end))


@main.command()
def audit() -> None:
    """Compute every leaf and every root of the audit log again; exit status 1 when one differs from what was stored."""
    from api.actions import proofs
    from api.opening import open_house
    from schema.store import DbRole

    async def check(settings: Settings) -> proofs.Verified:
        async with open_house(settings) as house, house.store.begin(DbRole.SEQUENCER, read_only=True) as connection:
            return await proofs.verify_log(connection, house.log)

    found: proofs.Verified = start(check)
    broken = {} if found.broken_index is None else {"broken_index": found.broken_index, "why": found.why}
    out({"size": found.size, "root": b64encode(found.root).decode(), "ok": not broken, **broken})
    sys.exit(FAILED if broken else 0)


@main.command()
@click.argument("role", required=False, type=ROLES, callback=role_of)
@click.option("--person", type=click.UUID, help="For this person instead of the demonstration's player of the role.")
@click.option("--scope", type=click.Choice(["scim:write"]), help="For a service account, not a person; 10 minutes.")
def token(role: Role | None, person: UUID | None, scope: str | None) -> None:
    """Print a bearer token of the development issuer, good for one hour. Refuses production."""
    from api import identity
    from api.demo import cast
    from api.opening import open_house

    if (role is None) == (scope is None):
        raise click.UsageError("name either a role or --scope")

    async def mint(settings: Settings) -> str:
        async with open_house(settings) as house:
            if scope:
                return identity.mint_service(house.signer, scope, house.clock())
            who = person or await cast.player(house.store, role or Role.EMPLOYEE)
            return identity.mint(house.signer, who, house.clock())

    click.echo(start(mint))


@main.command()
def requests() -> None:
    """List the roles that groups of the identity provider ask for, each as one line of JSON."""
    from api.actions import role_requests
    from api.opening import open_house

    async def read(settings: Settings) -> list[dict[str, Any]]:
        async with open_house(settings) as house:
            roles = dict(settings.scim_roles)
            return await role_requests.open_requests(house.store, house.log, roles, house.clock())

    for each in start(read):
        out(each)


@main.command()
@click.argument("request", type=click.UUID)
@click.option("--person", type=click.UUID, required=True, help="Who decides: a holder of HR, never about himself.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD",
              help="Last day, UTC; required for all roles but itsm-admin.")  # fmt: skip
@click.option("--refuse", is_flag=True, help="Say no instead.")
def decide(request: UUID, person: UUID, until: datetime | None, refuse: bool) -> None:
    """Grant what a group of the identity provider asks for, as the second person, or refuse it."""
    from api.actions import role_requests
    from api.opening import open_house
    from schema.store import Viewer

    end = until.replace(tzinfo=UTC) + timedelta(days=1) if until else None

    async def act(settings: Settings) -> dict[str, Any]:
        async with open_house(settings) as house:
            store, log, viewer, now = house.store, house.log, Viewer(person), house.clock()
            if refuse:
                await role_requests.refuse(store, log, viewer, request, now)
                return {"request": request, "granted": False}
            await role_requests.approve(store, log, viewer, request, end, now)
            return {"request": request, "granted": True, "until": end}

    out(start(act))


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--ca", type=click.Path(exists=True, path_type=Path), help="payout-ca.pem from another channel.")
@click.option("--jwks", type=click.Path(exists=True, path_type=Path), help="jwks.json from another channel.")
@click.option("--vkey", type=click.Path(exists=True, path_type=Path), help="log.vkey from another channel.")
def verify(folder: Path, ca: Path | None, jwks: Path | None, vkey: Path | None) -> None:
    """Check a payout folder offline: signatures, hashes, totals, lines, and the proof of its release."""
    from api import verify as checking

    sys.exit(checking.run(folder, ca=ca, jwks=jwks, vkey=vkey))


@main.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
@click.option("--rounds", type=click.IntRange(1, 100), help="Interleaved rounds.")
@click.option("--seconds", type=click.FloatRange(0.1, 60), help="Of each measurement.")
@click.option("--records", type=click.IntRange(1_000, 10_000_000), help="How many the tool has.")
@click.option("--revisions", type=click.IntRange(4_000, 10_000_000), help="Mirror so many versions, without a peer.")
def bench(name: str, as_json: bool, **measured: Any) -> None:
    """Measure NAME against its peer in the same run and print the ratio."""
    from api.bench import BENCHES

    if name not in BENCHES:
        raise click.UsageError(f"there is no bench {name!r}; there are: {', '.join(sorted(BENCHES))}")
    given = {option: value for option, value in measured.items() if value is not None}
    if unknown := sorted(set(given) - set(signature(BENCHES[name]).parameters)):
        raise click.UsageError(f"the bench {name!r} has no --{unknown[0]}")
    result = BENCHES[name](**given)
    if as_json:
        out(result)
    else:
        sign = ">=" if result["better"] == "higher" else "<="
        click.echo(f"{name}: ratio {result['ratio']}, target {sign} {result['target']}, over {result['peer']}")


@main.command()
def capabilities() -> None:
    """List the rows of the capability book and the tests that prove them."""
    from api.capabilities import listing

    for line in listing():
        click.echo(line)


for room in (cli_contracts, cli_documents, cli_files, cli_mirror, cli_outbox, cli_reports):
    for about_data in room.COMMANDS:
        main.add_command(about_data)

if __name__ == "__main__":
    main()
