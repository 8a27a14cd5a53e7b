"""Large reads at work: the worker that writes their files, and the door where they are fetched.

Decides: one object a line (JSONL), UTF-8, in the folder `exports` of the home. Every page is read in the name of
whoever asked, under his rights of that moment; when they change while it runs, it fails, and after it ran, the file is
not handed out any more. A page counts when its lines are on the disk and its place is kept: a worker that dies is
followed by one that goes on there. The address of a file is our own signed word for 15 minutes and one person; it
stands in no log.
Refused: more rows or bytes than LIMITS, a file that does not have the hash it had.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from graphql import parse
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from api import identity
from api.actions import exports
from api.actions.exports import Job, Lost
from api.graphql import bulk, execution
from api.graphql.context import Context
from api.graphql.reading import Reading
from api.house import House
from engine.feed_words import BulkState
from engine.refusal import Code, Refused
from schema.store import DbRole, Viewer

MEDIA_TYPE = "application/jsonl"
CHUNK_BYTES = 1 << 20
ATTEMPTS_MAX = 20  # so that a read at which every worker fails is not tried for ever
FOUND = text("select state, scope_sha256, sha256 from feed.export where id = :id and person_id = (select app.person())")
# What decides which rows somebody sees, in one value: his roles, his line, his teams.
SCOPE = text(
    """select app.member() as here, encode(sha256(convert_to(concat_ws('|',
         coalesce((select string_agg(role, ',' order by role) from access.role_grant
                    where person_id = (select app.person()) and valid_from <= now()
                      and (valid_to is null or now() < valid_to)), ''),
         coalesce((select string_agg(id::text, ',' order by id) from app.reports() id), ''),
         coalesce((select string_agg(id::text, ',' order by id) from app.teams() id), '')), 'UTF8')), 'hex') as scope"""
)


@dataclass(frozen=True, slots=True)
class Limits:
    rows: int = 1_000_000
    bytes: int = 1 << 30


class Failed(Exception):
    """The read ends here; the words are for whoever asked."""


async def work(house: House, limits: Limits | None = None) -> int:
    """Read what waits, one after the other, and delete what was kept long enough. Answers how many were worked on."""
    done = 0
    while (job := await exports.claim(house.store, house.clock())) is not None:
        await _one(house, job, limits or Limits())
        done += 1
    files = await asyncio.to_thread(lambda: list(_folder(house).iterdir()))  # before it is asked which are needed
    living = {str(each) for each in await exports.forget(house.store, house.clock())}
    for file in files:
        if file.name.partition(".")[0] not in living:
            file.unlink(missing_ok=True)
    return done


async def _one(house: House, job: Job, limits: Limits) -> None:
    try:
        try:
            if job.attempt > ATTEMPTS_MAX:
                raise Failed(f"It did not come to its end in {ATTEMPTS_MAX} attempts.")
            finished = await _read(house, job, limits)
            digest = await asyncio.to_thread(_sealed, house, job.id)
            await exports.finish(house.store, house.log, finished, digest, house.clock())
        except (Failed, Refused) as no:
            said = str(no) if isinstance(no, Failed) else no.what
            await exports.fail(house.store, house.log, job, said, house.clock())
    except Lost:
        pass  # it was called off, or another worker goes on; what is left of the file is swept away


async def _read(house: House, job: Job, limits: Limits) -> Job:
    """Read page after page from where it stands, until there is none."""
    viewer = Viewer(job.person_id, request_id=f"export-{job.id}")
    whole = bulk.reading(parse(job.document), None)
    if await asyncio.to_thread(_opened, house, job.id) < job.bytes:  # the file is gone: from the beginning
        job = replace(job, cursor=None, rows=0, bytes=0)
    while True:
        job = replace(job, scope_sha256=await _scope(house, viewer, job.scope_sha256))
        page = whole.found(await _asked(house, viewer, job, whole.page(job.cursor)))
        if page is None:
            raise Failed("There is nothing to read: the list is null.")
        written = bytearray()
        rows = 0
        async for line in _lines(house, viewer, job, whole, page):
            written += orjson.dumps(line) + b"\n"
            rows += 1
            if job.rows + rows > limits.rows or job.bytes + len(written) > limits.bytes:
                raise Failed(f"It is larger than {limits.rows} rows or {limits.bytes} bytes: narrow it by a filter.")
        more = bool(page["pageInfo"]["hasNextPage"])
        place = job.bytes
        job = replace(job, rows=job.rows + rows, bytes=place + len(written), cursor=page["pageInfo"]["endCursor"])
        await asyncio.to_thread(_append, house, job.id, place, bytes(written))
        await exports.advance(house.store, job, house.clock())
        if not more:
            return job


async def _lines(
    house: House, viewer: Viewer, job: Job, whole: bulk.Reading, page: Any
) -> AsyncIterator[dict[str, Any]]:
    """All lines of a page: its rows, what is nested in them, and what did not fit into the nested pages."""
    waiting: list[bulk.Rest] = []

    def sorted_out(found: Iterator[dict[str, Any] | bulk.Rest]) -> Iterator[dict[str, Any]]:
        for each in found:
            if isinstance(each, bulk.Rest):
                waiting.append(each)
            else:
                yield each

    for line in sorted_out(bulk.lines(page)):
        yield line
    while waiting:
        rest = waiting.pop(0)
        more = whole.found(await _asked(house, viewer, job, whole.rest(rest)), rest.path)
        if more is not None:  # what it hangs on may be gone by now
            for line in sorted_out(bulk.lines(more, rest.path, rest.parent_id)):
                yield line


async def _asked(house: House, viewer: Viewer, job: Job, page: bulk.Page) -> Any:
    """The data of one request, in the viewer's name. Its text was looked at when it was asked for."""
    own = replace(house, settings=replace(house.settings, ad_hoc=True))
    request = execution.Request(page.text, bulk.variables_of(page, job.variables))
    async with Reading(house.store, viewer) as reading:
        answer = await execution.answer(request, Context(own, reading))
    if answer.errors or answer.data is None:
        raise Failed(str(answer.errors[0]["message"]) if answer.errors else "Nothing was answered.")
    return orjson.loads(answer.data)


