"""The tables, by group. Importing this module makes SQLModel.metadata complete."""

from schema.tables import access, audit, inbox, mirror, money, operations, scores

__all__ = ["access", "audit", "inbox", "mirror", "money", "operations", "scores"]
