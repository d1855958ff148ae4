"""Forms of declarations: frozen classes, each field a key with its shape. Reader and JSON Schema both go by them.

    class Flapping(Form):
        \"\"\"Damping …\"\"\"

        rises: int = key(whole(2), "Openings and raisings.")
        within: int = may(duration(), "The span.", default=0)

The docstring is the description in the schema. A name that Python keeps for itself ends with `_` (`from_`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar, cast, dataclass_transform

from schemas.declaration import Entry
from schemas.faults import Faults
from schemas.shapes import ByKind, Json, Shape, Value

Default = TypeVar("Default")
Read = TypeVar("Read", bound="Form")


@dataclass(frozen=True)
class Law:
    """What must hold of the keys of a form together: `check` of the given ones, by key; `schema` says the same."""

    check: Callable[[Entry, Mapping[str, Entry]], None]
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Key:
    """One key of a mapping; `field` is what the reader calls its value."""

    field: str
    shape: Shape[Any] | ByKind[Any]
    description: str = ""
    required: bool = False

    @property
    def name(self) -> str:
        """The key as it stands in the file."""
        return self.field.rstrip("_")

    def schema(self, kind: str = "") -> Json:
        """What stands under it; where that depends on a kind, of this one, or anything."""
        shape = self.shape
        found = shape.schema if isinstance(shape, Shape) else shape.of(kind).schema if kind else {}
        said = {"description": self.description} if self.description else {}
        return {**found, **said} if isinstance(found, Mapping) else found


@dataclass(frozen=True)
class Keys:
    """A mapping with these keys and no others, and what must hold of them together."""

    keys: tuple[Key, ...]
    laws: tuple[Law, ...] = ()
    description: str = ""

    def read(self, entry: Entry) -> dict[str, Any]:
        """What is given, by field; all that is wrong with it is one Misdeclared.

        Laws are looked at where all keys are right, and what depends on a kind where that is.
        """
        faults = Faults()
        required = [each.name for each in self.keys if each.required]
        parts = faults.parts(entry, required, [each.name for each in self.keys if not each.required])
        found: dict[str, Any] = {}
        for each in self.keys:
            shape = each.shape
            if each.name not in parts or (isinstance(shape, ByKind) and found.get(shape.by) is None):
                continue
            shape = shape.of(found[shape.by].kind) if isinstance(shape, ByKind) else shape
            found[each.field] = faults.of(shape.read, parts[each.name])
        for law in self.laws if not faults else ():
            with faults:
                law.check(entry, parts)
        faults.end()
        return found

    def schema(self) -> dict[str, Any]:
        """An object."""
        said = {"description": self.description} if self.description else {}
        laws = {"allOf": [law.schema for law in self.laws]} if self.laws else {}
        return {
            "type": "object",
            **said,
            "properties": {each.name: each.schema() for each in self.keys},
            "required": [each.name for each in self.keys if each.required],
            "additionalProperties": False,
            **laws,
        }


def keys(*found: Key, laws: tuple[Law, ...] = ()) -> Shape[dict[str, Any]]:
    """A mapping with these keys and no others, read as a dictionary."""
    whole = Keys(found, laws)
    return Shape(whole.read, whole.schema())


def key(shape: Shape[Value] | ByKind[Value], description: str = "") -> Value:
    """A key that must be given."""
    return cast("Value", dataclasses.field(metadata={"key": (shape, description)}))


def may(shape: Shape[Value] | ByKind[Value], description: str = "", *, default: Default) -> Value | Default:
    """A key that may be left out."""
    found = dataclasses.field(default=default, metadata={"key": (shape, description)})
    return cast("Value | Default", found)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(key, may))
@dataclass(frozen=True, kw_only=True)
class Form:
    """Values that stand together; `entry` is where, for what can be said of them only elsewhere."""

    entry: Entry
    laws: ClassVar[tuple[Law, ...]] = ()
    keys: ClassVar[Keys]

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)
        found = []
        for each in dataclasses.fields(cast("Any", cls)):
            if "key" in each.metadata:
                shape, description = each.metadata["key"]
                found.append(Key(each.name, shape, description, each.default is dataclasses.MISSING))
        said = " ".join((cls.__doc__ or "").split())
        cls.keys = Keys(tuple(sorted(found, key=lambda each: not each.required)), cls.laws, said)

    @classmethod
    def read(cls, entry: Entry) -> Self:
        """The form as it stands in an entry; all that is wrong with it is one Misdeclared."""
        return cls(entry=entry, **cls.keys.read(entry))

    def at(self, key: str) -> Entry:
        """The entry under a key."""
        return self.entry.at(key)


def inner(form: type[Read]) -> Shape[Read]:
    """A form within another."""
    return Shape(form.read, form.keys.schema())


def exactly_one(why: str, *keys: str) -> Law:
    """Exactly one of these keys is given."""

    def check(entry: Entry, given: Mapping[str, Entry]) -> None:
        if sum(each in given for each in keys) != 1:
            raise entry.wrong(why)

    return Law(check, {"oneOf": [{"required": [each]} for each in keys]})


def something(why: str) -> Law:
    """At least one key is given."""

    def check(entry: Entry, given: Mapping[str, Entry]) -> None:
        if not given:
            raise entry.wrong(why)

    return Law(check, {"minProperties": 1})


def together(why: str, key: str, *others: str) -> Law:
    """A key is given where any of some others are, and only there."""

    def check(entry: Entry, given: Mapping[str, Entry]) -> None:
        if (key in given) != any(each in given for each in others):
            raise entry.wrong(why)

    any_other = {"anyOf": [{"required": [each]} for each in others]}
    needed = {each: [key] for each in others}
    return Law(check, {"dependentRequired": needed, "dependentSchemas": {key: any_other}})


def goes_with(key: str, other: str, *values: str, missed: str, barred: str) -> Law:
    """A key is given where another has one of these values, and not where it has another; `{}` is that value.

    Where the other key is left out it may be given.
    """

    def check(entry: Entry, given: Mapping[str, Entry]) -> None:
        value = entry.at(other).value
        if other in given and (value in values) != (key in given):
            raise entry.at(key).wrong(barred.format(value) if key in given else missed)

    fits = {"properties": {other: {"enum": list(values)}}}
    then = {"if": fits, "then": {"required": [key]}, "else": {"properties": {key: False}}}
    return Law(check, {"if": {"required": [other]}, "then": then})
