"""One raw record while it is read under a contract: values come out, what could not be used is noted.

A note never stops a record; the value stays None. The first note about a field counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from connectors.jira.times import moment
from connectors.source import Issue
from engine.words import IssueCode

Meaning = TypeVar("Meaning")
CONTRACT_FIX = "Add it to the Jira contract, then read the record again."
NAMES = ("accountId", "key", "name")  # of an account: Cloud has the first, Data Center the others
SOURCE_FIX = "Correct the record in Jira; it will be read again."


def shown(value: Any) -> str:
    """A foreign value as text that a database keeps: short, and without NUL, which PostgreSQL refuses."""
    return "" if value is None else str(value)[:200].replace("\x00", "\ufffd")


def account_of(user: Any) -> str | None:
    """What tells an account apart for ever: its id on Cloud, its key on Data Center (a user name can be changed)."""
    if not isinstance(user, dict):
        return None
    return next((user[part] for part in NAMES if isinstance(user.get(part), str) and user[part]), None)


@dataclass(slots=True)
class Reading:
    issues: dict[str, Issue] = field(default_factory=dict)

    def note(self, code: IssueCode, name: str, value: Any, what: str, fix: str = SOURCE_FIX) -> None:
        self.issues.setdefault(name, Issue(code, name, shown(value), what, fix))

    def mapped(self, name: str, value: Any, label: Any, table: Mapping[str, Meaning]) -> Meaning | None:
        """Our word for the tool's word; an unlisted one is noted and stays unknown."""
        if value is None:
            return None
        found = table.get(value) if isinstance(value, str) else None
        if found is None:
            spelled = value if label in (None, value) else f"{value} ({label})"
            self.note(
                IssueCode.UNMAPPED_SOURCE_VALUE, name, spelled, f"The contract does not know this {name}.", CONTRACT_FIX
            )
        return found

    def option(self, name: str, raw: Any, table: Mapping[str, Meaning]) -> Meaning | None:
        """Our word for a select list's value, by its text."""
        if raw is None:
            return None
        text = raw.get("value", raw.get("name")) if isinstance(raw, dict) else raw
        if not isinstance(text, str):
            self.note(IssueCode.MALFORMED, name, raw, f"The {name} is neither an option nor text.")
            return None
        return self.mapped(name, text, text, table)

    def numbered(self, name: str, raw: Any, table: Mapping[str, Meaning]) -> Meaning | None:
        """Our word for a status, a priority or an issue type, by its id."""
        if raw is None:
            return None
        if not isinstance(raw, dict) or not isinstance(raw.get("id"), str):
            self.note(IssueCode.MALFORMED, name, raw, f"The {name} has no id.")
            return None
        return self.mapped(name, raw["id"], raw.get("name"), table)

    def person(self, name: str, user: Any, people: Mapping[str, str]) -> str | None:
        """Whom an account is in ServiceNow: by any of its names, or by the e-mail address that the site shows of it."""
        if not isinstance(user, dict):
            return self.mapped(name, user, user, people)
        account, email = account_of(user), user.get("emailAddress")
        known = [user.get(part) for part in NAMES]
        if isinstance(email, str):
            known += [email, email.lower()]
        spelled = next((word for word in known if isinstance(word, str) and word in people), None)
        if spelled is None and isinstance(email, str):
            spelled = email.lower()
        return self.mapped(name, spelled or account, account, people)

    def text(self, name: str, raw: Any) -> str | None:
        if raw is not None and not isinstance(raw, str):
            self.note(IssueCode.MALFORMED, name, raw, f"The {name} is not text.")
            return None
        return shown(raw) or None

    def time(self, name: str, raw: Any) -> datetime | None:
        if raw is None:
            return None
        at = moment(raw)
        if at is None:
            self.note(IssueCode.MALFORMED, name, raw, f"The {name} is not a time with an offset.")
        return at

    def required(self, name: str, value: Meaning | None) -> Meaning | None:
        """Note an absence, unless something worse was noted about the field already."""
        if value is None:
            self.note(IssueCode.REQUIRED_FIELD_MISSING, name, None, f"The record has no {name}.")
        return value

    def noted(self) -> tuple[Issue, ...]:
        return tuple(self.issues[name] for name in sorted(self.issues))
