"""The channels of a home, `<home>/duty/channels.yaml`: what there is, where it goes, how much it takes.

Secrets never stand there: they are in `LIAOWANG_CHANNEL_SECRETS`, a JSON object of channel -> secrets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.declaration import Entry, parse_yaml, read_text
from schemas.errors import Misdeclared
from schemas.levels import LEVELS
from schemas.roles import Roles, load_roles
from schemas.template import Template, read_template
from streams.duty.notify.channels.sms import FIELDS

SECRETS = {
    "dingtalk-robot": ("token", "secret"),
    "dingtalk-work": ("app_key", "app_secret"),
    "zhejiang-work": ("app_key", "app_secret"),
    "wecom-robot": ("key",),
    "sms": ("secret",),
    "email": ("password",),
    "webhook": ("key",),
    "alertmanager": (),
    "alertmanager-webhook": (),
}
"""The secrets each kind of channel needs, by name."""
OPTIONAL_SECRETS = {
    ("dingtalk-robot", "secret"),
    ("email", "password"),
    ("sms", "secret"),
    ("webhook", "key"),
}
KINDS = tuple(SECRETS)
PERSONAL = {"dingtalk-work": "phone", "zhejiang-work": "phone", "sms": "phone", "email": "email"}
"""Kinds that reach one person, and the officer's address they need; the others speak to a group or a machine."""
QUOTAS = {"dingtalk-robot": (20, 60.0), "wecom-robot": (20, 60.0)}
"""What services themselves refuse above: messages in seconds."""
_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dingtalk-robot": (("url",), ()),
    "dingtalk-work": (("url", "agent"), ()),
    "zhejiang-work": (("url", "tenant"), ()),
    "wecom-robot": (("url",), ()),
    "sms": (("url", "form"), ("sends", "user", "success", "again", "limit", "prefix")),
    "email": (("host", "port", "sender"), ("security", "user", "authority")),
    "webhook": ((), ("url",)),
    "alertmanager": (("url",), ()),
    "alertmanager-webhook": (("url",), ("receiver",)),
}
GROUPS = ("dingtalk-robot", "wecom-robot", "alertmanager", "alertmanager-webhook")
"""Kinds that many read: a link there leads to the case, never acts in one officer's name."""
MACHINES = ("webhook", "alertmanager", "alertmanager-webhook")
"""Kinds that speak to machines: each notification for itself, unless `group` says otherwise."""
_COMMON = ("quota", "regions", "roles", "instead", "group")


@dataclass(frozen=True)
class Channel:
    """One channel: `quota` messages in `per` seconds (0: no limit), for these regions and roles (empty: all).

    `instead` is the channel that a message takes when it is dead here; `options` are the kind's own keys.
    """

    name: str
    kind: str
    options: Mapping[str, Any]
    quota: int = 0
    per: float = 60.0
    regions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    instead: str = ""
    group: bool = True


