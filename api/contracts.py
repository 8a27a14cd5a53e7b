"""What a data contract is for each tool, and which text of it is used now.

The text that people put in force (ops.document) counts; without one the file that the settings name; without one the
contract that we ship. Decides also what a change of the text asks for: which entities must be read again from what is
stored, and of which the tool must be asked again, because columns are wanted that nothing stored has.
Refuses, with the place of the mistake, a text that is no contract of this tool.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions.documents import Document, content_hash, in_force
from api.settings import Settings
from connectors.files import contract as file_contract
from connectors.files import translate as file_translate
from connectors.jira import contract as jira_contract
from connectors.jira import translate as jira_translate
from connectors.jira.stored import raw_of
from connectors.replay import ALL, Restore
from connectors.rules import TERMS, Terms, checking, read_terms
from connectors.servicenow import contract as servicenow_contract
from connectors.servicenow import translate as servicenow_translate
from connectors.source import Translator
from engine.documents import read_document
from engine.refusal import Code, Refused
from engine.words import DocumentKind, Source


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one tool's contract is read. `asked` names what of each entity the tool is asked for."""

    shipped: Callable[[], str]
    read: Callable[[str], Any]
    translator: Callable[[Any], Translator]
    asked: Callable[[Any], Mapping[str, frozenset[str]]]
    restore: Restore


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract as it was read: the tool's own part, and what all contracts share."""

    source: Source
    text: str
    hash: str
    tool: Any
    terms: Terms

    @property
    def translator(self) -> Translator:
        return replace(checking(DIALECTS[self.source].translator(self.tool), self.terms.rules), contract=self.hash)

    @property
    def asked(self) -> Mapping[str, frozenset[str]]:
        return DIALECTS[self.source].asked(self.tool)


@dataclass(frozen=True, slots=True)
class Change:
    """What follows from another text: entities and kinds to read again from what is stored, `anew` from the tool."""

    entities: frozenset[str]  # ALL stands for every one
    kinds: frozenset[str]  # whose rules are others now
    anew: frozenset[str]


def _servicenow_asked(tool: servicenow_contract.Contract) -> Mapping[str, frozenset[str]]:
    return {entity: frozenset(shape.asked) for entity, shape in tool.items()}


def _jira_asked(tool: jira_contract.Contract) -> Mapping[str, frozenset[str]]:
    """Everything hangs on the search for issues: its custom fields, and which types it looks for."""
    return {"issue": frozenset({*tool.fields.values(), *(f"issue type {number}" for number in tool.kinds)})}


def _shipped_servicenow() -> str:
    return (Path(servicenow_contract.__file__).parent / "contract.yaml").read_text(encoding="utf-8")


def _of_files(source: Source) -> Dialect:
    """What comes as files, or through a supplier's interface."""
    return Dialect(
        partial(file_contract.shipped, source),
        partial(file_contract.read_contract, source),
        file_translate.translator,
        lambda contract: {contract.entity: frozenset(field.header for field in contract.fields)},
        lambda entity, stored: (entity, stored),
    )


DIALECTS: Mapping[Source, Dialect] = {
    Source.SERVICENOW: Dialect(
        _shipped_servicenow,
        servicenow_contract.read_contract,
        servicenow_translate.translator,
        _servicenow_asked,
        lambda entity, stored: (entity, stored),
    ),
    Source.JIRA: Dialect(
        jira_contract.plain_contract,
        jira_contract.read_contract,
        jira_translate.translator,
        _jira_asked,
        raw_of,
    ),
    **{source: _of_files(source) for source in file_contract.DROPS.values()},
}


@lru_cache(maxsize=64)
def read_contract(source: Source, text: str) -> Contract:
    """Read a contract of this tool, whole. A key that nobody reads is a mistake, not a comment."""
    dialect = DIALECTS[source]
    place = read_document(text)
    own = [key for key in read_document(dialect.shipped()).mapping() if key not in TERMS]
    place.keys((), (*own, *TERMS))
    return Contract(source, text, content_hash(text), dialect.read(text), read_terms(text))


def source_of(name: str) -> Source:
    if name not in DIALECTS:
        raise Refused(Code.BAD_INPUT, f"{name!r} has no data contract.", f"Use one of: {', '.join(DIALECTS)}.")
    return Source(name)


def brought(settings: Settings, source: Source) -> str:
    """The text that the installation brings: the file that the settings name, or the one that we ship."""
    path = {Source.SERVICENOW: settings.servicenow.contract, Source.JIRA: settings.jira.contract}.get(source)
    return _file(path) if path else DIALECTS[source].shipped()


@cache
def _file(path: Path) -> str:
    """Read once: a change of it is a restart."""
    return path.read_text(encoding="utf-8")


def used(settings: Settings, source: Source, agreed: Mapping[str, Document]) -> Contract:
    """The contract that counts now."""
    document = agreed.get(source)
    return read_contract(source, document.body if document and document.agreed else brought(settings, source))


async def contracts(connection: AsyncConnection, settings: Settings) -> dict[Source, Contract]:
    """The contracts that count now, of every tool that has one."""
    agreed = await in_force(connection, DocumentKind.DATA_CONTRACT)
    return {source: used(settings, source, agreed) for source in DIALECTS}


def change(before: Contract, after: Contract) -> Change:
    """What a change of the text asks for. Owner, targets and schedule alone change no row."""
    asked, was = after.asked, before.asked
    anew = frozenset(entity for entity, columns in asked.items() if entity in was and columns - was[entity])
    rules, were = after.terms.rules, before.terms.rules
    kinds = frozenset(kind for kind in {*rules, *were} if rules.get(kind) != were.get(kind))
    parts, old = _parts(after.text), _parts(before.text)
    return Change(frozenset(name for name in parts if parts[name] != old.get(name)), kinds, anew)


def _parts(text: str) -> Mapping[str, Any]:
    """What is said of each entity; a contract that is not written by entity is one part."""
    node = read_document(text).mapping()
    own = {key: value for key, value in node.items() if key not in TERMS}
    if set(own) == {"entities"}:
        parts: dict[str, Any] = dict(own["entities"])
        return parts
    return {ALL: own}
