"""E-mail over SMTP: plain text and HTML, the Message-ID is the idempotency key.

A refusal for good (5xx) is dead, one for now (4xx) and a server that is away come again. Sources: RFC 5321, 5322.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from hashlib import blake2b
from html import escape

from streams.duty.notify.channels.message import LEVEL_ZH, Message
from streams.duty.retry_policy import Answer
from streams.duty.words import message_atom, one_line

TIMEOUT_SECONDS = 10.0
COLOURS = {"red": "#b71c1c", "orange": "#bf5600", "yellow": "#7a5c00", "blue": "#0d47a1"}


@dataclass(frozen=True)
class Server:
    """An SMTP server: `security` is none (loopback only), starttls or tls; no user means no sign-in."""

    host: str
    port: int
    sender: str
    security: str = "starttls"
    user: str = ""
    authority: str = ""


def compose(server: Server, message: Message) -> EmailMessage:
    """The e-mail; copies have the same Message-ID, those of one episode stand in one thread.

    ValueError or MessageError where it cannot be written, such as to an address that is none, or to two in one.
    """
    mail = EmailMessage()
    mail["Subject"] = one_line(message.headline)
    mail["From"] = formataddr(("瞭望", server.sender))
    mail["To"] = Address(display_name=one_line(message.to.name), addr_spec=message.to.email)
    mail["Date"] = format_datetime(message.at)
    domain = server.sender.rpartition("@")[2]
    mail["Message-ID"] = f"<{message_atom(message.key)}@{domain}>"
    if "episode" in message.labels:
        thread = blake2b(message.labels["episode"].encode(), digest_size=16).hexdigest()
        mail["References"] = f"<episode-{thread}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Priority"] = "1" if message.level == "red" else "3"
    mail.set_content("\n".join([message.headline, "", *message.lines, "", message.url]))
    mail.add_alternative(_html(message), subtype="html")
    return mail


def send(server: Server, password: str, message: Message) -> Answer:
    """Send one e-mail and say what became of it; never raises for what a server does."""
    try:
        mail = compose(server, message)
    except (ValueError, MessageError) as error:
        return Answer(400, "", f"the mail to {message.to.login or 'nobody'} cannot be written: {error}", True)
    try:
        with _connected(server) as smtp:
            if server.user:
                smtp.login(server.user, password)
            smtp.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        return _answer(code, words)
    except smtplib.SMTPResponseException as error:
        return _answer(error.smtp_code, error.smtp_error)
    except (OSError, smtplib.SMTPException) as error:
        return Answer(None, reason=str(error) or type(error).__name__)
    return Answer(250)


def _connected(server: Server) -> smtplib.SMTP:
    trust = ssl.create_default_context(cafile=server.authority or None)
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_SECONDS, context=trust)
    smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
    if server.security == "starttls":
        try:
            smtp.starttls(context=trust)
        except BaseException:
            smtp.close()
            raise
    return smtp


def _answer(code: int, words: bytes | str) -> Answer:
    """An SMTP code as an HTTP status of the same meaning: 4xx comes again, 5xx never."""
    said = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    reason = f"SMTP {code} {said}".strip()
    return Answer(503 if 400 <= code < 500 else 400, "", reason, True)


def _html(message: Message) -> str:
    colour, level = COLOURS[message.level], LEVEL_ZH[message.level]
    items = "".join(f"<li>{escape(line)}</li>" for line in message.lines)
    link = f'<p><a href="{escape(message.url, quote=True)}">查看并签收</a></p>' if message.url else ""
    return (
        f'<html lang="zh"><body><h2 style="color:{colour}">[{level}预警] {escape(message.title)}</h2>'
        f"<ul>{items}</ul>{link}</body></html>"
    )
