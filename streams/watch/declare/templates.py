"""Templates over an event's fields: `station`, `{region:city}`, `{region}-{disease}`.

A plain name is the field itself. In braces, `:city` and `:province` are the regions a region code lies in (GB/T
2260: the first four and two digits), which is how counties are watched by city.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

from schemas.subject import SEPARATOR, before, joined
from schemas.text import NOT_IN_LINE

_HOLE = re.compile(r"\{([a-z][a-z0-9_]*)(?::([a-z]+))?\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")

ROLL_UPS: dict[str, Callable[[Any], str]] = {
    "city": lambda code: str(code)[:4] + "00",
    "province": lambda code: str(code)[:2] + "0000",
}
_TEXT = rf"[^{{}}{NOT_IN_LINE}]*"
FORM = rf"^({_NAME.pattern}|{_TEXT}(\{{{_NAME.pattern}(:({'|'.join(ROLL_UPS)}))?\}}{_TEXT})+)$"
"""What `names` takes, in one line."""


def names(template: str) -> tuple[str, ...]:
    """The fields a template reads, in order; ValueError says what is wrong with it."""
    if _NAME.fullmatch(template):
        return (template,)
    found = _HOLE.findall(template)
    rest = _HOLE.sub("", template)
    if not found or "{" in rest or "}" in rest:
        raise ValueError(
            f"{template!r} must be a field, or a text with fields in braces such as {{region:city}}"
        )
    for _, roll_up in found:
        if roll_up and roll_up not in ROLL_UPS:
            raise ValueError(f"{template!r}: after the colon stands one of {', '.join(ROLL_UPS)}")
    return tuple(name for name, _ in found)


def touch(template: str) -> tuple[str, str] | None:
    """Two holes of a template with nothing between them: 1 and 23 would be 12 and 3; None where there are none."""
    holes = list(_HOLE.finditer(template))
    return next(((one[0], other[0]) for one, other in pairwise(holes) if one.end() == other.start()), None)


def keeps(template: str) -> tuple[str, ...]:
    """The fields whose value a template keeps whole, so that events of two values never share its text."""
    return tuple(name for name, roll_up in _holes(template) if not roll_up)


def region_template(templates: Sequence[str], field: str) -> str:
    """How a subject itself says its region: the region field whole, else its finest roll-up; "" where neither."""
    found = {roll_up for template in templates for name, roll_up in _holes(template) if name == field}
    if "" in found:
        return field
    return next((f"{{{field}:{each}}}" for each in ROLL_UPS if each in found), "")


def _holes(template: str) -> list[tuple[str, str]]:
    return [(template, "")] if _NAME.fullmatch(template) else _HOLE.findall(template)


def reader(templates: Sequence[str]) -> Callable[[Any], str]:
    """How to read the text of some templates, joined by `|`, from an event's data; two subjects never share it."""
    if all(_NAME.fullmatch(each) for each in templates):
        if len(templates) == 1:
            one = attrgetter(templates[0])
            return lambda data: str(one(data))
        many = attrgetter(*templates)
        return lambda data: joined(list(map(str, many(data))))
    holes, tail = _parts(templates)

    def fill(data: Any) -> str:
        found = [
            text + (before(value, following) if following else value)
            for text, read, following in holes
            for value in (read(data),)
        ]
        return "".join(found) + tail

    return fill


_Part = tuple[str, Callable[[Any], str], str]
"""(text before a hole, how it is filled, the text after it where another hole follows)."""


def _parts(templates: Sequence[str]) -> tuple[list[_Part], str]:
    """The holes of templates joined by the separator, and the text after the last one."""
    texts, reads = [""], list[Callable[[Any], str]]()
    for number, template in enumerate(templates):
        texts[-1] += SEPARATOR if number else ""
        if _NAME.fullmatch(template):
            reads.append(_whole(template))
            texts.append("")
            continue
        text, *rest = _HOLE.split(template)
        texts[-1] += text
        for name, roll_up, following in zip(*[iter(rest)] * 3, strict=True):
            reads.append(_hole(name, roll_up))
            texts.append(following)
    after = [*texts[1:-1], ""]
    return list(zip(texts, reads, after, strict=False)), texts[-1]


def _whole(name: str) -> Callable[[Any], str]:
    get = attrgetter(name)
    return lambda data: str(get(data))


def _hole(name: str, roll_up: str | None) -> Callable[[Any], str]:
    get = attrgetter(name)
    return lambda data: _filled(get(data), roll_up)


def column_reader(templates: Sequence[str]) -> Callable[[Sequence[Any]], list[str]]:
    """The same for many events at once, which for a field of texts costs a fraction of a call for each."""
    read = reader(templates)
    if len(templates) > 1 or not _NAME.fullmatch(templates[0]):
        return lambda events: [read(data) for data in events]
    field = attrgetter(templates[0])

    def texts(events: Sequence[Any]) -> list[str]:
        values = list(map(field, events))
        return values if set(map(type, values)) <= {str} else list(map(str, values))

    return texts


def _filled(value: Any, roll_up: str | None) -> str:
    if value is None:
        return ""
    return ROLL_UPS[roll_up](value) if roll_up else str(value)


def render(template: str, values: Mapping[str, Any]) -> str:
    """A text with `{name}` filled from values; a name that is not there stays as it stands."""
    return _HOLE.sub(
        lambda hole: _filled(values[hole[1]], hole[2]) if hole[1] in values else hole[0], template
    )
