"""Alembic's entry: migrations always run on a connection that schema/store.py hands over."""

from alembic import context
from sqlmodel import SQLModel

import schema.tables  # noqa: F401 - completes the metadata

SCHEMAS = {"access", "audit", "feed", "inbox", "ledger", "mirror", "ops", "pay", "score"}


def ours(name: str | None, kind: str, parents: object) -> bool:
    return kind != "schema" or name in SCHEMAS


def not_ours_alone(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    return not (kind == "table" and name in ("security_digest", "alembic_version"))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    include_schemas=True,
    include_name=ours,
    include_object=not_ours_alone,
    version_table_schema="public",
)
with context.begin_transaction():
    context.run_migrations()
