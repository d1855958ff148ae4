"""`liaowang detect`: a statistical method on a series in a CSV file, without any server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.cli.output import screen
from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from streams.watch.detect import METHODS, Detector, Judged, Option, detect, known_as, make, options
from streams.watch.detect.parameters import SURVEILLANCE
from streams.watch.detect.series import Series, read_series, with_frequency

NAMES = ", ".join(METHODS)
Params = Annotated[
    list[str],
    typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the method; may be repeated."),
]


def detect_(
    method: Annotated[str, typer.Argument(help=f"{NAMES}; or list: parameters and defaults.")],
    series: Annotated[
        str,
        typer.Option(metavar="FILE", help="CSV with columns t, observed (population); - is standard input."),
    ] = "",
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]...", help="More parameters.", show_default=False),
    ] = None,
    param: Params = [],  # noqa: B006  (typer's way to say: may be repeated)
    json_: Annotated[
        bool, typer.Option("--json", help="One JSON object a point instead of a table.")
    ] = False,
) -> None:
    """Judge every point of a series: statistic, bound and alarm (docs/detect.md)."""
    if method == "list":
        _list(json_)
        return
    given, where = _pairs([*param, *(more or ())]), f"detect {method}"
    make(method, given, where)
    if not series:
        raise Misdeclared(where, "--series", "missing; give a CSV file with columns t and observed, or -")
    points = _read(series)
    takes = METHODS[known_as(method, where)]
    detector = make(method, with_frequency(points, takes, given, where), where)
    judged = list(detect(detector, points.points))
    for remark in _remarks(points, detector, judged):
        typer.echo(remark, err=True)
    _print_lines(points, judged) if json_ else _print_table(points, judged)


def _pairs(param: Iterable[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in map(_pair, param):
        if name in given:
            raise Misdeclared("detect", "--param", f"{name} is given twice")
        given[name] = value
    return given


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise Misdeclared("detect", "--param", f"must be name=value, such as baseline=7, not {text!r}")
    return name.strip(), value.strip()


def _read(name: str) -> Series:
    """The series of a file, or of standard input."""
    try:
        text = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return read_series(text.decode("utf-8-sig"), "standard input" if name == "-" else name)
    except OSError as error:
        raise Misdeclared(name, "--series", f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misdeclared(name, "--series", f"is not UTF-8 text (byte {error.start})") from error


def _remarks(series: Series, detector: Detector, judged: Sequence[Judged]) -> Iterable[str]:
    """What a reader of the results should know."""
    if series.gap and not (isinstance(series.points[0].t, date) and hasattr(detector, "by_calendar")):
        yield f"t: {series.gap}: taken as neighbours; write a missing point as a row with an empty observed"
    if getattr(detector, "missing", "") == SURVEILLANCE and any(each.observed is None for each in judged):
        yield "missing points mute those after them, as in R; rules take missing=safe (docs/detect.md)"
    if hidden := _like_dates(series):
        yield f"t: {series.names[0]} looks like {hidden}, but counts as a whole number: write it with hyphens"
    if all(each.bound is None for each in judged):
        first = getattr(detector, "first", None)
        wanted = f"; the first point judged would be number {first}" if first else ""
        yield f"no point could be judged: {len(judged)} points are too few or too much is missing{wanted}"


def _like_dates(series: Series) -> str:
    """What all whole numbers of t would be as dates: a day (20260301), month (202603), week (202645), or ""."""
    numbers = [point.t for point in series.points if isinstance(point.t, int)]
    if len(numbers) < len(series.points):
        return ""
    for form, said in (("%Y%m%d", "a day"), ("%Y%m", "a month")):
        if all(_fits(number, form) for number in numbers):
            return said
    weeks = all(1900 <= number // 100 < 2200 and 1 <= number % 100 <= 53 for number in numbers)
    return "a week" if weeks else ""


def _fits(number: int, form: str) -> bool:
    try:
        found = datetime.strptime(str(number), form).replace(tzinfo=SHANGHAI)
    except ValueError:
        return False
    return found.strftime(form) == str(number) and 1900 <= found.year < 2200


def _print_lines(series: Series, judged: Iterable[Judged]) -> None:
    for name, each in zip(series.names, judged, strict=True):
        line = {
            "t": name, "observed": _short(each.observed),
            "statistic": each.statistic, "bound": each.bound, "alarm": each.alarm,
        }  # fmt: skip
        typer.echo(json.dumps(line, ensure_ascii=False, allow_nan=False))


def _short(value: float | None) -> float | None:
    return int(value) if value is not None and value == int(value) else value


def _print_table(series: Series, judged: Iterable[Judged]) -> None:
    table = Table()
    for column in ("t", "observed", "statistic", "bound", "alarm"):
        table.add_column(column, justify="left" if column in ("t", "alarm") else "right")
    for name, each in zip(series.names, judged, strict=True):
        figures = ("" if value is None else f"{value:.6g}" for value in each[1:4])
        table.add_row(str(name), *figures, "" if each.alarm is None else "alarm" if each.alarm else "-")
    screen().print(table)


def _list(as_json: bool) -> None:
    """Show every method with its parameters."""
    if as_json:
        for name, method in METHODS.items():
            parameters = {each.name: each.default for each in options(method)}
            typer.echo(json.dumps({"method": name, "title": _title(method), "parameters": parameters}))
        return
    for name, method in METHODS.items():
        table = Table(title=f"{name}  ({_title(method)})", title_justify="left")
        for column in ("parameter", "default", "meaning"):
            table.add_column(column, overflow="fold")
        for each in options(method):
            table.add_row(each.name, _default(each), f"{each.help}: {each.right}")
        screen().print(table)


def _title(method: type[Any]) -> str:
    """The method's title: the first line of its docstring."""
    return (method.__doc__ or "").splitlines()[0]


def _default(option: Option) -> str:
    if option.default is None:
        return option.unset
    if isinstance(option.default, bool):
        return str(option.default).lower()
    return ",".join(map(str, option.default)) if isinstance(option.default, tuple) else str(option.default)


detect_.__name__ = "detect"
