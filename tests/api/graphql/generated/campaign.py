"""`python -m tests.api.graphql.generated.campaign --count 10000`: both lanes, asked the same, must answer the same.

Prints how far it is, which lane answered and why, and every difference with its seed and its smallest document.
Exit 1 on a difference. `--seed` makes another organisation; `--first` goes on behind earlier documents.
"""

import argparse
import asyncio
import json
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from api.graphql.served import CORE
from schema import embedded
from schema.store import migrate
from tests.api.graphql.generated.asking import RAISED, Document, Place, Said, database, opened
from tests.api.graphql.generated.documents import document
from tests.api.graphql.generated.pool import Pool, with_cursors
from tests.api.graphql.generated.shrinking import shrunk

EVERY = 500
DIFFERENCES_MAX = 20
TRIES = 3
TIMEOUT = '"TIMEOUT"'
DEFECTS = ('"INTERNAL"', f'"{RAISED}"')
SEERS = ("auditor", "auditor", "outside", "hr_lead", "itsm", "finance", "boss", "head", "lead")
STRANGERS = ("leaver", "gone", "locked", "unsure", "unknown", "nobody")  # who may not even enter


@dataclass
class Tally:
    lanes: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def viewer_of(place: Place, seed: int) -> str:
    """Who asks the document of this seed: half the time somebody who sees much."""
    rng = Random(f"viewer {seed}")
    everybody = list(place.made.viewers)
    if rng.random() < 0.9:
        everybody = [who for who in everybody if who not in STRANGERS]
    return rng.choice(
        ["auditor", "hr_lead", "boss", "head", "lead", "itsm", *everybody[::3]] if seed % 2 else everybody
    )


def different(planned: Said, standard: Said) -> bool:
    """Also where both say the same, but that something broke."""
    return planned != standard or any(word in error for error in standard.errors for word in DEFECTS)


def shape(*answers: Said) -> list[tuple[bool, list[str]]]:
    """What stays the same while a document shrinks."""
    return [(each.executed, codes(each)) for each in answers]


def codes(said: Said) -> list[str]:
    return sorted({str(json.loads(each)[2]) for each in said.errors})


async def both(place: Place, who: str, asked: Document) -> tuple[Said, Said]:
    """The answers of both lanes. A statement that was stopped by a busy machine is asked again."""
    for _ in range(TRIES):
        planned = await place.ask(who, asked, planned=True)
        standard = await place.ask(who, asked, planned=False)
        if TIMEOUT not in "".join((*planned.errors, *standard.errors)):
            break
    return planned, standard


async def compare(place: Place, pool: Pool, seed: int, tally: Tally) -> None:
    """Ask the document of this seed, with all its variables, in both lanes."""
    who = viewer_of(place, seed)
    for asked in document(CORE, pool, seed).requests:
        planned, standard = await both(place, who, asked)
        tally.lanes[planned.lane] += 1
        tally.answers[" ".join(codes(standard)) or ("rows" if len(standard.data) > 60 else "little")] += 1
        if different(planned, standard):
            tally.differences.append(await told(place, who, asked))
            return


async def told(place: Place, who: str, asked: Document) -> str:
    """A difference for its reader, as small as it gets."""

    kind = shape(*await both(place, who, asked))

    async def fails(candidate: Document) -> bool:
        answers = await both(place, who, candidate)
        return different(*answers) and shape(*answers) == kind

    small = await shrunk(asked, fails)
    planned, standard = await both(place, who, small)
    return "\n".join(
        (
            f"seed {asked.seed}, viewer {who}, lane {planned.lane}",
            small.text,
            f"variables {json.dumps(dict(small.variables))} operation {small.operation}",
            f"planned  {planned.data[:1500]} {planned.errors}",
            f"standard {standard.data[:1500]} {standard.errors}",
        )
    )


@asynccontextmanager
async def house(seed: int) -> AsyncIterator[Place]:
    """A database of its own with the organisation in it."""
    memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(prefix="evenhand-campaign-", dir=memory if memory.is_dir() else None))
    server = embedded.start(home)
    try:
        await database(server.url("postgres"), "campaign")
        await migrate(server.url("campaign"))
        async with opened(server.url("campaign"), home / "keys", seed) as place:
            yield place
    finally:
        server.stop()
        shutil.rmtree(home)


async def run(count: int, first: int, seed: int) -> Tally:
    tally, started = Tally(), time.monotonic()
    async with house(seed) as place:
        pool = await with_cursors(place, CORE)
        for number in range(first, first + count):
            await compare(place, pool, number, tally)
            done = number - first + 1
            if done % EVERY == 0 or done == count:
                took, found = time.monotonic() - started, len(tally.differences)
                print(f"{done}/{count} documents in {took:.0f} s, {found} differences", flush=True)
            if len(tally.differences) >= DIFFERENCES_MAX:
                break
    return tally


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--count", type=int, default=10_000)
    reader.add_argument("--first", type=int, default=0)
    reader.add_argument("--seed", type=int, default=1)
    asked = reader.parse_args()
    logging.disable(logging.ERROR)
    tally = asyncio.run(run(asked.count, asked.first, asked.seed))
    print(f"{sum(tally.lanes.values())} requests by lane or why not: {dict(tally.lanes.most_common())}")
    print(f"answers: {dict(tally.answers.most_common())}")
    for each in tally.differences:
        print(f"\n--- difference ---\n{each}")
    return 1 if tally.differences else 0


if __name__ == "__main__":
    sys.exit(main())
