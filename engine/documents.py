"""Agreed documents as people write them: YAML text read as a tree of text, and typed values taken from named places.

Every scalar stays the text that was written: no binary floats, no `yes` that becomes true, no dates by surprise.
Whoever reads a value says what it must be; the refusal (PLAN_INVALID unless said otherwise) names the exact place.
Refused: text that is no YAML, a key twice, unknown or missing keys, aliases, tags, several documents, over 200,000
characters.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Any, TypeVar

import yaml

from engine.refusal import Code, Refused

_LONGEST_TEXT = 200_000
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,14})(\.[0-9]{1,12})?")
_INTEGER = re.compile(r"0|[1-9][0-9]{0,14}")
_KEY = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Place:
    """A node of a document together with the way to it."""

    node: Any
    path: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return ".".join(self.path) or "the document"

    def refused(self, what: str, fix: str, code: Code = Code.PLAN_INVALID) -> Refused:
        return Refused(code, f"{self.name}: {what}.", fix, self.path)

    # --- what stands below ---------------------------------------------------------------------------------------

    def keys(self, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        """Check that exactly these keys are there; a key that nobody reads is a mistake, not a comment."""
        present = self.mapping()
        for key in present:
            if key not in required and key not in optional:
                known = ", ".join([*required, *optional])
                raise self.at(key).refused("this key is not known here", f"Use one of: {known}.")
        for key in required:
            if key not in present:
                raise self.at(key).refused("this key is missing", f"Add {key}.")

    def mapping(self) -> dict[str, Any]:
        if not isinstance(self.node, dict):
            raise self.refused("keys with values are expected here", "Write `key: value` lines.")
        return self.node

    def at(self, key: str) -> "Place":
        return Place(self.node.get(key) if isinstance(self.node, dict) else None, (*self.path, key))

    def has(self, key: str) -> bool:
        return key in self.mapping()

    def entries(self) -> Iterator[tuple[str, "Place"]]:
        return ((key, self.at(key)) for key in self.mapping())

    def items(self, at_least: int = 0) -> list["Place"]:
        if not isinstance(self.node, list):
            raise self.refused("a list is expected here", "Write a list.")
        if len(self.node) < at_least:
            raise self.refused(f"at least {at_least} entries are expected here", "Add what is missing.")
        return [Place(node, (*self.path, str(index))) for index, node in enumerate(self.node)]

    # --- what stands here ----------------------------------------------------------------------------------------

    def text(self, most: int = 2_000) -> str:
        if not isinstance(self.node, str) or not self.node.strip() or "\x00" in self.node:
            raise self.refused("text is expected here", "Write a text.")
        if len(self.node) > most:
            raise self.refused(f"the text is longer than {most} characters", "Shorten it.")
        return self.node.strip()

    def key(self) -> str:
        text = self.text(64)
        if not _KEY.fullmatch(text):
            raise self.refused(f"{text!r} is no key", "Use lower-case letters, digits, and single - or _ between.")
        return text

    def decimal(self) -> Fraction:
        """A number of 0 or more, written plainly: `0.25`, not `2.5e-1`, `1/4` or `-0.25`."""
        text = self.text(64)
        if not _DECIMAL.fullmatch(text):
            raise self.refused(f"{text!r} is no plain decimal of 0 or more", "Write it as 0.25.")
        return Fraction(text)

    def share(self) -> Fraction:
        value = self.decimal()
        if value > 1:
            raise self.refused(f"{self.node} is more than 1", "Write a share between 0 and 1: 25 % is 0.25.")
        return value

    def integer(self, least: int = 0) -> int:
        text = self.text(64)
        if not _INTEGER.fullmatch(text):
            raise self.refused(f"{text!r} is no whole number of 0 or more", "Write it without point or sign.")
        if int(text) < least:
            raise self.refused(f"{text} is less than {least}", f"Write {least} or more.")
        return int(text)

    def yes(self) -> bool:
        text = self.text(64)
        if text not in ("true", "false"):
            raise self.refused(f"{text!r} is neither true nor false", "Write true or false.")
        return text == "true"

    def day(self) -> date:
        text = self.text(64)
        try:
            if len(text) != len("2025-01-01"):
                raise ValueError
            return date.fromisoformat(text)
        except ValueError:
            raise self.refused(f"{text!r} is no date", "Write it as 2025-01-31.") from None

    def word(self, words: type[Word]) -> Word:
        text = self.text(64)
        try:
            return words(text)
        except ValueError:
            raise self.refused(f"{text!r} is not one of the words", f"Use one of: {', '.join(words)}.") from None


def read_document(text: str) -> Place:
    """The whole document as a tree of dicts, lists and texts."""
    if len(text) > _LONGEST_TEXT:
        raise Place(None).refused(f"the text is longer than {_LONGEST_TEXT} characters", "Shorten it.")
    try:
        # _TextLoader is a SafeLoader that knows fewer types still
        return Place(_TextLoader(text).get_single_data())
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Place(None).refused(f"{wrong.problem or 'it cannot be read'}{where}", "Correct the YAML.") from None
    except (yaml.YAMLError, RecursionError) as wrong:
        raise Place(None).refused(f"it cannot be read as YAML ({type(wrong).__name__})", "Correct the YAML.") from None


class _TextLoader(yaml.SafeLoader):
    """Only mappings with text keys, lists, and texts."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.constructor.ConstructorError(None, None, "an alias (*name) is not allowed", mark)
        return super().compose_node(parent, index)

    def construct_text_mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key_node.start_mark)
            if key in tree:
                problem = f"the key {key!r} stands here twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            tree[key] = self.construct_object(value_node, deep=True)
        return tree

    def construct_text_list(self, node: yaml.SequenceNode) -> list[Any]:
        return [self.construct_object(child, deep=True) for child in node.value]

    def construct_unknown(self, node: yaml.Node) -> Any:
        problem = f"the tag {node.tag!r} is not allowed"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


# Own tables in place of the inherited ones: nothing is guessed from the look of a scalar, and no other type is made.
_TextLoader.yaml_implicit_resolvers = {}
_TextLoader.yaml_constructors = {
    "tag:yaml.org,2002:map": _TextLoader.construct_text_mapping,
    "tag:yaml.org,2002:seq": _TextLoader.construct_text_list,
    "tag:yaml.org,2002:str": _TextLoader.construct_scalar,
    None: _TextLoader.construct_unknown,
}
