"""Which tools are connected, under which data contracts: settings in, connectors ready to use out.

Jira's options lead to services, teams and people of the same name or e-mail address in ServiceNow, where they are
mastered; a name that leads nowhere stays unknown and is listed as a data issue.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial

from sqlalchemy import TextClause, text

from api.actions import agreements
from api.contracts import Contract, contracts
from api.settings import Settings
from connectors import callbook
from connectors.files.contract import DROPS
from connectors.governor import Governor
from connectors.jira import deliver as jira_deliver
from connectors.jira import pull as jira_pull
from connectors.jira import sweep as jira_sweep
from connectors.jira.contract import Contract as JiraContract
from connectors.jira.site import JiraConfig
from connectors.outbox import Deliverer
from connectors.probe import knock
from connectors.schedule import due
from connectors.servicenow import contract as servicenow_contract
from connectors.servicenow import deliver as servicenow_deliver
from connectors.servicenow import pull as servicenow_pull
from connectors.servicenow import sweep as servicenow_sweep
from connectors.servicenow.instance import ServiceNowConfig
from connectors.source import Hint, KeySet, Page, Translator
from connectors.vendor import feed as vendor_feed
from connectors.vendor.feed import VendorFeed
from engine.sharing import holds
from engine.words import Feed, Source
from schema.store import DbRole, Store

TODAY = text("select (now() at time zone 'UTC')::date")


def called_once(name: str, table: str) -> TextClause:
    """Who or what is called so in ServiceNow now. A name that two bear leads to neither: nobody is guessed.

    Somebody who has left is still known by a name that nobody else bears.
    """
    return text(
        f"""select {name}, coalesce(min(source_key) filter (where gone_at is null), min(source_key))
              from mirror.{table} where source = 'servicenow' and {name} is not null group by {name}
            having count(*) filter (where gone_at is null) = 1
                or (count(*) filter (where gone_at is null) = 0 and count(*) = 1)"""  # noqa: S608 - our own names
    )


MASTERED = {
    "services": called_once("name", "service"),
    "teams": called_once("name", "team"),
    "people": called_once("email", "person"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One entity of one tool: how its records are read, how its keys are counted, how one is asked for.

    `poll(since, feed, cursor)` gives pages. The watermark stands under the name of the entity.
    """

    source: Source
    entity: str
    poll: Callable[[datetime | None, Feed, str | None], Iterator[Page]]
    keys: Callable[[], KeySet]
    exists: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Sources:
    """The connected tools as they are configured now. A tool without an address is not connected."""

    servicenow: ServiceNowConfig | None
    jira: JiraConfig | None
    contracts: Mapping[Source, Contract] = field(default_factory=dict)  # of the connected tools
    files: Mapping[Source, Contract] = field(default_factory=dict)  # of what is handed over: nobody is asked for it
    vendors: tuple[VendorFeed, ...] = ()

    @property
    def translators(self) -> Mapping[Source, Translator]:
        return {source: contract.translator for source, contract in {**self.files, **self.contracts}.items()}

    def awake(self, now: datetime) -> list[Source]:
        """The tools that may be asked now: those that are not in a blackout of their contract."""
        return [s for s, contract in self.contracts.items() if due(contract.terms.schedule, now, None, None).poll]

    @property
    def readings(self) -> Iterator[Reading]:
        """Masters first: Jira's contract leans on the people, teams and services of ServiceNow."""
        if self.servicenow:
            for entity in servicenow_contract.polled(self.servicenow.contract):
                yield Reading(
                    Source.SERVICENOW,
                    entity,
                    partial(servicenow_pull.poll, self.servicenow, entity),
                    partial(servicenow_sweep.sweep, self.servicenow, entity),
                    partial(servicenow_sweep.exists, self.servicenow, entity),
                )
        if self.jira:
            site = self.jira
            yield Reading(
                Source.JIRA,
                "issue",
                lambda since, feed, _cursor: jira_pull.poll(site, since, feed),
                lambda: jira_sweep.sweep(site, "issue"),
                lambda key: jira_sweep.exists(site, "issue", key),
            )
        for each in self.vendors:
            yield Reading(
                Source.VENDOR,
                each.entity,
                partial(vendor_feed.poll, each),
                partial(vendor_feed.sweep, each),
                partial(vendor_feed.exists, each),
            )

    @property
    def deliverers(self) -> Mapping[str, Deliverer]:
        """Who writes back to which tool."""
        found: dict[str, Deliverer] = {}
        if self.servicenow:
            found[Source.SERVICENOW] = partial(servicenow_deliver.deliver, self.servicenow)
        if self.jira:
            found[Source.JIRA] = partial(jira_deliver.deliver, self.jira)
        return found

    @property
    def governors(self) -> list[Governor]:
        return [tool.governor for tool in (self.servicenow, self.jira, *self.vendors) if tool]

    def refetch(self, hints: Iterable[Hint]) -> Iterator[Page]:
        """These records as the tools have them now. Each page is proof of its own moment, as in a sweep."""
        wanted: dict[tuple[Source, str], set[str]] = defaultdict(set)
        for hint in hints:
            wanted[hint.source, hint.entity].add(hint.key)
        for (source, entity), keys in sorted(wanted.items()):
            if source is Source.JIRA and self.jira:
                yield from jira_pull.refetch(self.jira, sorted(keys), Feed.SWEEP)
            elif source is Source.SERVICENOW and self.servicenow:
                yield from servicenow_pull.refetch(self.servicenow, entity, sorted(keys), Feed.SWEEP)
            elif source is Source.VENDOR:
                for each in self.vendors:
                    if each.entity == entity:
                        yield from vendor_feed.poll(each, None, Feed.SWEEP)


