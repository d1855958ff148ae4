"""`liaowang rejected`: events that broke their contract; look at them, and send them again corrected."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from deploy.cli.complaint import complain
from deploy.cli.output import calm, say_json, screen
from deploy.environment import declared, load_settings
from schemas.blanking import personal_fields
from schemas.contract import Contract, load_contracts
from schemas.decoder import Decoder
from schemas.errors import Misdeclared, Rejected
from schemas.fields import milliseconds
from schemas.majors import named, upgraders
from schemas.settings import Settings
from schemas.skew import future
from schemas.text import visible
from streams.intake.acknowledged import AcknowledgedProducer
from streams.intake.mapping import subject_key
from streams.intake.upgrading import destinations
from streams.land import rejected
from streams.land.rejected import Filter, Rejection, Resend
from streams.land.warehouse import Warehouse

app = typer.Typer(help="Events that broke their contract.", no_args_is_help=True)
STILL_BROKEN = 3
BATCH = 1000
Feed = Annotated[str, typer.Option(help="Only of this feed, such as ecology.air-quality.")]
Reason = Annotated[
    str, typer.Option(help="Only for this reason: `pm25: maximum`, or the field or rule alone.")
]
Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only arrived on this day (Asia/Shanghai).")
]
State = Annotated[str, typer.Option(help="open, resent or all.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
Ref = Annotated[str, typer.Argument(help="topic/epoch/partition/offset, as `rejected list` shows it.")]


@app.command("list")
def list_(
    feed: Feed = "",
    reason: Reason = "",
    day: Day = None,
    state: State = "all",
    limit: Annotated[int, typer.Option(min=1, help="How many events to show, newest first.")] = 50,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only how many by feed, reason and day of arrival.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List rejected events by feed, reason and day, newest first."""
    chosen = _filter(feed, reason, day, state)
    with _warehouse(load_settings()) as open:
        found = _found(open, chosen)
    if summary:
        _summary(found, as_json)
    elif as_json:
        say_json([item.as_json(raw=False) for item in found[:limit]])
    else:
        _table(found, limit)


@app.command()
def show(
    ref: Ref,
    raw: Annotated[bool, typer.Option("--raw", help="Only the bytes as they came.")] = False,
    as_json: Json = False,
) -> None:
    """Show one rejected event: the reason, where it stands in the log, its bytes (personal: by --raw only)."""
    with _warehouse(load_settings()) as open:
        item = _one(open, ref)
    if raw:
        sys.stdout.buffer.write(item.raw)
        sys.stdout.buffer.flush()
        return
    known = _by_topic().get(item.topic)
    withheld = known is None or bool(personal_fields(known))
    if as_json:
        say_json(item.as_json(raw=not withheld))
    else:
        console = screen(highlight=False)
        for name, value in item.as_json().items():
            if value not in ("", None):
                console.print(f"[bold]{name:>10}[/]  {escape(str(value))}")
        console.print()
        held = f"({len(item.raw)} bytes of a feed with personal fields; --raw shows them)"
        typer.echo(held if withheld else item.raw.decode(errors="backslashreplace"))


