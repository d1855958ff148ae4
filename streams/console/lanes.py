"""Whose share of the limits a request is counted to, so that a crowd at one address keeps nobody else out.

Who is signed in is counted by login. Who is not, by what he can show: a browser in which an officer has signed in
before, or a link of ours. All others at one address share one lane.
"""

from __future__ import annotations

from dataclasses import dataclass

from itsdangerous import BadData, URLSafeSerializer
from starlette.requests import Request

from streams.duty.notify.links import PATH, LinkRefused, read_link

DEVICE_COOKIE = "liaowang_device"


@dataclass(frozen=True)
class Device:
    """A browser in which the officer of this login has signed in before."""

    login: str
    id: str

    @property
    def lane(self) -> str:
        """Where it is counted."""
        return f"device:{self.id}"


def device_of(key: str, request: Request) -> Device | None:
    """The browser, where it shows a cookie that we signed."""
    try:
        login, device = _serializer(key).loads(request.cookies.get(DEVICE_COOKIE, ""))
    except (BadData, ValueError, TypeError):
        return None
    return Device(str(login), str(device))


def device_cookie(key: str, device: Device) -> str:
    """What the browser is given to show."""
    return _serializer(key).dumps([device.login, device.id])


def lane_of(key: str, request: Request, otherwise: str, now: float) -> str:
    """The lane of a request that nobody is signed in for; `otherwise` that of its address."""
    path = request.url.path
    if path.startswith(PATH):
        try:
            link = read_link(key, path.removeprefix(PATH), now)
        except LinkRefused:
            return otherwise
        return f"link:{link.case}:{link.officer}"
    device = device_of(key, request)
    return device.lane if device else otherwise


def _serializer(key: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt="liaowang.device")
