"""The audit log in a real database: entries with their act, positions without gaps, heads that outsiders verify."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.actions import proofs
from api.actions.audit import Log
from api.sealing import open_system_key
from api.signing.checkpoints import line_check
from api.signing.development import DevelopmentSigner
from engine import notes
from engine.leaf import commitment, parse_leaf
from engine.merkle import consistency_proof, leaf_hash, root_of, verify_consistency, verify_inclusion
from engine.refusal import Code, Refused
from schema.store import SYSTEM, DbRole, Store, Viewer

ORIGIN = "dev.invalid/audit/2026"
NOW = datetime(2026, 11, 21, 9, 0, 0, 123_456, tzinfo=UTC)
ACTOR = Viewer(person_id=uuid4(), request_id="req-1")
SUBJECT = uuid4()


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentSigner:
    return DevelopmentSigner(tmp_path_factory.mktemp("home") / "keys", environment="test")


@pytest.fixture
def log(signer: DevelopmentSigner, tmp_path: Path) -> Log:
    return Log(ORIGIN, open_system_key(tmp_path / "keys"), signer)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = Store(database_url)
    yield opened
    await opened.close()


async def act(store: Store, log: Log, number: int = 0, role: DbRole = DbRole.PAY) -> UUID:
    async with store.begin(role, ACTOR) as connection:
        return await log.record(
            connection,
            ACTOR,
            ty="award.granted/v1",
            object_type="award",
            object_id=f"AW-{number}",
            data={"amount_minor": str(number)},
            at=NOW,
            subject_id=SUBJECT,
            reason="für gute Arbeit",
        )


async def prove(store: Store, log: Log, entry_id: UUID) -> proofs.Bundle:
    async with store.begin(DbRole.SEQUENCER, read_only=True) as connection:
        return await proofs.inclusion(connection, log, entry_id)


async def verified(store: Store, log: Log) -> proofs.Verified:
    async with store.begin(DbRole.SEQUENCER, read_only=True) as connection:
        return await proofs.verify_log(connection, log)


def check(bundle: proofs.Bundle, signer: DevelopmentSigner) -> notes.Checkpoint:
    """As an outsider: with the files and the published key only."""
    proof = notes.parse_proof(bundle.tlog_proof)
    note = notes.parse_note(proof.checkpoint)
    for vkey in signer.vkeys(ORIGIN):
        key = notes.parse_vkey(vkey)
        notes.verify_note(note, key, line_check(key.kind))
    head = notes.parse_checkpoint(note.text)
    verify_inclusion(leaf_hash(bundle.leaf), proof.index, head.size, proof.hashes, head.root)
    assert bundle.salt is not None
    assert bundle.payload is not None
    assert parse_leaf(bundle.leaf).commitment == commitment(bundle.salt, bundle.payload)
    return head


@pytest.mark.parametrize("role", [DbRole.APP, DbRole.WORKER, DbRole.PAY])
async def test_an_entry_is_proven_to_an_outsider(
    store: Store, log: Log, signer: DevelopmentSigner, role: DbRole
) -> None:
    entry_id = await act(store, log, 7, role)
    head = await log.sequence(store, NOW)
    bundle = await prove(store, log, entry_id)
    assert head.size == 1
    assert check(bundle, signer) == head
    leaf = parse_leaf(bundle.leaf)
    assert (leaf.entry_id, leaf.ty, leaf.at) == (entry_id, "award.granted/v1", NOW.replace(microsecond=0))
    assert (
        bundle.payload
        == (
            f'{{"actor":"p-{ACTOR.person_id}","data":{{"amount_minor":"7"}},'
            '"object":{"id":"AW-7","type":"award","version":1},"reason":"für gute Arbeit","request":"req-1",'
            f'"subject":"p-{SUBJECT}","v":1}}'
        ).encode()
    )
    for secret in (str(SUBJECT), str(ACTOR.person_id), "AW-7"):
        assert secret.encode() not in bundle.leaf
    assert await log.bundle(store, entry_id) == bundle.files()
    assert set(bundle.files()) == {"tlog-proof", "leaf", "payload.json", "salt.hex"}


async def test_an_act_that_is_rolled_back_leaves_no_entry(store: Store, log: Log) -> None:
    async def fail() -> None:
        async with store.begin(DbRole.PAY, ACTOR) as connection:
            await log.record(connection, ACTOR, ty="a.b/v1", object_type="x", object_id="1", data={}, at=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (await log.sequence(store, NOW)).size == 0
    assert (await verified(store, log)).size == 0


async def test_positions_follow_the_commits_and_every_head_continues_the_one_before(
    store: Store, log: Log, signer: DevelopmentSigner
) -> None:
    entries: list[UUID] = []
    heads = []
    for batch in (1, 2, 4, 1):
        entries += [await act(store, log, number) for number in range(batch)]
        heads.append(await log.sequence(store, NOW + timedelta(seconds=batch)))
    bundles = [await prove(store, log, entry_id) for entry_id in entries]
    assert [bundle.index for bundle in bundles] == list(range(8))
    hashes = [leaf_hash(bundle.leaf) for bundle in bundles]
    for head in heads:
        assert head.root == root_of(hashes[: head.size])
        verify_consistency(head.size, 8, consistency_proof(hashes, head.size), head.root, root_of(hashes))
    for bundle in bundles:
        assert check(bundle, signer).size == 8
    assert await verified(store, log) == proofs.Verified(8, root_of(hashes))


async def test_many_writers_and_two_sequencers_lose_and_double_nothing(
    store: Store, log: Log, signer: DevelopmentSigner, tmp_path: Path, database_url: str
) -> None:
    other_store = Store(database_url)
    other = Log(ORIGIN, open_system_key(tmp_path / "keys"), signer)
    done = asyncio.Event()

    async def write(writer: int) -> list[UUID]:
        return [await act(store, log, writer * 100 + number) for number in range(10)]

    async def order(where: Store, which: Log) -> None:
        while not done.is_set():
            await which.sequence(where, NOW)
            await asyncio.sleep(0.005)

    sequencers = [asyncio.create_task(order(store, log)), asyncio.create_task(order(other_store, other))]
    written = await asyncio.gather(*(write(writer) for writer in range(4)))
    done.set()
    await asyncio.gather(*sequencers)
    await log.sequence(store, NOW)
    found = await verified(store, log)
    assert (found.size, found.broken_index) == (40, None)
    for mine in written:
        places = [(await prove(store, log, entry_id)).index for entry_id in mine]
        assert places == sorted(places)
    await other_store.close()


async def test_only_one_process_appends_at_a_time(store: Store, log: Log) -> None:
    async with store.begin(DbRole.SEQUENCER) as first:
        await log._alone(first, SYSTEM.tenant_id)
        second = asyncio.create_task(log.sequence(store, NOW))
        await asyncio.sleep(0.2)
        assert not second.done()
    assert (await second).size == 0


async def test_more_than_one_batch_is_placed_in_one_call_and_a_second_call_changes_nothing(
    store: Store, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.actions.audit.BATCH_ENTRIES", 2)
    entries = [await act(store, log, number) for number in range(5)]
    head = await log.sequence(store, NOW)
    assert head.size == 5
    assert await log.sequence(store, NOW + timedelta(hours=1)) == head
    assert [(await prove(store, log, entry_id)).index for entry_id in entries] == [0, 1, 2, 3, 4]


async def test_an_entry_without_a_signed_head_has_no_proof_yet(store: Store, log: Log) -> None:
    entry_id = await act(store, log)
    with pytest.raises(Refused) as no:
        await prove(store, log, entry_id)
    assert no.value.code is Code.STATE_CONFLICT
    with pytest.raises(Refused) as no:
        await prove(store, log, uuid4())
    assert no.value.code is Code.NOT_FOUND


async def test_a_head_left_unsigned_by_a_crash_is_signed_next_time(
    store: Store, log: Log, signer: DevelopmentSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_id = await act(store, log)

    async def die(*_: object) -> None:
        raise ConnectionAbortedError

    with monkeypatch.context() as patch:
        patch.setattr(Log, "_sign_newest", die)
        with pytest.raises(ConnectionAbortedError):
            await log.sequence(store, NOW)
    assert (await log.sequence(store, NOW + timedelta(hours=1))).size == 1
    assert check(await prove(store, log, entry_id), signer).size == 1


async def test_a_head_that_was_changed_before_it_was_signed_is_never_signed(
    store: Store, log: Log, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await act(store, log)

    async def die(*_: object) -> None:
        raise ConnectionAbortedError

    with monkeypatch.context() as patch:
        patch.setattr(Log, "_sign_newest", die)
        with pytest.raises(ConnectionAbortedError):
            await log.sequence(store, NOW)
    await tamper(database_url, "update audit.tree_head set root = sha256('x'::bytea)")
    with pytest.raises(Refused, match="do not lead"):
        await log.sequence(store, NOW)


async def test_a_new_process_continues_the_log_it_finds(
    store: Store, log: Log, signer: DevelopmentSigner, tmp_path: Path
) -> None:
    for number in range(3):
        await act(store, log, number)
    await log.sequence(store, NOW)
    later = Log(ORIGIN, open_system_key(tmp_path / "keys"), signer)
    entry_id = await act(store, later, 3)
    assert (await later.sequence(store, NOW)).size == 4
    assert check(await prove(store, later, entry_id), signer).size == 4
    assert (await verified(store, later)).broken_index is None


async def tamper(database_url: str, statement: str) -> None:
    """As somebody who owns the database and has switched its guards off."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("set session_replication_role = replica")
        await connection.execute(statement)
    finally:
        await connection.close()


