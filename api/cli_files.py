"""The commands about files that people hand over, agreements to share data, and what is owed to suppliers and boards.

They parse words and print; what they do stands in the actions and reports. Registered by the command `evenhand`.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from api.cli_contracts import FILE, MOMENT, VERSION, told, within
from api.cli_reports import report
from connectors.files.contract import DROPS

KINDS = click.argument("kind", type=click.Choice(list(DROPS)))
AS_OF = click.option("--as-of", type=MOMENT, metavar="YYYY-MM-DD[THH:MM]",
                     help="When the file was true, UTC; not needed where its rows say so.")  # fmt: skip
PERSON = click.option("--person", metavar="UUID|EMAIL", required=True, help="Who does it.")
JSON = click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
DAY = click.DateTime(["%Y-%m-%d"])
NAME = click.argument("name")


def moment(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at else None


@click.group()
def drop() -> None:
    """Files from HR, finance, payroll and suppliers (CSV)."""


@drop.command()
@KINDS
@FILE
@AS_OF
@JSON
def preview(kind: str, file: Path, as_of: datetime | None, as_json: bool) -> None:
    """Say what loading FILE would do, row by row. Nothing is written. Exit status 1 when a row is rejected."""
    from api.actions import drops

    found = within(lambda h, _: drops.preview(h.store, h.settings, kind, file, moment(as_of), h.clock()))
    show(found, as_json)
    sys.exit(found["REJECT"] > 0)


@drop.command()
@KINDS
@FILE
@AS_OF
@PERSON
@click.option("--partial", is_flag=True, help="Load the good rows, however many are rejected.")
@JSON
def load(kind: str, file: Path, as_of: datetime | None, person: str, partial: bool, as_json: bool) -> None:
    """Load FILE: employment by HR, budgets by FINANCE, payroll-results by PAYROLL, vendor-sla by ITSM_ADMIN.

    Refused when more rows are rejected than the data contract allows. Loading the same file again changes nothing.
    """
    from api.actions import drops

    found = within(lambda h, viewer: drops.load(
        h.store, h.log, viewer, h.settings, kind, file, moment(as_of), h.clock(), partial=partial), person)  # fmt: skip
    show(found, as_json)


@drop.command("list")
def list_() -> None:
    """Every file that was loaded, the newest first."""
    from api.actions import drops

    for row in within(lambda house, _: drops.listed(house.store)):
        told(row)


def show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        told(found)
        return
    for fault in found["faults"]:
        shown = f" {fault['value']!r}" if fault["value"] else ""
        column = f" {fault['column']}" if fault["column"] else ""
        click.echo(f"line {fault['line']}{column}: {fault['verdict']} {fault['code']}{shown}: {fault['what']}")
        click.echo(f"  To fix it: {fault['fix']}")
    if found["faults_not_shown"]:
        click.echo(f"... and {found['faults_not_shown']} more")
    if found["ignored_columns"]:
        click.echo(f"Not read, because the data contract does not name them: {', '.join(found['ignored_columns'])}")
    if found["not_covered"]:
        click.echo(f"Dropped, because no agreement covers them: {', '.join(found['not_covered'])}")
    mirror = ", ".join(f"{count} {how}" for how, count in found["mirror"].items())
    click.echo(f"{found['rows']} rows: {found['PASS']} PASS, {found['WARN']} WARN, {found['REJECT']} REJECT; {mirror}")
    if "new" in found:
        again = "" if found["new"] else " (this file was loaded before)"
        click.echo(f"Loaded{again}: {found['records_moved']} records moved, {found['unjoined']} lead to nobody yet.")


@click.group()
def agreement() -> None:
    """Agreements to share data with suppliers: without an active one nothing of a supplier is taken."""


@agreement.command("list")
def agreements_() -> None:
    """Every agreement in force, the one that ends first first; with a warning from 60 days before its end."""
    from api.actions import agreements

    for row in within(lambda house, _: agreements.listed(house.store, house.clock())):
        told(row)


@agreement.command()
@FILE
@PERSON
def propose(file: Path, person: str) -> None:
    """Check an agreement FILE and keep it as the next version."""
    from api.actions import agreements, drops

    body = file.read_text(encoding="utf-8")

    async def act(house: Any, viewer: Any) -> Any:
        known = await drops.vendor_fields(house.store, house.settings)
        return await agreements.propose(house.store, house.log, viewer, body, known, house.clock())

    kept = within(act, person)
    told({"name": kept.name, "version": kept.version_no, "state": kept.state, "content_hash": kept.content_hash})


@agreement.command("test")
@NAME
@VERSION
@PERSON
def try_on(name: str, version_no: int | None, person: str) -> None:
    """Hold a proposed agreement against the data contract: what it covers and what it does not."""
    from api.actions import agreements, drops

    async def act(house: Any, viewer: Any) -> Any:
        known = await drops.vendor_fields(house.store, house.settings)
        return await agreements.try_on(house.store, house.log, viewer, name, version_no, known, house.clock())

    told(within(act, person))


@agreement.command()
@NAME
@VERSION
@PERSON
def activate(name: str, version_no: int | None, person: str) -> None:
    """Put a tested agreement in force. Whoever proposed it cannot."""
    from api.actions import agreements

    done = within(lambda h, viewer: agreements.activate(h.store, h.log, viewer, name, version_no, h.clock()), person)
    told({"name": done.name, "version": done.version_no, "state": "ACTIVE"})


@agreement.command()
@NAME
@PERSON
def retire(name: str, person: str) -> None:
    """End an agreement. From then on nothing of this supplier is taken."""
    from api.actions import agreements

    done = within(lambda h, viewer: agreements.retire(h.store, h.log, viewer, name, h.clock()), person)
    told({"name": done.name, "version": done.version_no, "state": "RETIRED"})


@report.command("cab-skips")
@click.option("--policy", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Which changes need which board (YAML); the plain policy if left out.")  # fmt: skip
@click.option("--since", type=MOMENT, metavar="YYYY-MM-DD", help="Work began at this moment or later, UTC.")
@click.option("--before", type=MOMENT, metavar="YYYY-MM-DD", help="Work began before this moment, UTC.")
@JSON
def cab_skips(policy: Path | None, since: datetime | None, before: datetime | None, as_json: bool) -> None:
    """Changes that were implemented without the approval of their board, or before it; unknown is listed apart.

    Nothing is changed and no case is opened.
    """
    from api.board_report import as_lines, board_report
    from engine.boards import PLAIN, read_policy

    agreed = read_policy(policy.read_text(encoding="utf-8") if policy else PLAIN)
    found = within(lambda house, _: board_report(house.store, agreed, moment(since), moment(before)))
    if as_json:
        told(found)
    else:
        click.echo("\n".join(as_lines(found)))


@report.command("vendors")
@click.option(
    "--from", "starts", type=DAY, metavar="YYYY-MM-DD", help="First day of the cycle; the newest cycle if left out."
)
@click.option("--until", type=DAY, metavar="YYYY-MM-DD", help="First day after it.")
@click.option(
    "--closes", type=DAY, metavar="YYYY-MM-DD", help="When the cycle is closed; the day after it if left out."
)
@click.option("--zone", default="UTC", show_default=True, help="Time zone of the suppliers' months.")
@JSON
def vendors(starts: datetime | None, until: datetime | None, closes: datetime | None, zone: str, as_json: bool) -> None:
    """Service levels of suppliers: reported against computed, and whether their periods fit a cycle and are final."""
    from api.vendor_report import as_lines, vendor_report
    from engine.alignment import Period

    if (starts is None) != (until is None):
        raise click.UsageError("--from and --until belong together")
    cycle = Period(starts.date(), until.date()) if starts and until else None
    day = closes.date() if closes else None
    found = within(lambda house, _: vendor_report(house.store, house.clock(), known_zone(zone), cycle, day))
    if as_json:
        told(found)
    else:
        click.echo("\n".join(as_lines(found)))


def known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        raise click.UsageError(f"the time zone {name!r} is not known; write it as Europe/Berlin") from None


COMMANDS = (drop, agreement)