async def _scope(house: House, viewer: Viewer, before: str | None) -> str:
    async with house.store.begin(DbRole.APP, viewer, read_only=True) as connection:
        now = (await connection.execute(SCOPE)).one()
    if not now.here or (before is not None and now.scope != before):
        raise Failed("The rights under which it was read have changed. Export again.")
    return str(now.scope)


def routes(house: House) -> list[Route]:
    trust = identity.export_trust(house.signer)

    async def fetch(request: Request) -> Response:
        claims = identity.verify(request.query_params.get("token", ""), trust, house.clock())
        if claims.more.get("export") != request.path_params["id"]:
            raise identity.unauthenticated()
        viewer = identity.subject(claims, str(request.scope.get("request_id", "")))
        return await _fetched(house, viewer, UUID(request.path_params["id"]))

    return [Route("/exports/{id:str}", fetch, methods=["GET"])]


async def _fetched(house: House, viewer: Viewer, export_id: UUID) -> Response:
    async with house.store.begin(DbRole.APP, viewer, read_only=True) as connection:
        await identity.require_known(connection)
        found = (await connection.execute(FOUND, {"id": export_id})).first()
        scope = (await connection.execute(SCOPE)).one().scope
    path = _path(house, export_id)
    if found is None or found.state != BulkState.READY.value or not path.is_file():
        raise Refused(Code.NOT_FOUND, "There is no such file.", "Read the state of the export.")
    if found.scope_sha256 != scope:
        raise Refused(Code.ACCESS_DENIED, "Your rights have changed since it was read.", "Export again.")
    if await asyncio.to_thread(_digest, path) != found.sha256:
        raise Refused(Code.PROOF_INVALID, "The file is not the one that was made.", "Export again, and say so to us.")
    await exports.downloaded(house.store, house.log, viewer, export_id, found.sha256, house.clock())
    headers = {"cache-control": "no-store", "etag": f'"{found.sha256}"'}
    return FileResponse(path, media_type=MEDIA_TYPE, filename=f"evenhand-{export_id}.jsonl", headers=headers)


def _folder(house: House) -> Path:
    folder = house.settings.home / "exports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _path(house: House, export_id: UUID, unfinished: bool = False) -> Path:
    return _folder(house) / f"{export_id}.jsonl{'.part' if unfinished else ''}"


def _opened(house: House, export_id: UUID) -> int:
    """Make the file, or find it again; its size."""
    part, whole = _path(house, export_id, unfinished=True), _path(house, export_id)
    if whole.exists() and not part.exists():  # it was whole, but nobody had heard of it yet
        whole.rename(part)
    part.touch(mode=0o600)
    return part.stat().st_size


def _append(house: House, export_id: UUID, place: int, written: bytes) -> None:
    with _path(house, export_id, unfinished=True).open("r+b") as file:
        file.truncate(place)  # what a worker before wrote and did not count
        file.seek(place)
        file.write(written)
        file.flush()
        os.fsync(file.fileno())


def _sealed(house: House, export_id: UUID) -> str:
    part = _path(house, export_id, unfinished=True)
    digest = _digest(part)
    part.replace(_path(house, export_id))
    return digest


def _digest(path: Path) -> str:
    found = sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()
