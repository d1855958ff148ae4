"""Events as lines: the bytes of `schemas.event.encode_event`, put together from parts that are written once."""

from __future__ import annotations

import msgspec

from schemas.contract_model import Contract
from schemas.event import SPECVERSION
from streams.generate.clock import Clock
from streams.generate.model import Event


class Encoder:
    """Writes the events of one feed."""

    def __init__(self, contract: Contract, clock: Clock) -> None:
        self._type = msgspec.json.encode(contract.event_type)
        self._begin = b'{"specversion":' + msgspec.json.encode(SPECVERSION) + b',"id":'
        self._sources: dict[str, bytes] = {}
        self._text, self._json = clock.text, msgspec.json.Encoder().encode

    def __call__(self, event: Event) -> bytes:
        """The event as its line."""
        json, source = self._json, self._sources.get(event.source)
        if source is None:
            source = b',"source":' + json(event.source) + b',"type":' + self._type + b',"time":"'
            self._sources[event.source] = source
        return b"".join(
            (
                self._begin,
                json(event.id),
                source,
                self._text(event.at).encode(),
                b'","datacontenttype":"application/json","data":',
                json(event.data),
                b"}",
            )
        )
