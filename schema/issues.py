"""What of the mirror could not be used: the list of data issues with filters, and how many there are of each sort.

Source: mirror.data_issue, as whoever asks may see it. Rows come in a fixed order; counts are of all that the filters
let through, however many rows are shown.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_FILTER = """
 where (:source = '' or i.source = :source) and (:entity = '' or i.entity = :entity) and (:code = '' or i.code = :code)
   and (:field = '' or i.field = :field) and (:value = '' or i.value = :value) and (:state = '' or i.state = :state)
"""
ROWS = text(f"""
select i.source, i.entity, i.source_key, i.field, i.code, i.value, i.what, i.fix, i.state
  from mirror.data_issue i {_FILTER}
 order by i.source, i.entity, i.code, i.field, i.value, i.source_key limit :most
""")  # noqa: S608 - our own text
COUNTS = text(f"""
select i.source, i.entity, i.code, i.field,
       case when i.code = 'UNMAPPED_SOURCE_VALUE' then i.value else '' end as value, i.state,
       count(*) as records, min(i.fix) as fix
  from mirror.data_issue i {_FILTER}
 group by 1, 2, 3, 4, 5, 6 order by records desc, 1, 2, 3, 4, 5, 6
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Filter:
    """Which issues are meant; an empty word means any."""

    source: str = ""
    entity: str = ""
    code: str = ""
    field: str = ""
    value: str = ""
    state: str = "OPEN"


async def issues(connection: AsyncConnection, wanted: Filter, most: int) -> list[Mapping[str, Any]]:
    return [dict(row) for row in (await connection.execute(ROWS, {**asdict(wanted), "most": most})).mappings()]


async def counted(connection: AsyncConnection, wanted: Filter) -> list[Mapping[str, Any]]:
    """By source, entity, code and field; of unknown words by the word as well, since each has a repair of its own."""
    return [dict(row) for row in (await connection.execute(COUNTS, asdict(wanted))).mappings()]
