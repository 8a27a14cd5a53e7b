"""The settings of one process: read once from the environment, checked, frozen and passed down.

Decides: names, defaults and what a value must look like. Times are seconds. A secret is text as its owner wrote it.
Refuses: a value that cannot be meant, with the name of the variable; and stand-ins (development issuer and keys,
sandbox) in production.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from engine.refusal import Code, Refused
from engine.words import Role

PREFIX = "EVENHAND_"
# where scores may be written back to; a tool that is not connected gets nothing
WRITEBACK = ("servicenow.table", "servicenow.column", "jira.property", "jira.dashboard", "jira.link")


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class ServiceNowSettings:
    """How to reach an instance: OAuth client credentials where given, otherwise user and password."""

    url: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    contract: Path | None = None  # a data contract of the customer's own, instead of the standard one
    score_column: str = "u_evenhand_score"  # of the incident, for the write-back servicenow.column


@dataclass(frozen=True, slots=True)
class JiraSettings:
    url: str = ""
    user: str = ""
    token: str = field(default="", repr=False)
    projects: tuple[str, ...] = ("OPS",)
    contract: Path | None = None
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    dashboard_items: tuple[str, ...] = ()  # "dashboard/item" each, for the write-back jira.dashboard


@dataclass(frozen=True, slots=True)
class VendorSettings:
    """A supplier's own interface; `name` is that of its data-sharing agreement."""

    name: str
    url: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Budget:
    """Query points that one caller may hold ready, and how many come back in a second."""

    points: int = 50_000
    per_second: int = 500


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between two installations. `database_url` empty means the embedded server."""

    home: Path = Path(".evenhand")
    port: int = 8080
    host: str = "127.0.0.1"
    environment: Environment = Environment.DEVELOPMENT
    database_url: str = field(default="", repr=False)
    public_url: str = "http://127.0.0.1:8080"
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    frame_ancestors: tuple[str, ...] = ()
    introspection: bool = True
    planner: bool = True  # whether reads are compiled; without it all run in the standard execution
    ad_hoc: bool = True  # whether GraphQL answers texts that were not registered
    budget: Budget = Budget()  # of everybody who has none of his own
    own_budgets: tuple[tuple[UUID, Budget], ...] = ()  # of service accounts, by the id that their tokens name
    writeback: tuple[str, ...] = ("servicenow.table", "jira.property")
    servicenow: ServiceNowSettings = ServiceNowSettings()
    jira: JiraSettings = JiraSettings()
    vendors: tuple[VendorSettings, ...] = ()
    scim_roles: tuple[tuple[str, Role], ...] = ()  # name of a group -> the role that it asks for

    @property
    def production(self) -> bool:
        return self.environment is Environment.PRODUCTION


def read(environ: Mapping[str, str]) -> Settings:
    """The settings that these environment variables describe."""
    take = _Taker(environ)
    environment = take("ENVIRONMENT", _environment, Environment.DEVELOPMENT)
    port = take("PORT", _port, 8080)
    public_url = take("PUBLIC_URL", _web_address, f"http://127.0.0.1:{port}")
    named = urlsplit(public_url).hostname or ""
    return Settings(
        home=take("HOME", Path, Path(".evenhand")),
        port=port,
        host=take("HOST", str, "127.0.0.1"),
        environment=environment,
        database_url=take("DATABASE_URL", _database, ""),
        public_url=public_url,
        hosts=take("HOSTS", _words, tuple(dict.fromkeys([named, "127.0.0.1", "localhost", "[::1]"]))),
        frame_ancestors=take("FRAME_ANCESTORS", origins, ()),
        writeback=take("WRITEBACK", _writeback, ("servicenow.table", "jira.property")),
        introspection=take("GRAPHQL_INTROSPECTION", _yes, environment is Environment.DEVELOPMENT),
        planner=take("GRAPHQL_PLANNER", _on, True),
        ad_hoc=take("GRAPHQL_AD_HOC", _yes, True),
        budget=take("GRAPHQL_BUDGET", _budget, Budget()),
        own_budgets=take("GRAPHQL_OWN_BUDGETS", _own_budgets, ()),
        servicenow=ServiceNowSettings(
            url=take("SERVICENOW_URL", _web_address, ""),
            user=take("SERVICENOW_USER", str, ""),
            password=take("SERVICENOW_PASSWORD", str, ""),
            client_id=take("SERVICENOW_CLIENT_ID", str, ""),
            client_secret=take("SERVICENOW_CLIENT_SECRET", str, ""),
            webhook_secrets=_secrets(take, "SERVICENOW"),
            contract=take("SERVICENOW_CONTRACT", _file, None),
            score_column=take("SERVICENOW_SCORE_COLUMN", _own_column, "u_evenhand_score"),
        ),
        jira=JiraSettings(
            url=take("JIRA_URL", _web_address, ""),
            user=take("JIRA_USER", str, ""),
            token=take("JIRA_TOKEN", str, ""),
            webhook_secrets=_secrets(take, "JIRA"),
            projects=take("JIRA_PROJECTS", _words, ("OPS",)),
            contract=take("JIRA_CONTRACT", _file, None),
            dashboard_items=take("JIRA_DASHBOARD_ITEMS", _items, ()),
        ),
        vendors=_vendors(take),
        scim_roles=take("SCIM_ROLES", _roles, ()),
    )


class _Taker:
    """Reads one variable after the other; an empty one counts as not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __call__(self, name: str, meaning: Callable[[str], Any], default: Any) -> Any:
        text = self._environ.get(PREFIX + name, "")
        if not text:
            return default
        try:
            return meaning(text)
        except ValueError as wrong:
            # The value itself stays out of the message: it may be a secret in the wrong place.
            raise Refused(
                Code.BAD_INPUT, f"{PREFIX}{name} cannot be used: {wrong}.", f"Correct {PREFIX}{name} or unset it."
            ) from None


