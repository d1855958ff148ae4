"""The examples of a contract, tried: what each must come to, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schemas.contract import Contract, Example
from schemas.decoder import Decoder
from schemas.errors import Rejected
from schemas.event import encode_event
from schemas.fields import SHANGHAI

TIME = datetime(2024, 3, 1, 9, tzinfo=SHANGHAI)
"""When the events of examples are."""
ACCEPTED = "accepted"


@dataclass(frozen=True)
class Tried:
    """One example by name: what it says comes of its event, and what did."""

    name: str
    expected: str
    found: str

    @property
    def holds(self) -> bool:
        """Whether both are the same."""
        return self.expected == self.found


def try_examples(contract: Contract) -> tuple[Tried, ...]:
    """All examples of a contract, by the decoder that land and the gateway use."""
    decoder = Decoder(contract)
    return tuple(
        Tried(
            each.name,
            _rejected(each.field, each.rule) if each.rule else ACCEPTED,
            _found(contract, decoder, each),
        )
        for each in contract.examples
    )


def unshown(contract: Contract) -> tuple[str, ...]:
    """The rules of fields (`pm25: maximum`) that no example shows at work."""
    shown = {(example.field, example.rule) for example in contract.examples}
    return tuple(
        f"{field.name}: {rule}"
        for field in contract.fields
        for rule, stated in (
            ("enum", bool(field.enum)),
            ("pattern", bool(field.pattern)),
            ("region", field.name == contract.region_field),
            ("maximum", field.maximum is not None),
        )
        if stated and (field.name, rule) not in shown
    )


def _found(contract: Contract, decoder: Decoder, example: Example) -> str:
    raw = encode_event(id="e-1", source="/example", type=contract.event_type, time=TIME, data=example.data)
    try:
        data = decoder.decode(raw).data
    except Rejected as error:
        return _rejected(error.field, error.rule)
    lost = [
        name
        for name, value in example.data.items()
        if hasattr(data, name) and (getattr(data, name) is None) != (value is None)
    ]
    return f"{ACCEPTED} without {', '.join(lost)}" if lost else ACCEPTED


def _rejected(field: str, rule: str) -> str:
    return f"rejected for {field}: {rule}"
