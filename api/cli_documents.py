"""The commands about trusted documents: queries that programs ask for by their hash.

They parse words and print; what they do stands in the actions. Registered by the command `evenhand` (api/cli.py).
"""

from pathlib import Path
from typing import Any

import click

from api.cli_contracts import PERSON, told, within
from api.house import House
from schema.store import Viewer

TEXTS = click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
COMPUTED = click.option("--computed", is_flag=True, help="Also what no plan can answer, such as explanations.")


@click.group()
def documents() -> None:
    """Trusted documents: GraphQL texts that programs ask for by their sha256, by POST or GET."""


@documents.command("check")
@TEXTS
@COMPUTED
def check(files: tuple[Path, ...], computed: bool) -> None:
    """Say of each of FILES whether it could be registered: its id, its name and how it would be answered."""
    for each in read(files, computed):
        told({"id": each.id, "name": each.name, "lane": each.lane, "price": each.price})


@documents.command("register")
@TEXTS
@COMPUTED
@PERSON
def register(files: tuple[Path, ...], computed: bool, person: str) -> None:
    """Register FILES, each one operation. All are checked before the first is kept. Whitespace counts."""
    from api.actions import trusted

    found = read(files, computed)

    async def kept(house: House, viewer: Viewer) -> list[dict[str, Any]]:
        told_of = []
        for each in found:
            key = each.id.partition(":")[2]
            needs = each.lane != "planned"
            changed = await trusted.register(
                house.store, house.log, viewer, key, each.name, each.body, computed=needs, now=house.clock()
            )
            told_of.append({"id": each.id, "name": each.name, "lane": each.lane, "changed": changed})
        return told_of

    for line in within(kept, person):
        told(line)


@documents.command("list")
def list_() -> None:
    """Every document that was ever registered, one a line."""
    from api.actions import trusted

    for row in within(lambda house, _: trusted.listed(house.store)):
        told({**row, "id": f"sha256:{row['id']}"})


@documents.command("retire")
@click.argument("id_", metavar="ID")
@PERSON
def retire(id_: str, person: str) -> None:
    """Answer the document of this ID no longer. Processes that know it forget it within 30 seconds."""
    from api.actions import trusted

    key = id_.removeprefix("sha256:")
    name = within(lambda house, viewer: trusted.retire(house.store, house.log, viewer, key, house.clock()), person)
    told({"id": f"sha256:{key}", "name": name})


def read(files: tuple[Path, ...], computed: bool) -> list[Any]:
    from api.graphql.checking import checked

    return [checked(file.read_bytes().decode("utf-8"), computed=computed) for file in files]


COMMANDS = (documents,)