@cache
def governor_of(url: str, account: str) -> Governor:
    """One for all threads of this process that talk to a tool with one account, so that a 429 is remembered."""
    return Governor()


def governed(store: Store, source: Source, url: str, account: str) -> Governor:
    """That governor, in touch with those of other processes. Whether the tool is up again, a bare request tells."""
    governor = governor_of(url, account)
    governor.port = callbook.port(store, source, f"{url} {account}")
    governor.probe = partial(knock, url, source)
    return governor


async def connected(store: Store, settings: Settings) -> Sources:
    """The tools that the settings name, under the contracts in force, with what the mirror knows of their masters."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        counting = await contracts(connection, settings)
    return await under(store, settings, counting)


async def under(store: Store, settings: Settings, counting: Mapping[Source, Contract]) -> Sources:
    """The tools that the settings name, under these contracts."""
    found: dict[Source, Contract] = {}
    servicenow = jira = None
    if settings.servicenow.url:
        tool = settings.servicenow
        servicenow = ServiceNowConfig(
            url=tool.url,
            contract=counting[Source.SERVICENOW].tool,
            user=tool.user,
            password=tool.password,
            client_id=tool.client_id,
            client_secret=tool.client_secret,
            governor=governed(store, Source.SERVICENOW, tool.url, tool.user or tool.client_id),
        )
        found[Source.SERVICENOW] = counting[Source.SERVICENOW]
    if settings.jira.url:
        site = settings.jira
        found[Source.JIRA] = await completed(store, counting[Source.JIRA])
        governor = governed(store, Source.JIRA, site.url, site.user or "bearer")
        jira = JiraConfig(site.url, site.user, site.token, site.projects, found[Source.JIRA].tool, governor)
    files = {source: counting[source] for source in DROPS.values() if source in counting}
    vendors: tuple[VendorFeed, ...] = ()
    if settings.vendors:
        found[Source.VENDOR] = counting[Source.VENDOR]
        vendors = await vendor_feeds(store, settings, counting[Source.VENDOR])
    return Sources(servicenow, jira, found, files, vendors)


async def vendor_feeds(store: Store, settings: Settings, contract: Contract) -> tuple[VendorFeed, ...]:
    """The interfaces of suppliers, each under its agreement; one that nothing covers says so when it is read."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        ruling, today = await agreements.in_force(connection), await connection.scalar(TODAY)
    found = []
    for each in settings.vendors:
        agreement = ruling.get(each.name)
        covered = agreement.fields if agreement and holds(agreement, today) else None
        governor = governed(store, Source.VENDOR, each.url, each.name)
        vendor = agreement.vendor if agreement else ""
        found.append(VendorFeed(each.name, each.url, each.token, contract.tool, vendor, covered, governor))
    return tuple(found)


async def completed(store: Store, contract: Contract) -> Contract:
    """A contract with what it leaves to the mirror filled in."""
    if contract.source is Source.JIRA:
        return replace(contract, tool=await with_masters(store, contract.tool))
    return contract


async def with_masters(store: Store, contract: JiraContract) -> JiraContract:
    """The contract with what it does not name itself filled in from mirrored masters of the same name."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        known: dict[str, dict[str, str]] = {
            name: {row[0]: row[1] for row in (await connection.execute(query)).all()}
            for name, query in MASTERED.items()
        }
    return replace(
        contract,
        services=known["services"] | dict(contract.services),
        teams=known["teams"] | dict(contract.teams),
        people=known["people"] | dict(contract.people),
    )
