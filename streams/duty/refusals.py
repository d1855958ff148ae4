"""What duty refuses, named for what the caller does about it; the API answers with the same words.

Refused
├── NotFound    404: no such case, officer, team, or none that this actor may see
├── Forbidden   403: the actor's roles and regions do not allow it
├── Conflict    409: the state does not allow it now; look again
├── Invalid     422: a value is wrong; says which and what would be right
├── TooSlow     408: the request did not come in time
├── TooLarge    413: more bytes than are taken
├── WrongType   415: an attachment that is not of a kind that is taken
├── TooMany     429: more requests than anybody needs; says when to ask again
└── NotNow      503: what has to be asked for it is away; says what, to be tried again
"""

from __future__ import annotations

from schemas.errors import LiaowangError


class Refused(LiaowangError):
    """A request that is not carried out; nothing was changed."""

    status = 400
    title = "Refused"

    def __init__(self, reason: str, key: str = "") -> None:
        super().__init__(f"{key}: {reason}" if key else reason)
        self.reason, self.key = reason, key


class NotFound(Refused):
    """There is none, or none that the actor may see."""

    status, title = 404, "Not found"


class Forbidden(Refused):
    """The actor's roles and regions do not allow it."""

    status, title = 403, "Not allowed"


class Conflict(Refused):
    """The state of things does not allow it now."""

    status, title = 409, "Conflict"


class Invalid(Refused):
    """A value is wrong."""

    status, title = 422, "Invalid"


class NotNow(Refused):
    """What has to be asked for it is away."""

    status, title = 503, "Unavailable"


class TooLarge(Refused):
    """More bytes than are taken."""

    status, title = 413, "Too large"


class TooSlow(Refused):
    """It did not come in time."""

    status, title = 408, "Too slow"


class WrongType(Refused):
    """Not a kind of file that is taken."""

    status, title = 415, "Unsupported media type"


class TooMany(Refused):
    """Asked too often; `seconds` from now it would be taken."""

    status, title = 429, "Too many requests"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many requests; ask again in {seconds} s")
        self.seconds = seconds
