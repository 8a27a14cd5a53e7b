"""Whether a connection to an instance can be trusted, and what a person must do if not.

Decides a list of checks, pure of our own state: who we are and in which time zone, the clocks, how the instance treats
a query that it does not understand, and for every table of the contract whether we may read it, all its rows and every
column. Nothing is written to the instance. `now` is our own clock. Source: Table API and Aggregate API reference,
sys_dictionary. A check that cannot be made because a right is missing is a WARN that says which right.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from connectors.servicenow import queries
from connectors.servicenow.contract import Shape
from connectors.servicenow.deliver import ID_COLUMN
from connectors.servicenow.deliver import TABLE as SCORES
from connectors.servicenow.instance import (
    Answer,
    Instance,
    PageRejected,
    ServiceNowConfig,
    TableAbsent,
    connect,
    count_rows,
    read,
)
from connectors.servicenow.sweep import DELETES
from connectors.source import Check, CheckState, SourceRefused, SourceUnavailable
from engine.refusal import Refused

OK, WARN, FAIL = CheckState.OK, CheckState.WARN, CheckState.FAIL
SKEW_WARN, SKEW_FAIL = timedelta(seconds=60), timedelta(seconds=300)  # a webhook older than 300 s is refused
UTC_ZONES = frozenset({"GMT", "UTC", "Etc/GMT", "Etc/UTC"})
NO_SUCH_COLUMN = "eh_no_such_column=1"
OURSELVES = "sys_id=javascript:gs.getUserID()"  # the one script that we ever send, and it is a constant
_LOST = (SourceRefused, SourceUnavailable)


def check(config: ServiceNowConfig, now: datetime) -> list[Check]:
    """Everything that can be said without changing anything. Ends early when nobody lets us in."""
    with connect(config) as instance:
        try:
            hello = _one(instance, "sys_user_group", "", ("sys_id",))
        except _LOST as error:
            return [Check("credentials", FAIL, str(error), "Correct the address and the credentials, then look again.")]
        found = [Check("credentials", OK, "The instance knows us.")]
        found.append(_clock(hello, now))
        found.append(_zone(instance))
        found.append(_nonsense(instance))
        for shape in config.contract.values():
            found += _table(instance, shape)
        found.append(_deletes(instance))
        found.append(_scores(instance))
    return found


def _one(instance: Instance, table: str, query: str, fields: tuple[str, ...], limit: int = 1) -> Answer:
    """Never counted: counting a large table costs the instance more than the row."""
    try:
        return read(instance, table, query, fields, limit, count=False)
    except PageRejected as rejected:
        raise SourceUnavailable(str(rejected)) from rejected


def _clock(hello: Answer, now: datetime) -> Check:
    skew = hello.observed_at - now
    side = "ahead of" if skew > timedelta(0) else "behind"
    what = f"The instance's clock is {abs(skew).total_seconds():.0f} s {side} ours."
    state = FAIL if abs(skew) >= SKEW_FAIL else WARN if abs(skew) >= SKEW_WARN else OK
    fix = "" if state is OK else "Let both machines take the time from an NTP server; webhooks 300 s off are refused."
    return Check("clock", state, what, fix)


def _zone(instance: Instance) -> Check:
    """Stamps come in UTC whatever it is; only a date that a script reads would shift."""
    user = instance.config.user
    fix = "Set the integration user's time zone to GMT, and its language to English."
    try:
        query = OURSELVES if not user else queries.one_of("user_name", [user])
        rows = _one(instance, "sys_user", query, ("sys_id", "user_name", "time_zone"), 2).rows
    except (Refused, *_LOST) as error:  # a name that cannot stand in a query, or a right that is missing
        return Check("time zone", WARN, f"The integration user's time zone cannot be read ({error}).", fix)
    if len(rows) != 1 or (user and rows[0].get("user_name") != user):
        return Check("time zone", WARN, "The integration user does not see its own record.", fix)
    zone = str(rows[0].get("time_zone") or "")
    if zone in UTC_ZONES:
        return Check("time zone", OK, f"The integration user lives in {zone}.")
    return Check("time zone", WARN, f"The integration user's time zone is {zone or 'that of the system'}.", fix)


def _nonsense(instance: Instance) -> Check:
    """An instance ignores a condition that it does not understand, unless it is told to give nothing."""
    try:
        rows = _one(instance, "sys_user_group", NO_SUCH_COLUMN, ("sys_id",)).rows
    except SourceRefused:
        rows = []
    if not rows:
        return Check("queries", OK, "A query with an unknown column gives no rows.")
    what = "A query with an unknown column gives every row. We check each column by name, so nothing is lost by it."
    fix = "Set the system property glide.invalid_query.returns_no_rows to true."
    return Check("queries", WARN, what, fix)


# ---- tables


def _table(instance: Instance, shape: Shape) -> Iterator[Check]:
    name = f"table {shape.entity}"
    grant = f"Give the integration user read rights on {shape.entity}, on all its rows and columns."
    try:
        base = "" if shape.by_record else shape.base  # no filter on a table that is too large to be searched
        answer = _one(instance, shape.entity, f"{base}ORDERBYsys_id", shape.asked)
        counted = count_rows(instance, shape.entity, shape.base.removesuffix("^")).rows if not shape.by_record else None
    except TableAbsent as absent:
        state = WARN if shape.absent_ok else FAIL
        what = f"This instance has no table {shape.entity} for us." if shape.absent_ok else str(absent)
        yield Check(name, state, what, "Nothing, if the instance does not use it; otherwise grant read rights on it.")
        return
    except _LOST as error:
        yield Check(name, FAIL, str(error), grant)
        return
    if answer.rows:
        yield Check(name, OK, f"{shape.entity} can be read{f', {counted} rows' if counted is not None else ''}.")
        yield from _columns(instance, shape, set(answer.rows[0]))
    elif counted:
        what = f"{shape.entity} has {counted} rows, and the first of them is hidden from us."
        yield Check(name, WARN, what, grant)
    else:
        what = f"{shape.entity} shows no rows: it is empty, or hidden from us."
        yield Check(name, WARN, what, grant)
        yield from _columns(instance, shape, None)


def _columns(instance: Instance, shape: Shape, shown: set[str] | None) -> Iterator[Check]:
    """Columns that the contract names and we do not get: those that do not exist, and those that are kept from us."""
    own = [column for column in shape.asked if "." not in column]
    missing = [column for column in shape.asked if shown is not None and column not in shown]
    if shown is not None and not missing:
        return
    known = _dictionary(instance, shape.entity, own)
    if known is None and shown is None:
        what = f"The columns of {shape.entity} cannot be checked: it shows no row, and sys_dictionary is not readable."
        yield Check(
            f"columns of {shape.entity}", WARN, what, "Give the integration user read rights on sys_dictionary."
        )
        return
    if shown is None:
        missing = [column for column in own if known is not None and column not in known]
    for column in missing:
        hidden = known is not None and column in known
        state = WARN if column in shape.optional else FAIL
        there = "is hidden from us" if hidden else "does not exist here or is hidden from us"
        fix = "Give the integration user read rights on it" if hidden else "Grant it, or take it out of contract.yaml"
        yield Check(f"column {shape.entity}.{column}", state, f"{column} of {shape.entity} {there}.", f"{fix}.")


def _dictionary(instance: Instance, table: str, own: list[str]) -> set[str] | None:
    """Columns of these that the instance's dictionary knows, of the table and its parents. None when it shows none."""
    try:
        tables = [table, *_parents(instance, table)]
        query = f"{queries.one_of('name', tables)}^{queries.one_of('element', own)}"
        rows = _one(instance, "sys_dictionary", query, ("name", "element"), 1_000).rows
    except (Refused, *_LOST):
        return None
    return {str(row.get("element")) for row in rows if row.get("name") in tables} or None


