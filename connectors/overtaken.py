"""Whether what was read may still be written: not when another contract has come into force since it was read.

Source: the hash of the contract that a translator carries, and ops.document. Whoever writes what a contract read asks
here first, in the same transaction: the versions of that contract are held until it ends, so that an activation waits
for it and the replay that follows finds its rows; what comes later is refused, and read anew under the new contract.
A text that only the installation brings, and that was never noted, rules until people agree on another one.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.source import Translator
from engine.words import Source

# All versions, in the order in which an activation locks them: the one that is to come into force is among them.
HOLD = text("""
select version_no from ops.document where kind = 'DATA_CONTRACT' and name = any(:names)
 order by name, version_no for share
""")
# A statement of its own: it sees what was put in force while the one before it waited.
OVERTAKEN = text("""
select u.name from unnest(cast(:names as text[]), cast(:hashes as text[])) as u (name, hash)
  join ops.document d on d.kind = 'DATA_CONTRACT' and d.name = u.name and d.state = 'ACTIVE'
 where d.content_hash <> u.hash
   and (d.activated_by is not null
        or exists (select from ops.document o
                    where o.kind = d.kind and o.name = d.name and o.content_hash = u.hash))
""")


class Overtaken(Exception):
    """Another contract of these sources is in force than the one under which their records were read."""

    def __init__(self, sources: AbstractSet[Source]) -> None:
        super().__init__(f"Another data contract came into force: {', '.join(sorted(sources))}.")
        self.sources = frozenset(sources)


async def refuse_overtaken(
    connection: AsyncConnection, translators: Mapping[Source, Translator], sources: Iterable[Source]
) -> None:
    """Raise `Overtaken` when a contract of these sources rules no more; otherwise it rules until the transaction ends.

    Ask before any row is locked that an activation writes (ops.reading), or both wait for each other.
    """
    read_under = {
        source.value: contract for source in sorted(set(sources)) if (contract := translators[source].contract)
    }
    if not read_under:
        return
    given = {"names": list(read_under), "hashes": list(read_under.values())}
    await connection.execute(HOLD, {"names": given["names"]})
    if found := (await connection.scalars(OVERTAKEN, given)).all():
        raise Overtaken({Source(name) for name in found})
