"""Whatever way pages and webhooks of an instance arrive, the mirror ends as the instance stands."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from connectors.drain import accept_pages, drain
from connectors.servicenow.contract import polled, standard
from connectors.servicenow.history import history
from connectors.servicenow.pull import poll
from connectors.servicenow.translate import translator
from connectors.source import Page, Version
from engine.words import Feed, MirrorKind, Source
from schema.store import DbRole, Store
from schema.tables.mirror import TYPED
from tests.connectors.servicenow.imitation import Imitation, served

READ = translator(standard())
ENTITIES = list(polled(standard()))
BOOKKEEPING = {"tenant_id", "id", "source", "source_key", "revision_id", "gone_at"}
# Who works in the instance meanwhile: table, column, what it may become.
EDITS: Sequence[tuple[str, str, Sequence[str]]] = (
    ("incident", "state", ("1", "2", "3", "6", "7", "42")), ("incident", "priority", ("1", "2", "3", "x")),
    ("change_request", "state", ("-4", "-1", "0", "3")), ("change_request", "close_code", ("successful", "odd")),
    ("problem", "u_root_cause", ("internal", "vendor", "gremlins")), ("problem", "state", ("104", "107")),
    ("sysapproval_approver", "state", ("approved", "rejected", "not_required", "duplicate")),
    ("sys_user", "identity_type", ("human", "machine", "ai_agent", "unclassified")),
    ("sys_user", "name", ("Ana", "Bo")), ("sys_user_group", "active", ("true", "false")),
    ("cab_meeting", "state", ("pending", "complete", "held")), ("cab_agenda_item", "order", ("10", "20")),
    ("ast_contract", "ends", ("2026-12-31", "never")), ("contract_sla", "type", ("SLA", "Underpinning contract")),
    ("task_sla", "stage", ("completed", "paused")), ("asmt_metric", "weight", ("1", "2.5", "heavy")),
)  # fmt: skip


def pages_of(instance: Imitation, since: datetime | None, feed: Feed = Feed.POLL) -> list[Page]:
    config = instance.configured(page_size=50)
    return [page for entity in ENTITIES for page in poll(config, entity, since, feed)]


def worked(instance: Imitation, dice: random.Random, deeds: int) -> tuple[list[bytes], set[tuple[str, str]]]:
    """People edit records; what our business rule sends of each edit, and which records it was."""
    hooks, touched = [], set()
    for _ in range(deeds):
        table, column, values = dice.choice(EDITS)
        keys = sorted(instance.tables[table].rows)
        if not keys:
            continue
        key = dice.choice(keys[:6])  # a few records, again and again
        instance.edit(table, key, **{column: dice.choice(values)})
        row = dict(instance.tables[table].rows[key])
        hooks.append(orjson.dumps({"event_id": "e", "table": table, "op": "update", "record": row}))
        touched.add((table, key))
    return hooks, touched


async def arrive(store: Store, deliveries: Sequence[Page | bytes], number: int) -> None:
    pages = [delivery for delivery in deliveries if isinstance(delivery, Page)]
    bodies = [
        {"id": f"{number}-{place}", "body": body, "sha": sha256(body).digest()}
        for place, body in enumerate(deliveries)
        if isinstance(body, bytes)
    ]
    if pages:
        await accept_pages(store, pages)
    if bodies:
        async with store.begin(DbRole.INTAKE) as connection:
            await connection.execute(
                text(
                    """insert into inbox.delivery
                         (tenant_id, source, entity, feed, delivery_id, conflict_no, body, body_sha256, headers,
                          received_at, state, attempts)
                       values (app.tenant(), 'servicenow', '', 'WEBHOOK', :id, 0, :body, :sha, '{}',
                               now(), 'READY', 0)"""
                ),
                bodies,
            )


def versions(entity: str, records: Sequence[Mapping[str, Any]]) -> list[Version]:
    now = datetime(2026, 3, 9, tzinfo=UTC)
    return [version for record in records for version in READ.translate(entity, record, now)]


def expected(deliveries: Sequence[Page | bytes]) -> set[tuple[str, str, int, bytes]]:
    """Every version that was shown to us, whichever way."""
    found = set()
    for delivery in deliveries:
        if isinstance(delivery, Page):
            shown = [(delivery.entity, orjson.loads(delivery.body))]
        else:
            shown = [(entity, [record]) for entity, record in READ.read_hook(orjson.loads(delivery)).records]
        for entity, records in shown:
            for each in versions(entity, records):
                found.add((entity, each.key, each.version_no, sha256(each.payload).digest()))
    return found


async def rows(store: Store, query: str) -> list[Any]:
    async with store.begin(DbRole.WORKER) as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def typed(store: Store, kind: MirrorKind) -> dict[str, dict[str, Any]]:
    columns = [name for name in TYPED[kind].model_fields if name not in BOOKKEEPING]
    found = await rows(store, f"select source_key, {', '.join(columns)} from mirror.{TYPED[kind].__tablename__}")
    return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in found}


@pytest.mark.capability("I7.1")
@pytest.mark.parametrize("seed", range(5))
async def test_any_order_and_repetition_ends_as_the_instance_stands(store: Store, seed: int) -> None:
    dice = random.Random(seed)
    with served(seed, "small") as instance:
        deliveries: list[Page | bytes] = [*pages_of(instance, None)]
        began = deliveries[0].observed_at if isinstance(deliveries[0], Page) else None
        for since, feed in ((began, Feed.POLL), (began, Feed.POLL), (None, Feed.SWEEP)):
            hooks, touched = worked(instance, dice, 25)
            deliveries += [*hooks, *pages_of(instance, since, feed)]
            for table, key in sorted(touched):
                deliveries += history(instance.config, table, [key])
        truth: dict[str, list[Any]] = {entity: [] for entity in ENTITIES}
        for page in pages_of(instance, None):
            truth[page.entity] += orjson.loads(page.body)
    arriving = deliveries + dice.sample(deliveries, len(deliveries) // 3)
    dice.shuffle(arriving)
    while arriving:
        batch = [arriving.pop() for _ in range(min(len(arriving), dice.randrange(1, 120)))]
        await arrive(store, batch, len(arriving))
        if dice.random() < 0.5:
            await drain(store, {Source.SERVICENOW: READ})
    await drain(store, {Source.SERVICENOW: READ})

    assert await rows(store, "select reason from inbox.delivery where state <> 'DONE'") == []
    for entity in ENTITIES:
        standing = {each.key: each for each in versions(entity, truth[entity])}
        mirrored = await typed(store, standard()[entity].kind)
        assert mirrored.keys() == standing.keys(), entity
        for key, each in standing.items():
            there = {name: value for name, value in mirrored[key].items() if name in each.values}
            assert there == dict(each.values), (entity, key)
    kept = {
        (entity, key, number, bytes(digest))
        for entity, key, number, digest in await rows(
            store, "select entity, source_key, version_no, payload_hash from mirror.revision"
        )
    }
    assert kept == expected(deliveries)
    assert len({entity for entity, *_ in kept}) > 20
