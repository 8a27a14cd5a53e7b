"""Asking for a large read over GraphQL, and calling it off. What can be read is decided in exporting.py."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from api.actions import exports
from api.graphql import mutations
from api.graphql.binding import by_key, computed
from api.graphql.context import Asked
from api.graphql.mutations import KEPT, UserError, tried
from api.graphql.types.exports import BulkExport
from api.ids import parsed


@strawberry.input(description="A query that is read to its end, as `query` or as `documentId`.")
class StartBulkExportInput:
    idempotency_key: strawberry.ID = strawberry.field(description=KEPT)
    query: str | None = strawberry.field(
        default=strawberry.UNSET, description="Its text: one list at its root, with `first`; nested lists as well."
    )
    document_id: str | None = strawberry.field(
        default=strawberry.UNSET, description="The id of a registered document, `sha256:` and 64 hex digits."
    )
    variables: JSON | None = strawberry.field(default=strawberry.UNSET, description="The values of its variables.")
    purpose: str = strawberry.field(description="What it is for, 10 to 500 characters; it is kept in the audit log.")


@strawberry.input(description="An export that is not needed any more.")
class CancelBulkExportInput:
    idempotency_key: strawberry.ID = strawberry.field(description=KEPT)
    export_id: strawberry.ID = strawberry.field(description="Which export; one's own, while it is under way.")


@strawberry.type(description="What became of the wish for an export.")
class StartBulkExportPayload:
    export: BulkExport | None = strawberry.field(description="The export as it stands; null when it was refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was done.")


@strawberry.type(description="What became of the wish to call an export off.")
class CancelBulkExportPayload:
    export: BulkExport | None = strawberry.field(description="The export as it stands; null when it was refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was done.")


async def _read(info: Asked, given: Any, act: Any) -> tuple[BulkExport | None, list[UserError]]:
    key, errors = await tried(info, given, act, None)
    return (await by_key(info.context.reading, "BulkExport", UUID(key)) if key else None), errors


@strawberry.type(description="Everything that can be decided here.")
class Mutation(mutations.Mutation):
    @computed("Read a query to its end into a file of one object a line: everybody what he may read, two at a time.")
    async def start_bulk_export(
        self,
        info: Asked,
        input: Annotated[StartBulkExportInput, strawberry.argument(description="What, and what for.")],
    ) -> StartBulkExportPayload:
        absent = (None, strawberry.UNSET)
        query = None if input.query in absent else input.query
        document_id = None if input.document_id in absent else input.document_id
        variables: Any = None if input.variables in absent else input.variables
        given = replace(input, query=query, document_id=document_id, variables=variables)

        async def act() -> str:
            from api.graphql.exporting import asked  # it needs the schema, and the schema is made of this module

            return str(await asked(info.context, query, document_id, variables, given.purpose))

        export, errors = await _read(info, given, act)
        return StartBulkExportPayload(export=export, user_errors=errors)

    @computed("Call one's own export off while it is under way.")
    async def cancel_bulk_export(
        self, info: Asked, input: Annotated[CancelBulkExportInput, strawberry.argument(description="Which one.")]
    ) -> CancelBulkExportPayload:
        house, viewer = info.context.house, info.context.reading.viewer

        async def act() -> str:
            found = parsed(input.export_id)
            key = found[1] if found and found[0] == "BulkExport" else UUID(int=0)
            await exports.call_off(house.store, house.log, viewer, key, house.clock())
            return str(key)

        export, errors = await _read(info, input, act)
        return CancelBulkExportPayload(export=export, user_errors=errors)