@dataclass(frozen=True)
class Inhibition:
    """An open case of the source's levels silences those of the target's where `equal` fields agree."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    equal: tuple[str, ...]


@dataclass(frozen=True)
class Channels:
    """All that is declared: channels by name, inhibitions, and how long a group gathers (seconds)."""

    channels: Mapping[str, Channel]
    inhibitions: tuple[Inhibition, ...]
    gather: Mapping[str, float]


EQUAL = ("rule", "region", "subject", "domain")
GATHER = {"red": 0.0, "orange": 2.0, "yellow": 10.0, "blue": 30.0}


def load_channels(path: Path, roles: Roles | None = None) -> Channels:
    """The channels in a file, which may name these roles; whatever is wrong is Misdeclared. No file: none."""
    if not path.exists() and not path.is_symlink():
        return Channels({}, (), GATHER)
    return parse_channels(read_text(path), str(path), roles)


def parse_channels(text: str, where: str, roles: Roles | None = None) -> Channels:
    """The channels in a text that stands at `where`."""
    known = roles or load_roles()
    parts = parse_yaml(text, where).mapping(["channels"], ["inhibit", "gather"])
    channels = {name: _channel(name, entry, known) for name, entry in parts["channels"].mapping().items()}
    for name, channel in channels.items():
        if channel.instead and (channel.instead not in channels or channel.instead == name):
            others = ", ".join(sorted(set(channels) - {name})) or "none"
            raise (
                parts["channels"].at(name).at("instead").wrong(f"must be another channel; there are {others}")
            )
    return Channels(
        channels,
        tuple(_inhibition(item) for item in (parts["inhibit"].items() if "inhibit" in parts else ())),
        GATHER | (_gather(parts["gather"]) if "gather" in parts else {}),
    )


def read_secrets(text: str, channels: Mapping[str, Channel]) -> dict[str, dict[str, str]]:
    """Channel -> its secrets, from the setting's JSON; a missing one is Misdeclared, none is ever shown."""
    try:
        given = json.loads(text or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise Misdeclared(
            "settings", "LIAOWANG_CHANNEL_SECRETS", "must be a JSON object of channel -> secrets"
        )
    found = {}
    for name, channel in channels.items():
        own = given.get(name) or {}
        for secret in SECRETS[channel.kind]:
            needed = (channel.kind, secret) not in OPTIONAL_SECRETS
            if needed and not (isinstance(own, dict) and isinstance(own.get(secret), str) and own[secret]):
                wanted = ", ".join(SECRETS[channel.kind])
                raise Misdeclared(
                    "settings", "LIAOWANG_CHANNEL_SECRETS", f"channel {name} needs {secret} (of {wanted})"
                )
        found[name] = {key: str(value) for key, value in own.items()}
    return found


def _channel(name: str, entry: Entry, known: Roles) -> Channel:
    kind = entry.mapping(["kind"], None)["kind"].text(KINDS)
    required, optional = _KEYS[kind]
    parts = entry.mapping(["kind", *required], [*optional, *_COMMON])
    quota, per = _quota(parts["quota"]) if "quota" in parts else QUOTAS.get(kind, (0, 60.0))
    return Channel(
        name=name,
        kind=kind,
        options={key: _option(kind, key, parts[key]) for key in (*required, *optional) if key in parts},
        quota=quota,
        per=per,
        regions=parts["regions"].texts() if "regions" in parts else (),
        roles=tuple(known.check(item) for item in parts["roles"].items()) if "roles" in parts else (),
        instead=parts["instead"].text() if "instead" in parts else "",
        group=parts["group"].flag() if "group" in parts else kind not in MACHINES,
    )


def _quota(entry: Entry) -> tuple[int, float]:
    parts = entry.mapping(["messages", "per"], [])
    messages, per = parts["messages"].integer(), parts["per"].duration().total_seconds()
    if messages < 1 or per <= 0:
        raise entry.wrong("must allow at least one message in a time longer than nothing")
    return messages, per


def _option(kind: str, key: str, entry: Entry) -> Any:
    """One option, checked by its name."""
    if key == "url":
        if not entry.text().startswith(("http://", "https://")):
            raise entry.wrong("must begin with http:// or https://")
        return entry.text().rstrip("/")
    if key in ("port", "limit"):
        return entry.integer()
    if key == "security":
        return entry.text(("none", "starttls", "tls"))
    if key == "sends":
        return entry.text(("json", "form"))
    if key == "form":
        return {name: _template(item) for name, item in entry.mapping().items()}
    if key == "success":
        return {name: item.text() for name, item in entry.mapping(["code", "good"], ["text"]).items()}
    if key == "again":
        return entry.texts()
    return entry.text()


def _template(entry: Entry) -> Template:
    """A text with fields of a message in braces, known ones only."""
    return read_template(entry, FIELDS, "field")


def _inhibition(entry: Entry) -> Inhibition:
    parts = entry.mapping(["source", "target", "equal"], [])
    source, target = (tuple(item.text(LEVELS) for item in parts[key].items()) for key in ("source", "target"))
    if not source or not target or set(source) & set(target):
        raise entry.wrong("source and target must each name levels, none in both")
    return Inhibition(source, target, tuple(item.text(EQUAL) for item in parts["equal"].items()))


def _gather(entry: Entry) -> dict[str, float]:
    return {level: item.duration().total_seconds() for level, item in entry.mapping([], LEVELS).items()}
