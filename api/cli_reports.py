"""The commands that report about data, and those that agree on what a word means.

They parse words and print; what they do stands in the reports and actions. Registered by the command `evenhand`.
"""

from pathlib import Path

import click

from api.cli_contracts import FILE, PERSON, VERSION, told, within

WORD = click.argument("word")


@click.group()
def report() -> None:
    """Reports about the mirrored data itself."""


@report.command()
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of text.")
@click.option("--html", "page", type=click.Path(dir_okay=False, writable=True, path_type=Path),
              help="Write a page with drawings to this file as well.")  # fmt: skip
def data(as_json: bool, page: Path | None) -> None:
    """Per source and entity: records, age, freshness, completeness, filled fields, open issues, manual share, calls."""
    from api.data_report import data_report
    from api.report_page import as_page, as_text

    found = within(lambda house, _: data_report(house.store, house.settings, house.clock()))
    if page is not None:
        page.write_text(as_page(found), encoding="utf-8")
    if as_json:
        told(found)
    else:
        click.echo(as_text(found), nl=False)


@report.command("anomalies")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a finding.")
def anomalies_(as_json: bool) -> None:
    """Records behind the newest run that look wrong: missing, impossible, outlying, late. Nothing is changed."""
    from api.anomaly_report import anomaly_report

    for row in within(lambda house, _: anomaly_report(house.store, house.settings)):
        if as_json:
            told(row)
        else:
            click.echo(f"{row['kind']:<10} {row['metric']} {row['record']}: {row['what']}")


@report.command("definitions")
def definitions_() -> None:
    """What every agreed word counts in each source, and where the sources do not agree."""
    from api.actions import definitions

    for row in within(lambda house, _: definitions.report(house.store)):
        told(row)


@click.group()
def definition() -> None:
    """What a word such as "resolved" means in each tool."""


@definition.command()
@FILE
@PERSON
def propose(file: Path, person: str) -> None:
    """Check a definition FILE and keep it as the next version of its word."""
    from api.actions import definitions

    body = file.read_text(encoding="utf-8")
    kept = within(lambda h, viewer: definitions.propose(h.store, h.log, viewer, body, h.clock()), person)
    told({"name": kept.name, "version": kept.version_no, "state": kept.state, "content_hash": kept.content_hash})


@definition.command("test")
@WORD
@VERSION
@PERSON
def try_on(word: str, version_no: int | None, person: str) -> None:
    """Count what a proposed definition of WORD means in each source."""
    from api.actions import definitions

    told(within(lambda h, viewer: definitions.try_on(h.store, h.log, viewer, word, version_no, h.clock()), person))


@definition.command()
@WORD
@VERSION
@PERSON
def activate(word: str, version_no: int | None, person: str) -> None:
    """Put a tested definition in force. Whoever proposed it cannot."""
    from api.actions import definitions

    done = within(lambda h, viewer: definitions.activate(h.store, h.log, viewer, word, version_no, h.clock()), person)
    told({"name": done.name, "version": done.version_no, "state": "ACTIVE"})


@definition.command()
@WORD
@PERSON
def retire(word: str, person: str) -> None:
    """End a definition."""
    from api.actions import definitions

    done = within(lambda h, viewer: definitions.retire(h.store, h.log, viewer, word, h.clock()), person)
    told({"name": done.name, "version": done.version_no, "state": "RETIRED"})


COMMANDS = (report, definition)
