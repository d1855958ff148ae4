"""Functions that make the fields of events, out of how a block says they come about.

A maker is called once an event with the data made so far. Which event that is stands in `Now`, so that a maker
has no arguments to hand on. What series remember (deviations, states) lives in the makers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from schemas.simulate.model import (
    Between,
    By,
    Choice,
    Constant,
    Derived,
    Made,
    Maker,
    Moment,
    Number,
    Text,
)
from streams.generate.clock import Clock
from streams.generate.noise import poisson, saturate, spread_over
from streams.generate.rhythm import season
from streams.generate.series import Series

Data = dict[str, Any]
Make = Callable[[Data], Any]
KNEE = 0.7
"""From this part of its range on a number is bent towards its upper bound."""
_DAY_HOLE, _SERIAL_HOLE = "\x00", "\x01"
"""Stand in a text, which has no control characters, for what each event fills in."""


@dataclass
class Now:
    """The event that is being made: its series, time and that of its first stage, the rhythm's factor."""

    series: int = 0
    at: int = 0
    first: int = 0
    factor: float = 1.0
    serial: int = 0
    missed: bool = False


@dataclass(frozen=True)
class Bench:
    """What makers are made with."""

    now: Now
    clock: Clock
    rng: Random
    series: tuple[Series, ...]
    tag: str
    keeps: bool
    """Whether an entity keeps what is drawn for it, as those of a register do."""

    def made(self, made: Made) -> Make:
        """The maker of a field, whatever was missed."""
        make = self._of(made.maker)
        if made.missed is None:
            return make
        other, now = self._of(made.missed), self.now
        return lambda data: other(data) if now.missed else make(data)

    def _of(self, maker: Maker) -> Make:
        if isinstance(maker, Constant):
            value = maker.value
            return lambda data: value
        if isinstance(maker, Number):
            return self._number(maker)
        if isinstance(maker, Derived):
            return derived(maker)
        if isinstance(maker, By):
            name, of = maker.field, {value: self._of(each) for value, each in maker.of.items()}
            return lambda data: of[data[name]](data)
        if isinstance(maker, Moment):
            return self._moment(maker)
        if isinstance(maker, Choice) and maker.moves:
            return self._state(maker)
        make = self._drawn(maker)
        return self._kept(make) if self.keeps else make

    def _drawn(self, maker: Choice | Between | Text) -> Make:
        random = self.rng.random
        if isinstance(maker, Choice):
            values, place = maker.values, spread_over(maker.weights)
            return lambda data: values[place(random())]
        if isinstance(maker, Text):
            return self._text(maker)
        low, width, digits = maker.low, maker.high - maker.low, maker.digits
        if digits:
            return lambda data: round(low + width * random(), digits)
        return lambda data: math.floor(low + (width + 1) * random())

    def _kept(self, make: Make) -> Make:
        kept: dict[int, Any] = {}
        now = self.now

        def keep(data: Data) -> Any:
            if now.series not in kept:
                kept[now.series] = make(data)
            return kept[now.series]

        return keep

    def _state(self, maker: Choice) -> Make:
        """A state that moves on at each event; where it has no moves, it stays."""
        first = self._drawn(Choice(maker.values, maker.weights))
        moves = {value: self._drawn(each) for value, each in maker.moves.items()}
        states: dict[int, Any] = {}
        now = self.now

        def move(data: Data) -> Any:
            state = states.get(now.series)
            if state is None:
                states[now.series] = first(data)
            elif state in moves:
                states[now.series] = moves[state](data)
            return states[now.series]

        return move

    def _text(self, maker: Text) -> Make:
        now, clock = self.now, self.clock
        holes = {"day": _DAY_HOLE, "serial": _SERIAL_HOLE, "tag": self.tag}
        texts = [maker.template.render({**series.names, **holes}) for series in self.series]

        def text(data: Data) -> str:
            day = clock.stamps[now.first // 86_400]
            return texts[now.series].replace(_DAY_HOLE, day).replace(_SERIAL_HOLE, f"{now.serial:04d}")

        return text

    def _moment(self, maker: Moment) -> Make:
        now, clock, random = self.now, self.clock, self.rng.random
        low, width = maker.shift[0], maker.shift[1] - maker.shift[0]
        first, day = maker.first, maker.day

        def moment(data: Data) -> str:
            at = now.first if first else now.at
            if low or width:
                at += int(low + width * random())
            return clock.day(at).isoformat() if day else clock.text(at)

        return moment

    def _number(self, maker: Number) -> Make:
        now, rng, series, clock = self.now, self.rng, self.series, self.clock
        level = [
            maker.mean * (rng.uniform(1 - maker.own, 1 + maker.own) if maker.own else 1.0) * each.weight
            for each in series
        ]
        deviate = self._deviations(maker)
        bound = bounded(maker)
        yearly: dict[int, float] = {}
        steady = not maker.rhythm

        def cycle() -> float:
            day = now.at // 86_400
            if day not in yearly:
                yearly.clear()
                yearly[day] = season(maker.season, clock.day(now.at)) if maker.season else 0.0
            return yearly[day]

        if maker.deviation:
            deviation = maker.deviation
            return lambda data: bound(
                level[now.series] * (1.0 if steady else now.factor) + cycle() + deviation * deviate()
            )
        spread, centre = maker.spread, -(maker.spread**2) / 2

        def number(data: Data) -> float:
            mean = level[now.series] * (1.0 if steady else now.factor)
            if maker.season:
                mean *= 1.0 + cycle()
            if spread:
                mean *= math.exp(centre + spread * deviate())
            return bound(poisson(rng, mean) if maker.poisson else mean)

        return number

    def _deviations(self, maker: Number) -> Callable[[], float]:
        """Deviations of variance 1: a part of its own that a series remembers, a part its city shares."""
        now, gauss, memory = self.now, self.rng.gauss, maker.memory
        step = math.sqrt(1 - memory**2)
        own = [gauss(0.0, 1.0) for _ in self.series]
        if not maker.shared:

            def alone() -> float:
                own[now.series] = memory * own[now.series] + gauss(0.0, step)
                return own[now.series]

            return alone
        cities = {each.city: gauss(0.0, 1.0) for each in self.series}
        city = [each.city for each in self.series]
        mine, ours = math.sqrt(1 - maker.shared), math.sqrt(maker.shared)
        last = -1

        def together() -> float:
            nonlocal last
            if now.at != last:
                last = now.at
                for code in cities:
                    cities[code] = memory * cities[code] + gauss(0.0, step)
            own[now.series] = memory * own[now.series] + gauss(0.0, step)
            return mine * own[now.series] + ours * cities[city[now.series]]

        return together


def bounded(maker: Number) -> Callable[[float], float]:
    """What keeps a value within the maker's bounds: bent towards the upper one, cut at the lower one, rounded."""
    low, high, digits = maker.low, maker.high, maker.digits
    knee = low + KNEE * (high - low) if low < high < math.inf and low > -math.inf else math.inf
    if not digits:
        low, high = (
            (math.ceil(low) if low > -math.inf else low),
            (math.floor(high) if high < math.inf else high),
        )

    def bound(value: float) -> float:
        if value > knee:
            value = saturate(value, knee, high)
        return min(max(round(value, digits) if digits else round(value), low), high)

    return bound


def derived(maker: Derived) -> Make:
    """A number that follows from another; nothing where that is not there."""
    of, digits, low, high = maker.of, maker.digits, maker.low, maker.high
    shape = _through(maker.table) if maker.table else lambda value: maker.times * value + maker.plus

    def derive(data: Data) -> float | None:
        value = data.get(of)
        if value is None:
            return None
        found = min(max(shape(value), low), high)
        if maker.up:
            return math.ceil(found * 10**digits) / 10**digits if digits else math.ceil(found)
        return round(found, digits) if digits else round(found)

    return derive


def _through(table: tuple[tuple[float, float], ...]) -> Callable[[float], float]:
    """Linear between the points of a table; beyond its ends what the ends say."""

    def through(value: float) -> float:
        low, at_low = table[0]
        if value <= low:
            return at_low
        for high, at_high in table[1:]:
            if value <= high:
                return (at_high - at_low) / (high - low) * (value - low) + at_low
            low, at_low = high, at_high
        return at_low

    return through


def now_and_then(make: Make, chance: float, rng: Random) -> Make:
    """The maker's value with this chance, else nothing."""
    random = rng.random
    return lambda data: make(data) if random() < chance else None


def planted_in(make: Make, values: Mapping[tuple[int, int], Any], now: Now) -> Make:
    """The maker's value, or what was planted for this series and time in its place."""

    def plant(data: Data) -> Any:
        value = make(data)
        return values.get((now.series, now.at), value)

    return plant
