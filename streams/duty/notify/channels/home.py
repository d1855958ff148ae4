"""The channels of a home: its file, made from the example where there is none, and its secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from schemas.in_use import in_use
from schemas.roles import load_roles
from schemas.settings import HOST, Settings
from streams.duty.notify.channels.config import Channel, Channels, load_channels, read_secrets
from streams.duty.rosters.files import from_example, kept

EXAMPLE = Path(__file__).parents[2] / "example" / "channels.yaml"
NOTICES = "/notifications"
"""Where the local receiver takes messages to officers."""


def channels_path(settings: Settings) -> Path:
    """Where the channels of a home stand."""
    return settings.home / "duty" / "channels.yaml"


def ensure_channels(settings: Settings) -> Path:
    """The channels' file; where there is none yet, the example becomes it."""
    return from_example(channels_path(settings), EXAMPLE)


def open_channels(settings: Settings, *, strict: bool = False) -> tuple[Channels, dict[str, dict[str, str]]]:
    """The channels of a home and their secrets; of a wrong file what it said before, if not `strict`."""
    roles = load_roles(in_use(settings).roles)
    path = ensure_channels(settings)

    def load(each: Path) -> Channels:
        return load_channels(each, roles)

    found = load(path) if strict else kept(path, load)
    secrets = read_secrets(settings.channel_secrets, found.channels)
    local = {name: _local(channel, settings) for name, channel in found.channels.items()}
    for name, channel in local.items():
        if channel.kind == "webhook" and "key" not in secrets[name]:
            secrets[name]["key"] = settings.webhook_key
    return replace(found, channels=local), secrets


def _local(channel: Channel, settings: Settings) -> Channel:
    """A webhook without an address goes to the receiver of this machine."""
    if channel.kind != "webhook" or "url" in channel.options:
        return channel
    url = f"http://{HOST}:{settings.receiver_port}{NOTICES}"
    return replace(channel, options={**channel.options, "url": url})
