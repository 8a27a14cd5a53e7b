"""How single records moved from state to state and from hand to hand, from the audit rows of the instance.

Decides when that table is asked: for records whose version moved, one at a time by their key, and never by time.
The product's own scan rule tells integrations not to query sys_audit otherwise, since it is the largest table there is.
Only the columns that the contract names are asked for: what people wrote is nobody's business here.
"""

from collections.abc import Iterator, Sequence

from connectors.servicenow import queries
from connectors.servicenow.instance import ServiceNowConfig, connect
from connectors.servicenow.paging import Query, drain
from connectors.servicenow.pull import page_of, shape_of
from connectors.source import Page
from engine.words import Feed

AUDIT = "sys_audit"


def history(config: ServiceNowConfig, table: str, ids: Sequence[str], feed: Feed = Feed.POLL) -> Iterator[Page]:
    """Audit rows of these records of `table`, oldest first. None where the instance does not audit the table."""
    shape = shape_of(config, AUDIT)
    wanted = sorted({queries.sys_id(sys_id) for sys_id in ids})
    with connect(config) as instance:
        for sys_id in wanted:
            of_record = f"documentkey={sys_id}^tablename={queries.name(table)}^"
            query = Query(instance, shape, shape.asked, f"{of_record}{shape.base}", config.page_size, by_time=True)
            for leaf in drain(query):
                if leaf.answer.rows:
                    yield page_of(shape, feed, leaf.answer.rows, leaf.answer.observed_at)
