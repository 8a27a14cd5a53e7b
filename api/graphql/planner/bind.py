"""The values of a statement: where in a request each parameter comes from. A plan holds these recipes and no value.

A site is a field with arguments. Its reader turns the arguments into a form and values: the form decides the text of
the statement, the values go into its parameters. When a plan is used again, a form that differs from the planned one
refuses the plan.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphql.execution.values import VariableValues
from sqlalchemy import BindParameter, bindparam
from sqlalchemy.types import TypeEngine

from api.graphql.planner.given import Given


class Unplannable(Exception):
    """The standard execution must answer. `reason` is one of a closed list, for the metric."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Read:
    """What a site's arguments mean. `form` has no value of the request in it; `about` is for the writer only."""

    form: Any
    values: Sequence[Any]
    about: Any = None


Reader = Callable[[dict[str, Any]], Read]


@dataclass(frozen=True, slots=True)
class Site:
    """`given` says how its arguments come from the variables of a request; None: what was read once stays."""

    read: Reader
    given: Given | None
    form: Any
    stays: Read | None


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the declarations hold, the same in every request."""

    value: Any


Recipe = Constant | tuple[int, int]  # or (number of the site, number of its value)


def parameter(site: int, value: int, kind: TypeEngine[Any] | type[TypeEngine[Any]]) -> BindParameter[Any]:
    return bindparam(name_of(site, value), None, kind)


def name_of(site: int, value: int) -> str:
    return f"s{site}_{value}"


def recipe(name: str, constants: dict[str, Any]) -> Recipe:
    """Where the parameter of this name in the statement gets its value."""
    site, _, value = name.removeprefix("s").partition("_")
    if name.startswith("s") and site.isdecimal() and value.isdecimal():
        return int(site), int(value)
    found = constants[name]
    return Constant(found.value if isinstance(found, Enum) else found)


def values(sites: Sequence[Site], recipes: Sequence[Recipe], variables: VariableValues) -> tuple[Any, ...]:
    """The parameters of one request, in the order of the statement."""
    read = [each.read(each.given(variables)) if each.given else each.stays or Read(None, ()) for each in sites]
    if any(now.form != site.form for now, site in zip(read, sites, strict=True)):
        raise Unplannable("shape")
    return tuple(each.value if isinstance(each, Constant) else read[each[0]].values[each[1]] for each in recipes)