@app.command()
def resend(
    ref: Annotated[
        str | None,
        typer.Argument(help="One event, as `rejected list` shows it; or choose by --feed and so on."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Corrected events, one JSON a line; each is known by its source and id."),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="FIELD=VALUE: set a field of the data, or id, source, time, timeline."),
    ] = None,
    feed: Feed = "",
    reason: Reason = "",
    day: Day = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check what would be sent.")] = False,
) -> None:
    """Send rejected events to their feed again, corrected by --set or --file, or as they are.

    As they are: for when the contract was what had to be mended. Each counts once however often it is sent;
    the rejection stays, marked as resent. Ends with 3 where some still break their contract, or are of
    a major version that is no longer taken, or a feed that is declared no more.
    """
    settings = load_settings()
    changes = dict(_change(item) for item in change or [])
    if not (ref or file or feed or reason or day):
        raise typer.BadParameter("say which: REF, --file, or --feed, --reason, --day")
    with _warehouse(settings) as open:
        pairs = _chosen(open, ref, file, _filter(feed, reason, day, "open"))
        if not pairs:
            raise Misdeclared(
                "rejected resend", "choice", "no such event is open; see liaowang rejected list"
            )
        pairs, late = _in_time(pairs)
        ready, broken = _prepare(open, pairs, changes)
        if not dry_run:
            _send(settings, open, ready)
    for item, error in broken:
        complain(f"{item.ref}: still breaks its contract: {error}")
    for line in late:
        complain(line)
    corrections = sum(bool(item.corrects) for item in ready)
    verb = "would be sent" if dry_run else "sent"
    typer.echo(
        f"{verb}: {len(ready)} events, {corrections} of them as corrections; still broken: {len(broken)}"
    )
    if broken or late:
        raise typer.Exit(STILL_BROKEN)


@contextmanager
def _warehouse(settings: Settings) -> Iterator[Warehouse]:
    calm()
    with closing(Warehouse(settings.warehouse("service"))) as open:
        yield open


def _filter(feed: str, reason: str, day: datetime | None, state: str) -> Filter:
    known = load_contracts(declared().feeds)
    contract = named(known, feed)
    if feed and contract is None:
        raise Misdeclared("rejected", "--feed", f"no feed {feed!r}; there are {', '.join(known)}")
    if state not in ("open", "resent", "all"):
        raise Misdeclared("rejected", "--state", "must be open, resent or all")
    topic = contract.topic if contract else ""
    return Filter(topic, reason, day.date() if day else None, "" if state == "all" else state)


def _one(open: Warehouse, ref: str) -> Rejection:
    topic, log_epoch, partition, offset = rejected.read_ref(ref)
    contract = named(load_contracts(declared().feeds), topic)
    topic = contract.topic if contract else topic
    epochs = (
        [log_epoch] if log_epoch is not None else [known.number for known in open.log_epochs(topic)] or [0]
    )
    found = _found(open, Filter(places=[(topic, each, partition, offset) for each in epochs]))
    if not found:
        raise Misdeclared("rejected", ref, "no event was rejected at that place; see liaowang rejected list")
    return found[0]


Pair = tuple[Rejection, bytes]


def _chosen(open: Warehouse, ref: str | None, file: Path | None, chosen: Filter) -> list[Pair]:
    """The rejections to send, each with the bytes to send for it."""
    lines = _lines(file) if file else []
    if ref:
        if len(lines) > 1:
            raise Misdeclared(str(file), "lines", f"holds {len(lines)} events; one event takes one line")
        one = _one(open, ref)
        return [(one, lines[0] if lines else one.raw)]
    if not file:
        return [(item, item.raw) for item in _found(open, chosen)]
    given = [(_identity(raw, str(file), number), raw) for number, raw in enumerate(lines, start=1)]
    chosen = Filter(chosen.topic, chosen.reason, chosen.day, ids=[key for key, _ in given])
    found = {(item.source, item.id): item for item in _found(open, chosen)[::-1]}
    for key, _ in given:
        if key not in found:
            raise Misdeclared(
                str(file), "/".join(key), "no event of this source and id was rejected; give its REF"
            )
    return [(found[key], raw) for key, raw in given]


def _found(open: Warehouse, chosen: Filter) -> list[Rejection]:
    return rejected.as_called_now(rejected.find(open, chosen), load_contracts(declared().feeds).values())


def _in_time(pairs: Sequence[Pair]) -> tuple[list[Pair], list[str]]:
    """Those of topics to which events still go, and a line for each other topic."""
    counts = Counter(item.topic for item, _ in pairs)
    over = rejected.too_late(counts, load_contracts(declared().feeds), datetime.now(UTC))
    told = [f"{said}; {counts[topic]} of its events are not sent" for topic, said in over.items()]
    return [pair for pair in pairs if pair[0].topic not in over], told


def _lines(file: Path) -> list[bytes]:
    try:
        lines = [line.strip() for line in file.read_bytes().splitlines()]
    except OSError as error:
        raise Misdeclared(str(file), "file", f"cannot be read: {error.strerror}") from None
    found = [line for line in lines if line]
    if not found:
        raise Misdeclared(str(file), "file", "is empty")
    return found


def _identity(raw: bytes, where: str, number: int) -> tuple[str, str]:
    try:
        document = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        return tuple(msgspec.json.decode(document[name], type=str) for name in ("source", "id"))  # type: ignore[return-value]
    except (msgspec.MsgspecError, UnicodeError, KeyError):
        raise Misdeclared(where, f"line {number}", "must be one JSON event with source and id") from None


def _change(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not (name and mark):
        raise typer.BadParameter(f"{text!r} must be FIELD=VALUE", param_hint="--set")
    return name, value


def _prepare(
    open: Warehouse, pairs: Sequence[Pair], changes: Mapping[str, str]
) -> tuple[list[Resend], list[tuple[Rejection, Rejected]]]:
    contracts = _by_topic()
    now = milliseconds(datetime.now(UTC))
    ready: list[Resend] = []
    broken: list[tuple[Rejection, Rejected]] = []
    for topic in dict.fromkeys(item.topic for item, _ in pairs):
        contract, keys, good = contracts[topic], [], []
        decoder = Decoder(contract)
        for item, raw in (pair for pair in pairs if pair[0].topic == topic):
            try:
                changed = rejected.edited(contract, raw, changes)
                event = decoder.decode(changed)
                if ahead := future(event.time, now, contract.skew_ms):
                    raise ahead
            except Rejected as error:
                broken.append((item, error))
            else:
                keys.append((event.source, event.id))
                good.append((item, changed))
        standing = rejected.landed(open, contract, keys)
        for item, raw in good:
            made = rejected.prepare(contract, decoder, item, raw, standing)
            standing.setdefault((made.source, made.id), made.raw)
            ready.append(made)
    return ready, broken


def _send(settings: Settings, open: Warehouse, ready: Sequence[Resend]) -> None:
    """Send and then mark, batch by batch; what a kill leaves unmarked is sent again, and counts once."""
    contracts, by_topic = load_contracts(declared().feeds), _by_topic()
    with closing(AcknowledgedProducer(settings.kafka)) as producer:
        for at in range(0, len(ready), BATCH):
            batch = ready[at : at + BATCH]
            for topic in dict.fromkeys(item.rejection.topic for item in batch):
                mine = [item for item in batch if item.rejection.topic == topic]
                contract = by_topic[topic]
                records = [(subject_key(contract.subject, item.data), item.raw) for item in mine]
                for place, copies in destinations(contract, upgraders(contracts, contract), records):
                    producer.write(place, copies)
            rejected.mark(open, batch, datetime.now(UTC))


def _by_topic() -> dict[str, Contract]:
    """The contracts by topic: a rejection keeps the name that its feed had then, its topic stays."""
    return {contract.topic: contract for contract in load_contracts(declared().feeds).values()}


def _summary(found: Sequence[Rejection], as_json: bool) -> None:
    counts: Counter[tuple[str, str, date]] = Counter((i.feed, i.reason, i.arrived.date()) for i in found)
    still: Counter[tuple[str, str, date]] = Counter(
        (i.feed, i.reason, i.arrived.date()) for i in found if not i.resent
    )
    if as_json:
        say_json(
            [
                {"feed": key[0], "reason": key[1], "day": str(key[2]), "events": n, "open": still[key]}
                for key, n in sorted(counts.items())
            ]
        )
        return
    table = Table("feed", "reason", "arrived on", "events", "open", title="Rejected events")
    for (feed, reason, day), n in sorted(counts.items()):
        table.add_row(feed, escape(reason), str(day), f"{n:,}", f"{still[feed, reason, day]:,}")
    screen().print(table if counts else "no rejected events")


def _table(found: Sequence[Rejection], limit: int) -> None:
    table = Table("event", "arrived", "reason", "value", "source", "id", "state")
    table.columns[0].overflow = "fold"
    for item in found[:limit]:
        state = f"resent {item.resent:%Y-%m-%d %H:%M}" if item.resent else "open"
        texts = (item.reason, item.value[:40], item.source, item.id)
        shown = (escape(visible(text)) for text in texts)
        table.add_row(item.ref, f"{item.arrived:%Y-%m-%d %H:%M:%S}", *shown, state)
    console = screen()
    console.print(table if found else "no rejected events")
    if len(found) > limit:
        console.print(f"… and {len(found) - limit:,} more (--limit, --summary)")
