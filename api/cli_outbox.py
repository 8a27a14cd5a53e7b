"""The commands about what comes in and what goes out: deliveries that could not be read, writes that could not be made.

They parse words and print; what they do stands in the actions. Registered by the command `evenhand` (api/cli.py).
"""

from typing import Any
from uuid import UUID

import click

from api.cli_contracts import PERSON, told, within

ALL = click.option("--all", "all_", is_flag=True, help="All of them instead of one.")


def one_or_all(one: Any, all_: bool) -> None:
    if (one is None) == (not all_):
        raise click.UsageError("give one ID, or --all")


@click.group()
def inbox() -> None:
    """What the tools sent: what waits, what could not be read, what came twice with two bodies."""


@inbox.command("list")
@click.option("--state", type=click.Choice(["dead", "ready", "conflict"]), default="dead", show_default=True)
def inbox_list(state: str) -> None:
    """Deliveries, one a line. A conflict is every body of an id that came with several."""
    from api.actions import deliveries

    def found(house: Any, _: Any) -> Any:
        return (
            deliveries.conflicts(house.store) if state == "conflict" else deliveries.listed(house.store, state.upper())
        )

    for row in within(found):
        told(row)


@inbox.command("stats")
def inbox_stats() -> None:
    """By source: how many wait and for how many seconds, how many are dead, came twice, or with two bodies."""
    from api.actions import deliveries

    for row in within(lambda house, _: deliveries.stats(house.store, house.clock())):
        told(row)


@inbox.command("replay")
@click.argument("id_", metavar="ID", type=int, required=False)
@ALL
@PERSON
@click.option("--reason", help="Why it can be read now; goes into the audit log.")
def inbox_replay(id_: int | None, all_: bool, person: str, reason: str | None) -> None:
    """Have a dead delivery read again. What is still wrong is dead again at once."""
    from api.actions import deliveries

    one_or_all(id_, all_)
    count = within(
        lambda house, viewer: deliveries.replay(house.store, house.log, viewer, id_, house.clock(), reason), person
    )
    told({"replayed": count})


@click.group()
def outbox() -> None:
    """What is written back to the tools, and what could not be written."""


@outbox.command("list")
def outbox_list() -> None:
    """Writes that failed for good, the oldest first, one a line."""
    from api.actions import writebacks

    for row in within(lambda house, _: writebacks.dead_letters(house.store)):
        told(row)


@outbox.command("retry")
@click.argument("id_", metavar="ID", type=click.UUID, required=False)
@ALL
@PERSON
def outbox_retry(id_: UUID | None, all_: bool, person: str) -> None:
    """Send a failed write again. The tool is read first: what it holds already is not written twice."""
    from api.actions import writebacks

    one_or_all(id_, all_)
    ids = None if id_ is None else [id_]
    count = within(lambda house, viewer: writebacks.retry(house.store, house.log, viewer, ids, house.clock()), person)
    told({"to_be_sent": count})


COMMANDS = (inbox, outbox)
