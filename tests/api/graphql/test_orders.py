"""Every order of every list is read from an index, under row security: columns never null, compared without a leak."""

import asyncpg
import pytest

from api.graphql.binding import TYPES
from api.graphql.ordering import ORDERS
from api.house import House
from schema.identity import DEFAULT_TENANT
from tests.api.small_house import person

# Lists that are sorted, because what is sorted stays small.
SORTED = {
    "Cycle.STARTS_ON": "a handful a year",
    "PayoutBatch.SEQUENCE": "some a year",
    "PayoutBatch.CREATED_AT": "some a year",
    "Score.SUBJECT": "the newest runs only",
    "Score.DATA_AS_OF": "the newest runs only",
    "KpiValue.SUBJECT": "the newest runs only",
    "KpiValue.METRIC": "the newest runs only",
    "PlanVersion.VERSION": "a handful a year",
    "DocumentVersion.VERSION": "a handful a year",
    "RecordRevision.VERSION": "the versions of one record",
    "EvidenceRecord.NUMBER": "the records of one value",
}
CASES = [(kind, name) for kind, ordering in ORDERS.items() for name in ordering.columns]
LEAKPROOF = """select p.proleakproof from pg_attribute a
    join pg_opclass c on c.opcmethod = (select oid from pg_am where amname = 'btree') and c.opcdefault
     and c.opcintype = case when a.atttypid = 'varchar'::regtype then 'text'::regtype else a.atttypid end
    join pg_amop o on o.amopfamily = c.opcfamily and o.amoplefttype = c.opcintype and o.amoprighttype = c.opcintype
     and o.amopstrategy = 1
    join pg_operator op on op.oid = o.amopopr join pg_proc p on p.oid = op.oprcode
   where a.attrelid = $1::regclass and a.attname = $2"""


@pytest.fixture(scope="module")
def place(house: House) -> str:
    """A database that is only looked at."""
    return house.database_url


@pytest.mark.parametrize(("kind", "name"), CASES)
async def test_a_page_needs_no_sorting(place: str, kind: str, name: str) -> None:
    bound = TYPES[kind]
    columns = tuple(dict.fromkeys((*ORDERS[kind].columns[name], *bound.unique)))
    table = f"{bound.table.schema}.{bound.table.name}"
    connection = await asyncpg.connect(place)
    try:
        for column in columns:
            assert not bound.table.c[column].nullable, f"{kind}.{name}: {column} may be null"
            assert await connection.fetchval(LEAKPROOF, table, column), f"{kind}.{name}: {column} leaks"
        async with connection.transaction():
            await connection.execute("set local role evenhand_app")
            await connection.execute("set local enable_sort = off; set local enable_incremental_sort = off")
            await connection.execute("select set_config('app.tenant_id', $1, true)", str(DEFAULT_TENANT))
            await connection.execute("select set_config('app.person_id', $1, true)", str(person("ava")))
            order = ", ".join(columns)
            plan = await connection.fetch(f"explain select {order} from {table} order by {order} limit 21")
    finally:
        await connection.close()
    sorting = any("Sort" in line[0] for line in plan)
    assert sorting == (f"{kind}.{name}" in SORTED), "\n".join(line[0] for line in plan)
