"""The commands about data: contracts, their issues, replays, definitions of words, and reports.

They parse words and print; what they do stands in the actions. Registered by the command `evenhand` (api/cli.py).
"""

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from api.house import House
from api.settings import Settings
from schema.store import Viewer

Act = Callable[[House, Viewer], Awaitable[Any]]
SOURCE = click.argument("source")
PERSON = click.option("--person", metavar="UUID|EMAIL", required=True, help="Who does it: a holder of ITSM_ADMIN.")
VERSION = click.option("--version", "version_no", type=click.IntRange(1), help="The newest one if left out.")
FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])


def within(act: Act, person: str = "") -> Any:
    """Do it in the opened house, for this person."""
    from api.actions import access
    from api.cli import start
    from api.opening import open_house

    async def done(settings: Settings) -> Any:
        async with open_house(settings) as house:
            who = await access.person_called(house.store, person) if person else None
            return await act(house, Viewer(who))

    return start(done)


def told(value: Any) -> None:
    click.echo(json.dumps(value, sort_keys=True, default=str))


def say(line: str) -> None:
    click.echo(line, err=True)


@click.group()
def contract() -> None:
    """Data contracts: which columns of a tool are read, and what their values mean."""


@contract.command("list")
def list_() -> None:
    """Every version of every governed document, and which one is in force."""
    from api.actions import documents

    for row in within(lambda house, viewer: documents.listed(house.store)):
        report = row.pop("test_report") or {}
        told({**row, "tested_at": report.get("tested_at")})


@contract.command()
@SOURCE
def show(source: str) -> None:
    """Print the contract of SOURCE that counts now, as text to begin a change with."""
    from api.actions import contracts
    from api.contracts import source_of

    click.echo(within(lambda house, _: contracts.in_use(house.store, house.settings, source_of(source))).text, nl=False)


@contract.command()
@SOURCE
@FILE
@PERSON
def propose(source: str, file: Path, person: str) -> None:
    """Check a contract FILE for SOURCE (servicenow, jira) and keep it as the next version."""
    from api.actions import contracts

    body = file.read_text(encoding="utf-8")
    kept = within(lambda h, viewer: contracts.propose(h.store, h.log, viewer, source, body, h.clock()), person)
    told({"name": kept.name, "version": kept.version_no, "state": kept.state, "content_hash": kept.content_hash})


@contract.command("test")
@SOURCE
@VERSION
@PERSON
@click.option("--sample", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Records of an entity.")
def try_on(source: str, version_no: int | None, person: str, sample: int) -> None:
    """Try a proposed contract on the newest stored records, and on a sample of the tool where it is connected."""
    from api.actions import contracts

    told(within(lambda h, viewer: contracts.try_on(
        h.store, h.log, viewer, h.settings, source, version_no, h.clock(), sample), person))  # fmt: skip


@contract.command()
@SOURCE
@VERSION
@PERSON
def activate(source: str, version_no: int | None, person: str) -> None:
    """Put a tested contract in force. Whoever proposed it cannot. `evenhand contract replay` applies it to the past."""
    from api.actions import contracts

    applied = within(lambda h, viewer: contracts.activate(
        h.store, h.log, viewer, h.settings, source, version_no, h.clock()), person)  # fmt: skip
    told({"version": applied.document.version_no, "replays": applied.replays, "read_anew": applied.anew})


@contract.command()
@SOURCE
@PERSON
def retire(source: str, person: str) -> None:
    """End the contract in force; the one that the installation brings counts again."""
    from api.actions import contracts

    applied = within(lambda h, viewer: contracts.retire(h.store, h.log, viewer, h.settings, source, h.clock()), person)
    told({"retired": applied.document.version_no, "replays": applied.replays, "read_anew": applied.anew})


@contract.command()
@click.option("--source", default="", help="Only this tool.")
@click.option("--entity", default="", help="Only this table or resource.")
@click.option("--waiting", is_flag=True, help="Only what another contract asked for and is not done yet.")
def replay(source: str, entity: str, waiting: bool) -> None:
    """Read stored records again under the contract in force, without asking the tool. Goes on where it stopped."""
    from api.actions import contracts

    async def act(house: House, _: Viewer) -> Any:
        since = None if waiting else house.clock()
        return await contracts.replay(house.store, house.settings, say, source, entity, since)

    done = within(act)
    told({"records": done.records, "rows": done.rows, "unplaced": done.unplaced, "without_body": done.without_body})


@contract.command()
def check() -> None:
    """Hold the mirror against the rules that need all records: references and unique values."""
    from api.actions import contracts

    found = within(lambda house, _: contracts.check_rules(house.store, house.settings, house.clock()))
    for source, one in found.items():
        told({"source": source, "listed": one.listed, "settled": len(one.settled)})


@contract.command()
@SOURCE
@click.option("--ends", type=MOMENT, required=True, help="End of the period, UTC.")
@click.option("--opens", type=MOMENT, required=True, help="When its review opens, UTC.")
def refresh(source: str, ends: datetime, opens: datetime) -> None:
    """Is the data of a period here when its review opens? Exit status 1 and REFRESH_TOO_LATE when it is not."""
    from api.actions import contracts
    from api.contracts import source_of
    from connectors.schedule import refresh_in_time

    terms = within(lambda house, _: contracts.in_use(house.store, house.settings, source_of(source))).terms
    late = refresh_in_time(terms.schedule, terms.freshness, ends.replace(tzinfo=UTC), opens.replace(tzinfo=UTC))
    if late is None:
        told({"in_time": True})
        return
    click.echo(f"{late.code}: {late.what}\n  To fix it: {late.fix}", err=True)
    sys.exit(1)


@click.command()
@click.option("--source", default="", help="Only this tool.")
@click.option("--entity", default="", help="Only this table or resource.")
@click.option("--code", default="", help="Only this code, such as UNMAPPED_SOURCE_VALUE.")
@click.option("--field", default="", help="Only this field.")
@click.option("--value", default="", help="Only this value.")
@click.option("--state", type=click.Choice(["OPEN", "RESOLVED", "ANY"], case_sensitive=False), default="OPEN",
              show_default=True)  # fmt: skip
@click.option("--list", "each", is_flag=True, help="Every record instead of counts.")
@click.option("--most", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Rows of a list.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a row.")
def issues(each: bool, most: int, as_json: bool, state: str, **wanted: str) -> None:
    """List what of the mirrored records could not be used, and how to repair it."""
    from schema.issues import Filter, counted
    from schema.issues import issues as listing
    from schema.store import DbRole

    chosen = Filter(**wanted, state="" if state.upper() == "ANY" else state.upper())

    async def act(house: House, _: Viewer) -> Any:
        async with house.store.begin(DbRole.WORKER, read_only=True) as connection:
            return await (listing(connection, chosen, most) if each else counted(connection, chosen))

    for row in within(act):
        if as_json:
            told(row)
        else:
            shown = row["source_key"] if each else f"{row['records']:>8}"
            called = " ".join(filter(None, (row["source"], row["entity"], row["code"], row["field"], row["value"])))
            click.echo(f"{shown} {called} {row['state']}\n         {row['fix']}")


COMMANDS = (contract, issues)