def origins(text: str) -> tuple[str, ...]:
    """Exact web origins, space separated: https, or http on this machine only. No wildcard, no path."""
    found = tuple(text.split())
    for origin in found:
        parts = urlsplit(origin)
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        plain = f"{parts.scheme}://{parts.netloc}" == origin and parts.hostname and "*" not in origin
        if not plain or "@" in origin or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise ValueError("each origin is written like https://company.service-now.com, without a path or wildcard")
        if any(mark in origin for mark in ";,'\""):
            raise ValueError("an origin holds no punctuation")
        _ = parts.port
    return found


def _environment(text: str) -> Environment:
    if text not in list(Environment):
        raise ValueError(f"it must be one of {', '.join(Environment)}")
    return Environment(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError("a port is a whole number from 1 to 65535")
    return int(text)


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment or parts.query:
        raise ValueError("it must be an address such as https://company.service-now.com, without user or query")
    _ = parts.port
    return text.rstrip("/")


def _database(text: str) -> str:
    if text.partition("://")[0].split("+")[0] not in ("postgres", "postgresql"):
        raise ValueError("it must be a PostgreSQL URL: postgresql://user:password@host:5432/database")
    return text


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise ValueError("there is no such file")
    return Path(text)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _roles(text: str) -> tuple[tuple[str, Role], ...]:
    """`group name=ROLE`, several with commas between them."""
    pairs = [tuple(part.strip() for part in pair.rpartition("=")) for pair in text.split(",") if pair.strip()]
    given = {name: role for name, _, role in pairs if name}
    askable = sorted(set(Role) - {Role.EMPLOYEE, Role.MANAGER})
    if len(given) != len(pairs) or not set(given.values()) <= set(askable):
        raise ValueError(
            f"it is written like 'Name of a group=HR, Other group=AUDITOR'; roles are {', '.join(askable)}"
        )
    return tuple((name, Role(role)) for name, role in given.items())


def _vendors(take: _Taker) -> tuple[VendorSettings, ...]:
    tokens: dict[str, str] = take("VENDOR_TOKENS", _named, {})
    feeds: dict[str, str] = take("VENDOR_FEEDS", _feeds, {})
    return tuple(VendorSettings(name, url, tokens.get(name, "")) for name, url in feeds.items())


def _named(text: str) -> dict[str, str]:
    """`name=text`, several with commas between them."""
    pairs = [tuple(part.strip() for part in pair.partition("=")) for pair in text.split(",") if pair.strip()]
    found = {name: said for name, _, said in pairs if said and re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name)}
    if len(found) != len(pairs):
        raise ValueError("it is written like 'acme=..., other=...'; names are those of agreements, each once")
    return found


def _feeds(text: str) -> dict[str, str]:
    return {name: _web_address(url) for name, url in _named(text).items()}


def _budget(text: str) -> Budget:
    """`points/per second`."""
    found = re.fullmatch(r"([0-9]{1,10})/([0-9]{1,10})", text.strip())
    points, per_second = (int(each) for each in found.groups()) if found else (0, 0)
    if not (0 < points < 2**31 and 0 < per_second < 2**31):
        raise ValueError("it is written like 50000/500: the points of a full budget, and how many a second gives back")
    return Budget(points, per_second)


def _own_budgets(text: str) -> tuple[tuple[UUID, Budget], ...]:
    """`id=points/per second`, several with commas between them."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    return tuple((UUID(who.strip()), _budget(said)) for who, _, said in pairs)


def _writeback(text: str) -> tuple[str, ...]:
    found = () if text == "none" else _words(text)
    if unknown := [word for word in found if word not in WRITEBACK]:
        raise ValueError(f"{len(unknown)} of its words name no target; there are {', '.join(WRITEBACK)}, and none")
    return found


def _own_column(text: str) -> str:
    if not re.fullmatch(r"u_[a-z0-9_]{1,60}", text):
        raise ValueError("a column that we may write to is a custom one: u_ and small letters")
    return text


def _items(text: str) -> tuple[str, ...]:
    if not all(re.fullmatch(r"[0-9]{1,20}/[0-9]{1,20}", word) for word in _words(text)):
        raise ValueError("each item is written like 10000/10010: the dashboard's id and the item's")
    return _words(text)


def _yes(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("it must be true or false")
    return text.lower() == "true"


def _on(text: str) -> bool:
    if text.lower() not in ("on", "off"):
        raise ValueError("it must be on or off")
    return text.lower() == "on"


def _secrets(take: _Taker, source: str) -> tuple[str, ...]:
    """Active secrets of a sender, newest first: one, or a list while they change."""
    several: tuple[str, ...] = take(f"{source}_WEBHOOK_SECRETS", _words, ())
    one: str = take(f"{source}_WEBHOOK_SECRET", str, "")
    return tuple(dict.fromkeys([one, *several] if one else several))
