"""Whether the warehouse answers, and whom it lets in."""

from __future__ import annotations

from deploy.ports import port_open
from schemas.settings import Settings

_UNKNOWN_USER, _WRONG_PASSWORD, _REQUIRED_PASSWORD, _AUTHENTICATION_FAILED = 192, 193, 194, 516
_READONLY, _QUOTA_EXPIRED, _THROWN, _ACCESS_DENIED, _NO_OBJECT = 164, 201, 395, 497, 801
_REFUSALS = {
    *(_UNKNOWN_USER, _WRONG_PASSWORD, _REQUIRED_PASSWORD, _AUTHENTICATION_FAILED),
    *(_READONLY, _QUOTA_EXPIRED, _THROWN, _ACCESS_DENIED, _NO_OBJECT),
}


def answers(settings: Settings) -> bool:
    """Whether the warehouse answers, be it that it does not know the password."""
    return port_open(settings.warehouse_port) and admits(settings.warehouse("service")) is not None


def admits(access: dict[str, object], query: str = "SELECT 1") -> bool | None:
    """Whether this user may run this query; None when there is no answer."""
    from clickhouse_driver import Client  # slow to import: not before the port is open
    from clickhouse_driver.errors import Error, ServerException

    client = Client(**access, connect_timeout=2, send_receive_timeout=5)
    try:
        return bool(client.execute(query))
    except ServerException as error:
        if error.code in _REFUSALS:
            return False
        raise
    except (Error, OSError, EOFError):
        return None
    finally:
        client.disconnect()
