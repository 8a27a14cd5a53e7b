"""Bodies and readers that nobody foresaw: each is set aside once, and the line goes on."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from connectors.drain import accept_pages, drain
from connectors.source import Page, Translator
from engine.words import Feed, Source
from schema.store import Store
from tests.connectors.test_drain import READ, START, event, hook, incident, page, rows, sys_id


@pytest.mark.parametrize("depth", [200, 1000, 1020])
async def test_a_record_that_is_nested_very_deep_loses_only_itself(store: Store, depth: int) -> None:
    deep, good = b"[" * depth + b"]" * depth, orjson.dumps(incident())
    body = b'[{"sys_id":%s},{"sys_id":"%s","number":%s},%s]' % (deep, sys_id(2).encode(), deep, good)
    await accept_pages(store, [Page(Source.SERVICENOW, "incident", Feed.POLL, "deep", body, START)])
    await hook(store, [b'{"table":"incident","op":"insert","record":{"sys_id":%s}}' % deep])
    done = await drain(store, READ)
    assert (done.dead, done.malformed, done.heads) == (0, 3, 1)
    assert (await drain(store, READ)).deliveries == 0, "what cannot be read is not tried for ever"


async def test_a_reader_that_breaks_sets_the_delivery_aside_and_goes_on(store: Store) -> None:
    def breaks(body: Mapping[str, Any]) -> Any:
        raise ZeroDivisionError if body["op"] == "delete" else KeyError(body["op"])

    await hook(store, [event(incident()), b'{"op":"delete"}'])
    await accept_pages(store, [page([incident()])])
    done = await drain(store, {Source.SERVICENOW: Translator(READ[Source.SERVICENOW].translate, breaks)})
    assert (done.deliveries, done.dead, done.heads) == (3, 2, 1)
    reasons = await rows(store, "select reason from inbox.delivery where state = 'DEAD'")
    assert {reason for (reason,) in reasons} == {
        "The delivery could not be read (KeyError).", "The delivery could not be read (ZeroDivisionError).",
    }  # fmt: skip
