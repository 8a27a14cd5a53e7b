"""The report about the data as people look at it: plain text with bars for a terminal, and one HTML page by itself.

Pure: the report in, text out. The page holds its own style and drawings, asks nobody for anything and runs no script;
every word in it is escaped. Shares that nothing can be said about are a dash.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 20
DAY_WIDTH, DAY_HEIGHT = 6, 28
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;
color:#1b1b1b;background:#fff}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;
vertical-align:top}th{font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#a11}.ok{color:#161}
svg{vertical-align:middle}.late{fill:#c0392b}.met{fill:#2e7d5b}.bar{fill:#2e7d5b}.rest{fill:#e3e3e3}
h2{margin-top:2.2rem}small{color:#555}@media(max-width:48rem){table{display:block;overflow-x:auto}}"""


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.1f} %"


def lasting(minutes: int | None) -> str:
    """Minutes as somebody would say them."""
    if minutes is None:
        return "-"
    return (
        f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2_880 else f"{minutes // 1_440} days"
    )


def bar(share: float | None, width: int = WIDTH) -> str:
    """How full: a share of one as a bar of blocks."""
    if share is None:
        return "·" * width
    full = round(share * width)
    return "█" * full + "░" * (width - full)


def sparkline(days: Sequence[Mapping[str, Any]]) -> str:
    """One block a day: full when everything came in time, lower the more was late."""
    return "".join(
        BLOCKS[round((1 - day["late"] / day["changes"]) * (len(BLOCKS) - 1))] for day in days if day["changes"]
    )


# ---- text


def as_text(report: Mapping[str, Any]) -> str:
    lines = [f"Data as of {report['as_of']}"]
    for source in report["sources"]:
        limited = f"{source['limited_total']} of {source['calls_total']} calls were told to wait"
        manual = f"{percent(source['manual_share'])} entered by hand"
        lines += ["", f"{source['source']}: {source['records']} records, {manual}, {limited}"]
        for entity in source["entities"]:
            lines += _entity_lines(entity)
    return "\n".join(lines) + "\n"


def _entity_lines(entity: Mapping[str, Any]) -> Iterator[str]:
    age = lasting(entity["age_minutes"])
    state = {None: "not known", True: "fresh", False: "STALE"}[entity["fresh"]]
    yield f"  {entity['entity']} ({entity['kind']}): {entity['records']} records, {entity['gone']} gone"
    yield f"    age {age}, target {entity['freshness_target']}: {state}"
    for month in entity["attainment"]:
        yield f"    in time {month['month']} {bar(month['share'])} {percent(month['share'])} of {month['days']} days"
    if entity["days"]:
        yield f"    by day  {sparkline(entity['days'][-60:])}"
    whole = {None: "no whole count yet", True: "met", False: "MISSED"}[entity["complete"]]
    yield f"    complete {percent(entity['completeness'])}, target {percent(entity['completeness_target'])}: {whole}"
    known = [share for share in entity["coverage"].values() if share is not None]
    filled = sum(known) / len(known) if known else None
    yield f"    filled  {bar(filled)} {percent(filled)} of the values"
    if entity["never_filled"]:
        yield f"    never filled: {', '.join(entity['never_filled'])}"
    for code, count in entity["issues"].items():
        yield f"    {count} open {code}"


# ---- page


def as_page(report: Mapping[str, Any]) -> str:
    body = "".join(_source_part(source) for source in report["sources"]) or "<p>Nothing is mirrored yet.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Data report</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>Data report</h1><p>As of {escape(report['as_of'])}</p>{body}"
        "</body></html>\n"
    )


def _source_part(source: Mapping[str, Any]) -> str:
    rows = "".join(_entity_row(entity) for entity in source["entities"])
    calls = "".join(
        f"<tr><td>{escape(each['month'])}</td><td>{escape(each['purpose'])}</td><td class=n>{each['calls']}</td>"
        f"<td class=n>{each['limited']}</td><td class=n>{each['failed']}</td></tr>"
        for each in source["calls"]
    )
    asked = (
        "<h3>Calls</h3><table><tr><th>Month</th><th>For</th><th class=n>Calls</th><th class=n>Told to wait</th>"
        f"<th class=n>Failed</th></tr>{calls}</table>"
        if calls
        else ""
    )
    contract = f"Contract <small>{escape(source['contract'] or '-')}</small>"
    return (
        f"<h2>{escape(source['source'])}</h2><p>{source['records']} records, "
        f"{percent(source['manual_share'])} entered by hand. {contract}</p>"
        "<table><tr><th>Entity</th><th class=n>Records</th><th>Age</th><th>In time, by day</th><th>Complete</th>"
        f"<th>Filled</th><th>Open issues</th></tr>{rows}</table>{asked}"
    )


def _entity_row(entity: Mapping[str, Any]) -> str:
    age = lasting(entity["age_minutes"])
    mark = {None: "", True: "ok", False: "bad"}
    months = "<br>".join(f"{escape(m['month'])} {percent(m['share'])}" for m in entity["attainment"])
    issues = "<br>".join(f"{count} {escape(code)}" for code, count in entity["issues"].items())
    known = [share for share in entity["coverage"].values() if share is not None]
    filled = sum(known) / len(known) if known else None
    empty = f"<br><small>never: {escape(', '.join(entity['never_filled']))}</small>" if entity["never_filled"] else ""
    return (
        f"<tr><td>{escape(entity['entity'])}<br><small>{escape(entity['kind'])}</small></td>"
        f"<td class=n>{entity['records']}</td>"
        f'<td class="{mark[entity["fresh"]]}">{age}<br><small>target {escape(entity["freshness_target"])}</small></td>'
        f"<td>{_drawn_days(entity['days'][-60:])}<br><small>{months}</small></td>"
        f'<td class="{mark[entity["complete"]]}">{percent(entity["completeness"])}</td>'
        f"<td>{_drawn_bar(filled)} {percent(filled)}{empty}</td><td>{issues}</td></tr>"
    )


def _drawn_days(days: Sequence[Mapping[str, Any]]) -> str:
    if not days:
        return ""
    drawn = "".join(_drawn_day(place, day) for place, day in enumerate(days))
    late = sum(1 for day in days if day["late"])
    return (
        f'<svg width="{len(days) * DAY_WIDTH}" height="{DAY_HEIGHT}" role="img" '
        f'aria-label="{len(days)} days with changes, {late} of them with late ones">{drawn}</svg>'
    )


def _drawn_day(place: int, day: Mapping[str, Any]) -> str:
    low = round(DAY_HEIGHT * day["late"] / day["changes"], 2) if day["changes"] else 0
    at, title = place * DAY_WIDTH, f"{day['day']}: {day['changes']} changes, {day['late']} late"
    return (
        f"<g><title>{escape(title)}</title>"
        f'<rect class=met x="{at}" y="0" width="{DAY_WIDTH - 1}" height="{DAY_HEIGHT - low}"/>'
        f'<rect class=late x="{at}" y="{DAY_HEIGHT - low}" width="{DAY_WIDTH - 1}" height="{low}"/></g>'
    )


def _drawn_bar(share: float | None) -> str:
    full = 0 if share is None else round(share * 80)
    return (
        f'<svg width="80" height="10" role="img" aria-label="{percent(share)}">'
        f'<rect class=rest width="80" height="10"/><rect class=bar width="{full}" height="10"/></svg>'
    )
