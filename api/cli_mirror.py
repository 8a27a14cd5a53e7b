"""The commands about the mirror: reading the tools, sweeping, checking a connection, snapshots, history, retention.

They parse words and print; what they do stands in the feeds and actions. Registered by the command `evenhand`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from api.cli_contracts import MOMENT, PERSON, say, told, within
from api.feeds import Scope, Watch
from engine.words import Source

SOURCES = click.option("--source", "sources", multiple=True, type=click.Choice(["servicenow", "jira", "vendor"]),
                       help="Only this tool; may be given twice.")  # fmt: skip
ENTITIES = click.option("--entity", "entities", multiple=True, metavar="TABLE",
                        help="Only this table or resource, as the tool calls it; may be given often.")  # fmt: skip


def scope_of(sources: tuple[str, ...], entities: tuple[str, ...], since: datetime | None, whole: bool) -> Scope:
    moment = since.replace(tzinfo=UTC) if since else None
    return Scope(tuple(Source(source) for source in sources), entities, moment, whole)


@contextmanager
def watching() -> Iterator[Watch]:
    """A bar for each table on a terminal; on anything else a line each time a table is done."""
    shown: dict[str, Any] = {}

    def watch(what: str, records: int, total: int | None) -> None:
        if not sys.stderr.isatty():
            return
        bar = shown.get(what)
        if bar is None:
            finish(shown)
            bar = shown[what] = click.progressbar(
                length=max(total or 0, records, 1), label=f"{what:<44}", file=sys.stderr, show_eta=bool(total)
            )
            bar.render_progress()
        bar.length = max(bar.length or 0, records)
        bar.update(records - bar.pos)

    yield watch
    finish(shown)


def finish(shown: dict[str, Any]) -> None:
    for bar in shown.values():
        if not getattr(bar, "over", False):
            bar.over = True
            bar.render_finish()


@click.command()
@SOURCES
@ENTITIES
@click.option("--since", type=MOMENT, metavar="YYYY-MM-DD[THH:MM]",
              help="Read what changed since then (UTC), instead of since the last reading.")  # fmt: skip
@click.option("--whole", is_flag=True, help="Read every record and compare its content; finds silent changes.")
@click.option("--dry-run", is_flag=True, help="Read and translate, say what would change, write nothing.")
def sync(
    sources: tuple[str, ...], entities: tuple[str, ...], since: datetime | None, whole: bool, dry_run: bool
) -> None:
    """Read the connected tools once and mirror what changed. Prints a summary as JSON.

    The watermark of a table moves only when all of it was read; with --since only where no gap is left before it.
    """
    from api import feeds, rehearsal, rhythm
    from api.house import House
    from schema.store import Viewer

    wanted = scope_of(sources, entities, since, whole)
    quiet = sys.stderr.isatty()

    async def act(house: House, _viewer: Viewer) -> Any:
        with watching() as watch:
            line = (lambda _line: None) if quiet else say
            if dry_run:
                return [asdict(each) for each in await rehearsal.rehearse(house, line, wanted, watch)]
            await rhythm.begin(house)
            drained = await feeds.poll_all(house, line, wanted, watch)
            if whole:
                await feeds.note_content_sweep(house, wanted)
        return {
            "deliveries": drained.deliveries, "records": drained.heads, "revisions": drained.revisions,
            "malformed": drained.malformed, "dead": drained.dead,
        }  # fmt: skip

    found = within(act)
    for row in found if dry_run else [found]:
        told(row)


@click.command()
@SOURCES
@ENTITIES
@click.option("--allow", type=click.IntRange(0), default=0, metavar="N",
              help="Let so many absent records of a table go, after a person has looked.")  # fmt: skip
def sweep(sources: tuple[str, ...], entities: tuple[str, ...], allow: int) -> None:
    """Compare everything that the tools hold with the mirror: misses are read again, deletes noted once certain.

    Exit status 1 when a table was held because too much of it is absent, or when a set was not complete.
    """
    from api import feeds

    swept = within(lambda house, _: feeds.sweep_all(house, say, scope_of(sources, entities, None, False), allow))
    for row in feeds.listed(swept):
        told(row)
    sys.exit(any(each.state != "DONE" for each in swept))


@click.command()
@SOURCES
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a check.")
def doctor(sources: tuple[str, ...], as_json: bool) -> None:
    """Check every connection: credentials, rights on each table, clocks, time zone, webhooks; say how to fix each.

    Changes nothing. Exit status 1 when a check failed.
    """
    from api import examination

    checks = within(lambda house, _: examination.examine(house, sources))
    for source, check in checks:
        if as_json:
            told({"source": source.value, **asdict(check)})
            continue
        click.secho(f"{check.state.value:<5}", nl=False, fg={"OK": "green", "WARN": "yellow"}.get(check.state, "red"))
        click.echo(f"{source.value:<11} {check.name}: {check.what}")
        if check.fix and check.state != "OK":
            click.echo(f"{'':<17} To fix it: {check.fix}")
    sys.exit(any(check.state == "FAIL" for _, check in checks) or not checks)


@click.group()
def snapshot() -> None:
    """Named moments of the mirror. What one reads never changes."""


@snapshot.command("take")
@click.argument("name")
@PERSON
def take_(name: str, person: str) -> None:
    """Name this moment."""
    from api.actions import moments

    told(
        asdict(within(lambda house, viewer: moments.take(house.store, house.log, viewer, name, house.clock()), person))
    )


@snapshot.command("list")
def snapshots_() -> None:
    """All named moments, the newest first."""
    from api.actions import moments

    for row in within(lambda house, _: moments.listed(house.store)):
        told(row)


@click.command()
@click.argument("source", type=click.Choice([source.value for source in Source]))
@click.argument("entity")
@click.argument("key")
@click.option("--at", "name", help="As it stood in this snapshot; now, if left out.")
def record(source: str, entity: str, key: str, name: str | None) -> None:
    """A mirrored record with where it came from: what stands, since when, by which delivery; its body last."""
    from api.actions import moments

    for row in within(lambda house, _: moments.shown(house.store, Source(source), entity, key, name)):
        told(row)


@click.group()
def retention() -> None:
    """Months of raw bytes: which there are, and dropping one."""


@retention.command("list")
def months_() -> None:
    """Every month of deliveries and of bodies, with its rows and bytes."""
    from api.actions import retention as months

    for row in within(lambda house, _: months.listed(house.store)):
        told(row)


def following(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


@retention.command("drop")
@click.argument("what", type=click.Choice(["deliveries", "bodies"]))
@click.argument("month", type=click.DateTime(["%Y-%m"]), metavar="YYYY-MM")
@PERSON
def drop_(what: str, month: datetime, person: str) -> None:
    """Drop a month. Refused while something in it waits, or a scored number rests on it."""
    from api.actions import retention as months
    from api.house import House
    from api.scim import changes
    from schema.store import Viewer

    async def act(house: House, viewer: Viewer) -> int:
        if what == "bodies":  # an account is read from the body of its version: those that stand are written anew
            await changes.renew(changes.Sender(house, viewer, "retention", house.clock()), following(month.date()))
        return await months.drop(house.store, house.log, viewer, what, month.date(), house.clock())

    dropped = within(act, person)
    told({"what": what, "month": f"{month:%Y-%m}", "dropped": dropped})


COMMANDS = (sync, sweep, doctor, snapshot, record, retention)
