"""The tables, by group. Importing this module makes SQLModel.metadata complete."""

from schema.tables import (
    access,
    audit,
    changes,
    documents,
    exports,
    feeds,
    inbox,
    mirror,
    money,
    operations,
    revisions,
    scores,
    trusted,
)

__all__ = [
    "access", "audit", "changes", "documents", "exports", "feeds", "inbox", "mirror", "money", "operations",
    "revisions", "scores", "trusted",
]  # fmt: skip