FLIPS = {
    "leaf": """alter table audit.entry drop constraint leaf_hash_true;
               update audit.entry set leaf = set_byte(leaf, 10, get_byte(leaf, 10) # 1) where object_id = 'AW-2'""",
    "leaf and its hash": """update audit.entry set leaf = set_byte(leaf, 10, get_byte(leaf, 10) # 1),
                              leaf_hash = sha256('\\x00'::bytea || set_byte(leaf, 10, get_byte(leaf, 10) # 1))
                            where object_id = 'AW-2'""",
    "payload": """update audit.entry set sealed = set_byte(sealed, 60, get_byte(sealed, 60) # 1)
                  where object_id = 'AW-2'""",
    "time": "update audit.entry set at = at + interval '1 second' where object_id = 'AW-2'",
    "position": """update audit.seq set leaf_hash = sha256('x'::bytea) where idx = 2""",
    "removed position": "delete from audit.seq where idx = 2",
    "removed entry": "delete from audit.entry where object_id = 'AW-2'",
    "swapped payload": """update audit.entry set sealed = (select sealed from audit.entry where object_id = 'AW-1')
                          where object_id = 'AW-2'""",
}


@pytest.mark.capability("X1")
@pytest.mark.parametrize("what", FLIPS)
async def test_the_check_of_the_log_names_the_first_position_that_was_touched(
    store: Store, log: Log, database_url: str, what: str
) -> None:
    for number in range(5):
        await act(store, log, number)
    await log.sequence(store, NOW)
    assert (await verified(store, log)).broken_index is None
    await tamper(database_url, FLIPS[what])
    found = await verified(store, log)
    assert found.broken_index == 2
    assert found.why


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("update audit.tree_head set root = sha256('x'::bytea)", 4),
        ("delete from audit.seq where idx = 4", 4),
        ("delete from audit.tree_head", 0),
    ],
)
async def test_a_changed_or_shortened_log_is_found_and_never_signed_on(
    store: Store, log: Log, database_url: str, tmp_path: Path, signer: DevelopmentSigner, statement: str, broken: int
) -> None:
    for number in range(5):
        await act(store, log, number)
    await log.sequence(store, NOW)
    await tamper(database_url, statement)
    assert (await verified(store, log)).broken_index == broken
    entry_id = await act(store, log, 5)
    fresh = Log(ORIGIN, open_system_key(tmp_path / "keys"), signer)
    with pytest.raises(Refused, match="do not lead"):
        await fresh.sequence(store, NOW)
    with pytest.raises(Refused):
        await prove(store, log, entry_id)


async def test_no_service_role_can_edit_the_log(store: Store, log: Log) -> None:
    await act(store, log)
    await log.sequence(store, NOW)
    statements = [
        "update audit.seq set idx = idx + 1",
        "delete from audit.seq",
        "update audit.tree_head set size = 9",
        "delete from audit.note_line",
        "delete from audit.entry",
        "update audit.entry set ty = 'a.b/v1'",
        "truncate audit.entry",
    ]
    for role in (DbRole.APP, DbRole.PAY, DbRole.WORKER, DbRole.SEQUENCER):
        for statement in statements:
            with pytest.raises(DBAPIError):
                async with store.begin(role, ACTOR) as connection:
                    await connection.execute(text(statement))
