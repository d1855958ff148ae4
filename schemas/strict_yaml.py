"""YAML as declarations may use it: bounded in size and depth, without dates, tags, repeated keys, cycles.

Numbers are those of YAML 1.2: `1e308` is one, `12:30` is text (not 750 by counting in sixties), and `010`, which
is 8 to some and 10 or a code to others, is refused; in texts that were published before that, it is what it was.

Whatever is wrong with a text is a `yaml.YAMLError` that names the line; nothing else is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.reader import ReaderError
from yaml.resolver import Resolver

LONGEST = 1_000_000
"""Characters of one document."""
MOST_NODES = 200_000
"""Values of one document, those of an alias counted wherever it stands."""
DEEPEST = 60
"""How many lists and mappings may lie in each other."""
LONGEST_NUMBER = 100
"""Characters of one number."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def load(text: str, published: bool = False) -> Any:
    """The one document of a text; YAMLError says in which line what is wrong.

    `published`: nobody can mend it any more; `010` is 8 there and `08` is text, as they were to YAML 1.1.
    """
    if len(text) > LONGEST:
        raise yaml.YAMLError(f"{len(text):,} characters; a declaration has at most {LONGEST:,}")
    if "\t" in text:
        return _told_of(text, published)  # the two parsers take tabs in different places
    try:
        return yaml.load(text, Loader=_QuickPublished if published else _Quick)
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError):
        return _told_of(text, published)


def _told_of(text: str, published: bool = False) -> Any:
    """The document of a text over which the quick parser ended: by the parser whose words say more."""
    try:
        return yaml.load(text, Loader=_TellingPublished if published else _Telling)
    except ReaderError as error:
        raise yaml.YAMLError(_unread(text, error)) from None
    except yaml.MarkedYAMLError as error:
        raise yaml.YAMLError(_told(error)) from None
    except (ValueError, ArithmeticError, LookupError, TypeError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from None


_INT = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+)$"
    r"|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
_CODE = re.compile(r"[-+]?0[0-9_]+")
_DECIMAL_CODE = re.compile(r"(?=.*[89])[-+]?0[0-9_]+")
_OWN = {"tag:yaml.org,2002:int": _INT, "tag:yaml.org,2002:float": _FLOAT}
_RESOLVERS = {
    first: [
        (tag, _OWN.get(tag, pattern)) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Strict(Composer, SafeConstructor, Resolver):
    """Safe YAML without what a declaration has no use for; dates stay text, as in JSON."""

    yaml_implicit_resolvers = _RESOLVERS

    peek_event: Callable[[], Any]
    """Of the parser."""
    published = False
    """Whether the text was published already."""

    def begin(self) -> None:
        """Nothing is read yet."""
        self._depth = self._nodes = 0
        self._open: set[str] = set()
        self._sizes: dict[str, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        anchor = event.anchor
        if isinstance(event, yaml.AliasEvent):
            if anchor in self._open:
                raise _wrong(event, f"*{anchor} stands within &{anchor}, which would never end")
            self._count(event, self._sizes.get(anchor, 1))
            return super().compose_node(parent, index)
        if event.tag not in (None, "!"):
            raise _wrong(event, f"the tag {event.tag.replace('tag:yaml.org,2002:', '!!')} is not taken")
        return self._whole(event, anchor, parent, index)

    def _whole(self, event: Any, anchor: str | None, parent: Any, index: Any) -> Any:
        """A node with all that is in it; how large it is with its aliases is kept by its anchor."""
        before = self._nodes
        self._count(event, 1)
        self._depth += 1
        if self._depth > DEEPEST:
            raise _wrong(event, f"more than {DEEPEST} lists and mappings lie in each other")
        if anchor is not None:
            self._open.add(anchor)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if anchor is not None:
            self._open.discard(anchor)
            self._sizes[anchor] = self._nodes - before
        return node

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise _wrong(event, f"more than {MOST_NODES:,} values, aliases counted; write less")

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        if self.published and node.tag.endswith(":int") and _DECIMAL_CODE.fullmatch(node.value):
            return node.value
        try:
            return super().construct_object(node, deep)
        except (ValueError, ArithmeticError, LookupError):
            raise _wrong(
                node, f"{node.value!r:.60} is no value that can be read; put text in quotes"
            ) from None

    def construct_scalar(self, node: Any) -> Any:
        text = super().construct_scalar(node)
        if found := _CONTROL.search(text):
            raise _wrong(node, f"the text has the control character {found[0]!a}; leave it out")
        if node.tag.endswith(":int") and _CODE.fullmatch(text) and not self.published:
            raise _wrong(
                node, f"{text:.60} begins with 0: put a code in quotes, write a number without the 0"
            )
        if len(text) > LONGEST_NUMBER and node.tag.endswith((":int", ":float")):
            raise _wrong(node, f"a number of {len(text):,} characters; there may be {LONGEST_NUMBER}")
        return text

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for name, _ in node.value:
            if name.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(name, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise _wrong(name, f"the key {key!r} stands there twice; keep one")
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)


class _Telling(_Strict, yaml.SafeLoader):
    """Reads with the parser in Python."""

    def __init__(self, text: str) -> None:
        yaml.SafeLoader.__init__(self, text)
        self.begin()


class _Quick(_Strict, yaml.CSafeLoader):
    """Reads with libyaml's parser, some four times as fast; nodes are composed in Python all the same."""

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)
        self.begin()


class _TellingPublished(_Telling):
    published = True


class _QuickPublished(_Quick):
    published = True


def _told(error: yaml.MarkedYAMLError) -> str:
    """What the parser says, in one line: where, what, in which part; its own words need several to draw it."""
    if error.problem and "'\\t'" in error.problem:
        problem = "a tab; YAML indents with spaces"
    else:
        problem = error.problem or error.context or "cannot be read"
    begun = error.context_mark.line + 1 if error.context and error.context_mark else 0
    within = f" ({error.context} that begins in line {begun})" if begun and error.problem else ""
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}{within}" if mark else problem


def _unread(text: str, error: ReaderError) -> str:
    line = text.count("\n", 0, error.position) + 1
    return f"line {line}: unacceptable character #x{ord(text[error.position]):04x}; leave it out"


def _wrong(at: Any, problem: str) -> yaml.YAMLError:
    return yaml.YAMLError(f"line {at.start_mark.line + 1}: {problem}")