def _parents(instance: Instance, table: str) -> list[str]:
    """A table inherits the columns of its parents: incident those of task."""
    found: list[str] = []
    while len(found) < 10:  # no chain of the product is longer; a circle would never end
        query = queries.one_of("name", [found[-1] if found else table])
        rows = _one(instance, "sys_db_object", query, ("name", "super_class.name"), 2).rows
        parent = str(rows[0].get("super_class.name") or "") if len(rows) == 1 else ""
        if not parent or parent in found:
            break
        found.append(queries.name(parent))
    return found


# ---- beside the tables of the contract


def _deletes(instance: Instance) -> Check:
    try:
        _one(instance, DELETES, "ORDERBYsys_id", ("sys_id", "documentkey", "tablename"))
    except _LOST:
        what = f"{DELETES} is not readable: deleted records are found by the nightly sweep alone."
        return Check(f"table {DELETES}", WARN, what, f"Give the integration user read rights on {DELETES}.")
    return Check(f"table {DELETES}", OK, "Deleted records are told to us.")


def _scores(instance: Instance) -> Check:
    name, fix = (
        f"table {SCORES}",
        f"Create {SCORES} with a unique column {ID_COLUMN}, writable for the integration user.",
    )
    try:
        _one(instance, SCORES, "ORDERBYsys_id", ("sys_id", ID_COLUMN))
    except _LOST as error:
        return Check(name, WARN, f"Scores cannot be written back: {error}", fix)
    return Check(name, OK, "Scores written back can be looked up.")
