"""Which issues stand in a site, in which version, and whether one of them still does.

Decides when a key set is complete: the last page was reached, every issue on it has an id, and, where the site counts
exactly (Data Center), no fewer were seen than it counted. Cloud only estimates; its index may be late too, which is why
an absent issue is asked for by id. One that was moved out of what is mirrored does not stand here any more. Approvals
and clocks have no version: their keys carry 0, which is never newer.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from connectors.governor import Purpose
from connectors.jira.calls import QueryRefused, ResourceGone, ask
from connectors.jira.desk import values_of
from connectors.jira.pull import one, poll, scope
from connectors.jira.search import Question, search
from connectors.jira.site import Edition, JiraConfig, Site, connect
from connectors.jira.times import EPOCH, milliseconds, moment
from connectors.jira.translate import translate
from connectors.source import Key, KeySet, Poison, SourceUnavailable
from engine.refusal import Code, Refused
from engine.words import Feed, Source

PAGE = 5000
FIELDS = ("updated",)
NO_VERSION = 0


def sweep(config: JiraConfig, entity: str = "issue") -> KeySet:
    """Every key of `entity`; not complete, with the reason, when the site broke off."""
    return _of(entity)(config, entity)


def exists(config: JiraConfig, entity: str, key: str) -> bool:
    """Whether the site shows the record when it is asked for it by id. Anything but yes or no is raised."""
    issue_id = key.partition(":")[0]
    if not (issue_id.isascii() and issue_id.isdigit()):
        raise Refused(Code.BAD_INPUT, f"'{key[:80]}' is no key of a Jira record.", "Give one that the mirror holds.")
    _of(entity)
    with connect(config, Purpose.REFETCH) as site:
        if one(site, issue_id) is None:
            return False
        resource = RESOURCES.get(entity)
        return resource is None or key in _keys_of(site, entity, issue_id, *resource)


def _of(entity: str) -> "Sweep":
    if entity not in SWEEPS:
        raise Refused(Code.BAD_INPUT, f"'{entity}' is not swept in Jira.", f"Sweep {', '.join(SWEEPS)}.")
    return SWEEPS[entity]


def _issues(config: JiraConfig, entity: str) -> KeySet:
    keys: dict[str, Key] = {}
    total, nameless, why = 0, 0, ""
    with connect(config, Purpose.SWEEP) as site:
        try:
            for found in search(site, Question(scope(config), FIELDS, size=PAGE)):
                for issue in found.issues:
                    if not isinstance(issue, dict) or not issue.get("id"):
                        nameless += 1
                        continue
                    at = moment((issue.get("fields") or {}).get("updated"))
                    key = str(issue["id"])
                    keys[key] = Key(key, milliseconds(at), at) if at else Key(key, NO_VERSION, EPOCH)
                total = max(total, found.total or 0)
            why = f"{nameless} issues came without an id." if nameless else ""
            if len(keys) < total:
                why = f"Jira counts {total} issues and showed {len(keys)}."
        except SourceUnavailable as broken:
            why = str(broken)
        return KeySet(Source.JIRA, entity, list(keys.values()), not why, site.opened_at, why or _estimate(site, keys))


def _estimate(site: Site, keys: Mapping[str, Key]) -> str:
    """A word of warning where Cloud guesses at far more than it showed; a guess decides nothing."""
    if site.edition is Edition.DATA_CENTER:
        return ""
    try:
        answer = ask(site.http, f"{site.api}/search/approximate-count", jql=scope(site.config))
    except (SourceUnavailable, QueryRefused, ResourceGone):
        return ""
    count = answer.get("count") if isinstance(answer, dict) else None
    if not isinstance(count, int) or count <= len(keys) + max(10, len(keys) // 20):
        return ""
    return f"Jira estimates {count} issues and showed {len(keys)}."


def _known(config: JiraConfig, entity: str, record: Mapping[str, Any]) -> list[str]:
    try:
        return [version.key for version in translate(config.contract, entity, record, EPOCH)]
    except Poison:
        return []


def _keys_of(site: Site, entity: str, issue_id: str, resource: str, name: str) -> set[str]:
    """Keys of everything of one kind that belongs to one issue now."""
    values = values_of(site.http, issue_id, resource) or ()
    records = [{"issueId": issue_id, "changelog": [], name: value} for value in values]
    return {key for record in records for key in _known(site.config, entity, record)}


def _belongings(config: JiraConfig, entity: str) -> KeySet:
    """Keys of what only the service desk knows: as dear as reading everything."""
    keys: dict[str, Key] = {}
    observed_at, why = None, ""
    try:
        for page in poll(config, None, Feed.SWEEP):
            observed_at = observed_at or page.observed_at
            if page.entity == entity:
                for record in orjson.loads(page.body):
                    for key in _known(config, entity, record):
                        keys[key] = Key(key, NO_VERSION, EPOCH)
    except SourceUnavailable as broken:
        why = str(broken)
    if observed_at is None:
        with connect(config, Purpose.SWEEP) as site:
            observed_at = site.opened_at
    return KeySet(Source.JIRA, entity, list(keys.values()), not why, observed_at, why)


Sweep = Callable[[JiraConfig, str], KeySet]
SWEEPS: Mapping[str, Sweep] = {"issue": _issues, "request_approval": _belongings, "request_sla": _belongings}
RESOURCES: Mapping[str, tuple[str, str]] = {  # resource of the service desk, place in our record
    "request_approval": ("approval", "approval"),
    "request_sla": ("sla", "metric"),
}
