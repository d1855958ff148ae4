"""What a step may do: its methods with their parameters, and the choice a spec makes among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from schemas.declaration import Entry


@dataclass(frozen=True)
class Parameter:
    """One parameter of a method: its kind, what holds where it is not said, and other names it goes by.

    One that is `needed` must be said.
    """

    name: str
    kind: str
    default: Any
    about: str
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    needed: bool = False


@dataclass(frozen=True)
class Method:
    """One method of a step, other names it goes by (COINr's among them), and its parameters."""

    name: str
    about: str
    aliases: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class Choice:
    """A method with all its parameters; `given` are those that were said. `key` is where it was said."""

    method: str
    values: Mapping[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    key: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@dataclass(frozen=True)
class Step:
    """The choice of a step, and the choices of indicators that go their own way."""

    choice: Choice
    indicators: Mapping[str, Choice] = field(default_factory=dict)

    def of(self, code: str) -> Choice:
        """What holds for one indicator."""
        return self.indicators.get(code, self.choice)


Methods = Mapping[str, Method]


def catalogue(*methods: Method) -> Methods:
    """Methods by name."""
    return {method.name: method for method in methods}


def default_choice(methods: Methods, name: str) -> Choice:
    """A method with the defaults of all its parameters."""
    return Choice(name, {parameter.name: parameter.default for parameter in methods[name].parameters})


def choose(entry: Entry, methods: Methods, base: Choice | None = None, also: Collection[str] = ()) -> Choice:
    """The method an entry names, as text or as a mapping with its parameters.

    What the entry does not say is taken from `base` where that is the same method. `also` are keys of the
    mapping that are somebody else's. Unknown methods and parameters are Misdeclared.
    """
    if entry.value is None or entry.value is False:
        return Choice("none", default_choice(methods, "none").values, key=entry.key)
    if not isinstance(entry.value, dict):
        return _filled(entry, _method(entry, methods), {}, base)
    parts = {name: part for name, part in entry.mapping().items() if name not in also}
    named = parts.pop("method", None)
    if named is None and base is None:
        raise entry.at("method").wrong(f"must be given: one of {', '.join(methods)}")
    method = methods[base.method] if named is None and base else _method(named or entry, methods)
    return _filled(entry, method, parts, base)


def choose_step(
    entry: Entry, methods: Methods, default: str, codes: Collection[str], nominal: Step | None = None
) -> Step:
    """The step an entry declares: a method, and under `indicators` what differs for some of them.

    Where the entry is an alternative to a `nominal` step, of the same method, what it does not say is that step's.
    """
    if entry.value is None:
        return Step(default_choice(methods, default))
    base = nominal.choice if nominal else default_choice(methods, default)
    choice = choose(entry, methods, base=base, also=("indicators",))
    parts = entry.at("indicators")
    if not isinstance(entry.value, dict) or parts.value is None:
        return Step(choice, nominal.indicators if nominal and choice.method == base.method else {})
    own = {}
    for code, part in parts.mapping().items():
        if code not in codes:
            raise part.wrong(f"no such indicator; there are {', '.join(codes)}")
        own[code] = choose(part, methods, base=choice)
    return Step(choice, own)


def _method(entry: Entry, methods: Methods) -> Method:
    said = entry.text()
    plain = said.lower().replace("-", "_").replace(" ", "_")
    for method in methods.values():
        if plain in (method.name, *(alias.lower() for alias in method.aliases)):
            return method
    raise entry.wrong(f"{said!r} must be one of {', '.join(methods)}")


def _filled(entry: Entry, method: Method, parts: Mapping[str, Entry], base: Choice | None) -> Choice:
    known = {name: one for one in method.parameters for name in (one.name, *one.aliases)}
    said: dict[str, Any] = {}
    for name, part in parts.items():
        if name not in known:
            there = ", ".join(one.name for one in method.parameters) or "no parameters"
            raise part.wrong(f"{method.name} has no such parameter; there are {there}")
        parameter = known[name]
        if parameter.name in said:
            raise part.wrong(f"says {parameter.name} a second time; keep one")
        said[parameter.name] = read_parameter(part, parameter)
    inherited = base.values if base and base.method == method.name else {}
    before = base.given if base and base.method == method.name else frozenset[str]()
    for one in method.parameters:
        if one.needed and one.name not in said and one.name not in before:
            raise entry.at(one.name).wrong(f"must be given for {method.name}: {one.about}")
    values = {one.name: inherited.get(one.name, one.default) for one in method.parameters}
    return Choice(method.name, {**values, **said}, before | frozenset(said), entry.key)


def read_parameter(entry: Entry, parameter: Parameter) -> Any:
    """The value of a parameter, checked for its kind."""
    kind = parameter.kind
    if kind == "number":
        return read_number(entry)
    if kind == "share":
        share = read_number(entry)
        if not 0 <= share <= 1:
            raise entry.wrong("must be a share between 0 and 1")
        return share
    if kind == "count":
        return None if entry.value is None else _count(entry)
    if kind == "pair":
        return read_pair(entry)
    if kind == "flag":
        return entry.flag()
    if kind == "numbers":
        return tuple(read_number(item) for item in entry.items())
    return _text(entry, parameter.choices)


def _text(entry: Entry, choices: tuple[str, ...]) -> str:
    if entry.value is None and "none" in choices:
        return "none"
    said = entry.text()
    return Entry(entry.where, entry.key, said.lower()).text(choices) if choices else said


def read_number(entry: Entry) -> float:
    """A number; a fraction such as "1/3" is one, too."""
    if isinstance(entry.value, str):
        try:
            return float(Fraction(entry.value.replace(" ", "")))
        except (ValueError, ZeroDivisionError):
            raise entry.wrong(f"{entry.value!r} must be a number") from None
    return float(entry.number())


def read_pair(entry: Entry) -> tuple[float, float]:
    """A list of two different numbers."""
    found = tuple(read_number(item) for item in entry.items())
    if len(found) != 2 or found[0] == found[1]:
        raise entry.wrong("must list two different numbers, such as [0, 100]")
    return found[0], found[1]


def _count(entry: Entry) -> int:
    if entry.integer() < 0:
        raise entry.wrong("must be a whole number of 0 or more, or null for no limit")
    return entry.integer()
