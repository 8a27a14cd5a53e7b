"""Any sequence of PUT and PATCH ends where a plain Python model of it ends, whatever was refused on the way."""

import copy
import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.scim.office import ENTERPRISE, USER, Office

SERIAL = itertools.count()
WORDS = st.sampled_from(["Ana", "Ben", "ana", "Ä", "two words", 'quote " \\ mark', "0"])
SINGLE = ("displayName", "externalId")
KINDS = ("work", "home", "other")
MAIL = st.sampled_from([f"{word}@example.com" for word in ("a", "b", "c")])
State = dict[str, Any]


def put(said: State) -> Any:
    """All of it is replaced; `active` stays when it is not said."""

    def change(state: State) -> State:
        new = {"userName": state["userName"], **copy.deepcopy(said)}
        new.setdefault("active", state.get("active"))
        return {key: value for key, value in new.items() if value not in (None, [], {})}

    return said, None, change


def patch(operation: State, change: Any) -> Any:
    return None, operation, change


def set_one(name: str, value: str, op: str) -> Any:
    return patch({"op": op, "path": name, "value": value}, lambda state: {**state, name: value})


def drop_one(name: str) -> Any:
    return patch({"op": "remove", "path": name}, lambda state: {k: v for k, v in state.items() if k != name})


def set_active(value: bool, written: Any) -> Any:
    return patch({"op": "Replace", "path": "active", "value": written}, lambda state: {**state, "active": value})


def set_number(value: str) -> Any:
    path = f"{ENTERPRISE}:employeeNumber"
    return patch(
        {"op": "replace", "path": path, "value": value}, lambda state: {**state, ENTERPRISE: {"employeeNumber": value}}
    )


def set_given_name(value: str) -> Any:
    return patch(
        {"op": "add", "value": {"name": {"givenName": value}}},
        lambda state: {**state, "name": {**state.get("name", {}), "givenName": value}},
    )


def set_mail(kind: str, value: str) -> Any:
    """Every address of this kind becomes this one; without any, there is one more."""

    def change(state: State) -> State:
        mails = copy.deepcopy(state.get("emails", []))
        hit = [mail for mail in mails if mail["type"] == kind]
        for mail in hit:
            mail["value"] = value
        return {**state, "emails": mails if hit else [*mails, {"type": kind, "value": value}]}

    return patch({"op": "replace", "path": f'emails[type eq "{kind}"].value', "value": value}, change)


def drop_mail(kind: str) -> Any:
    def change(state: State) -> State:
        rest = [mail for mail in state.get("emails", []) if mail["type"] != kind]
        return {key: value for key, value in {**state, "emails": rest}.items() if value != []}

    return patch({"op": "remove", "path": f'emails[type eq "{kind}"]'}, change)


def refused(operation: State) -> Any:
    return patch(operation, None)


REFUSED = [
    {"op": "remove", "path": "userName"},
    {"op": "replace", "path": "id", "value": "x"},
    {"op": "replace", "path": "active", "value": "perhaps"},
    {"op": "replace", "path": "emails", "value": [{"value": "no address"}]},
]
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "displayName": WORDS,
        "externalId": WORDS,
        "active": st.booleans(),
        "name": st.fixed_dictionaries({"familyName": WORDS}),
        "emails": st.lists(st.tuples(st.sampled_from(KINDS), MAIL), unique_by=lambda mail: mail[0], max_size=3).map(
            lambda mails: [{"type": kind, "value": value} for kind, value in mails]
        ),
    },
)
STEPS = st.lists(
    st.one_of(
        BODIES.map(put),
        st.builds(set_one, st.sampled_from(SINGLE), WORDS, st.sampled_from(["add", "replace", "Add"])),
        st.builds(drop_one, st.sampled_from((*SINGLE, "emails", "name", "active", ENTERPRISE))),
        st.sampled_from([(True, True), (False, False), (True, "True"), (False, "False")]).map(lambda v: set_active(*v)),
        st.builds(set_number, st.sampled_from(["1", "0007"])),
        st.builds(set_given_name, WORDS),
        st.builds(set_mail, st.sampled_from(KINDS), MAIL),
        st.builds(drop_mail, st.sampled_from(KINDS)),
        st.sampled_from(REFUSED).map(refused),
    ),
    min_size=1,
    max_size=8,
)


def plain(read: State) -> State:
    """What a resource says of the account, with its addresses as a set."""
    held = {key: value for key, value in read.items() if key not in ("id", "meta", "schemas")}
    if "emails" in held:
        held["emails"] = sorted(held["emails"], key=lambda mail: (mail["type"], mail["value"]))
    return held


async def test_any_sequence_ends_as_the_model_ends(desk: Office) -> None:
    async def follow(steps: list[Any]) -> None:
        state: State = {"userName": f"m{next(SERIAL)}", "active": True}
        made = (await desk.ask("POST", "/Users", {"schemas": [USER], **state})).json()
        version, seen = 1, plain(made)
        for said, operation, change in steps:
            if said is not None:
                body = {"schemas": [USER], "userName": state["userName"], **said}
                answer = await desk.ask("PUT", f"/Users/{made['id']}", body)
            else:
                answer = await desk.patch(made, operation)
            if change is None:
                assert answer.status_code == 400, answer.text
            else:
                assert answer.status_code == 200, answer.text
                state = change(state)
            expected = plain(state)
            version += expected != seen
            seen = expected
        read = await desk.ask("GET", f"/Users/{made['id']}")
        assert plain(read.json()) == seen
        assert read.headers["etag"] == f'W/"{version}"'
        stored = await desk.rows("select count(*) from mirror.revision where source_key = $1", made["id"])
        assert stored == [(version,)]

    await explore(follow)


async def explore(follow: Any) -> None:
    """Hypothesis calls from a thread of its own; every example runs in the loop that the database belongs to."""
    import asyncio

    loop = asyncio.get_running_loop()

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(STEPS)
    def every(steps: list[Any]) -> None:
        asyncio.run_coroutine_threadsafe(follow(steps), loop).result(60)

    await asyncio.to_thread(every)
