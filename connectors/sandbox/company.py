"""One plausible company and its year 2025, made from a seed: the records of its tools, and the truth behind them.

Decides how the parts are put together. The seed alone decides everything: no clock, no hash order, one source of
chance. Nothing here is random after `generate` has returned. All names are made up.
"""

from dataclasses import dataclass

from connectors.sandbox.company_annex import annex
from connectors.sandbox.company_board import meet
from connectors.sandbox.company_book import Book, LiveEvent, Row, Tables, Truth
from connectors.sandbox.company_changes import carry_out
from connectors.sandbox.company_incidents import happen
from connectors.sandbox.company_people import hire
from connectors.sandbox.company_problems import break_down
from connectors.sandbox.company_services import agree, found_vendors, start_services
from connectors.sandbox.company_slas import run_clocks
from connectors.sandbox.company_surveys import answer

__all__ = ["Company", "LiveEvent", "Row", "Tables", "Truth", "generate"]


@dataclass(frozen=True, slots=True)
class Company:
    """`tables` as they stand at the start; `live` in order gives what happens after it."""

    seed: int
    tables: Tables  # table -> sys_id -> raw ServiceNow row
    truth: Truth
    live: list[LiveEvent]
    jira_services: tuple[str, ...] = ()  # sys_ids of the services whose tickets are kept in Jira
    small: bool = False  # some dozen records instead of a year


def generate(seed: int) -> Company:
    book = Book(seed)
    staff = hire(book)
    vendors = found_vendors(book, staff)
    services = start_services(book, staff, vendors)
    agreed = agree(book, vendors)
    here = [service for service in services if not service.in_jira]
    changes = carry_out(book, staff, here)
    problems = break_down(book, here)
    incidents = happen(book, staff, here, agreed, problems, changes)
    run_clocks(book, agreed, incidents)
    answer(book, incidents)
    meet(book, staff, changes)
    annex(book, staff, services, vendors)
    jira = tuple(service.sys_id for service in services if service.in_jira)
    return Company(seed, book.tables, book.truth, book.live(), jira)
