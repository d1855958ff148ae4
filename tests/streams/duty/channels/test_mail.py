"""E-mail against a real SMTP server on loopback, with sign-in, refusals and a server that is away."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from deploy.ports import free_port
from streams.duty.notify.channels.mail import Server, send
from tests.streams.duty.channels.test_channels import MESSAGE


@dataclass
class Post:
    """A mail server's handler: takes mail, refuses some addresses for good and some for now."""

    mails: list[Any] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("nobody"):
            return "550 no such mailbox"
        if address.startswith("full"):
            return "452 mailbox is full, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 taken"


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"duty", b"a password")
    return AuthResult(success=right, handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key in one file, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail for tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "mail.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


@pytest.fixture
def post(certificate: Path) -> Iterator[tuple[Post, Server]]:
    handler, port = Post(), free_port()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=port,
        authenticator=authenticate,
        auth_required=True,
        require_starttls=True,
        tls_context=context,
    )
    controller.start()
    try:
        yield (
            handler,
            Server("127.0.0.1", port, "duty@example.com", user="duty", authority=str(certificate)),
        )
    finally:
        controller.stop()


def to(address: str) -> Any:
    return replace(MESSAGE, to=replace(MESSAGE.to, email=address))


def test_a_mail_says_it_in_text_and_html_and_its_id_is_the_key(post: tuple[Post, Server]) -> None:
    handler, server = post
    assert send(server, "a password", MESSAGE).status == 250
    mail = handler.mails[0]
    assert mail["Message-ID"] == f"<{MESSAGE.key}@example.com>"
    assert mail["Subject"] == "[红色预警] 细颗粒物浓度偏高"
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert MESSAGE.url in text
    assert "西湖区" in text
    assert f'href="{MESSAGE.url}"' in html


@pytest.mark.parametrize(("address", "status"), [("nobody@example.com", 400), ("full@example.com", 503)])
def test_a_refusal_for_good_and_one_for_now_are_told_apart(
    post: tuple[Post, Server], address: str, status: int
) -> None:
    handler, server = post
    answer = send(server, "a password", to(address))
    assert answer.status == status
    assert answer.reason.startswith("SMTP ")
    assert handler.mails == []


def test_a_wrong_password_is_refused_without_being_told(post: tuple[Post, Server]) -> None:
    answer = send(post[1], "another one", MESSAGE)
    assert answer.status == 400
    assert "another one" not in answer.reason


def test_a_server_that_is_away_or_not_trusted_gets_nothing(post: tuple[Post, Server]) -> None:
    handler, server = post
    assert send(replace(server, port=9), "a password", MESSAGE).status is None
    untrusted = send(replace(server, authority=""), "a password", MESSAGE)
    assert untrusted.status is None
    assert "certificate" in untrusted.reason
    assert handler.mails == []


def test_a_server_that_demands_tls_does_not_get_the_password_without(post: tuple[Post, Server]) -> None:
    handler, server = post
    assert send(replace(server, security="none"), "a password", MESSAGE).status != 250
    assert handler.mails == []


def test_a_mail_that_cannot_be_written_is_refused_and_keeps_no_other_back(post: tuple[Post, Server]) -> None:
    handler, server = post
    for address in (
        "王@example.com",
        "a@example.com, b@example.com",
        "a@example.com\nBcc: b@example.com",
        "<a@b>",
    ):
        answer = send(server, "a password", to(address))
        assert answer.status == 400
        assert "cannot be written" in answer.reason
    assert handler.mails == []


def test_no_text_adds_a_header_or_breaks_one(post: tuple[Post, Server]) -> None:
    handler, server = post
    message = replace(
        MESSAGE,
        key="u/assigned/1/短信\r\nBcc: c@example.com",
        title="a\r\nBcc: b@example.com\0\x7f\u202e",
        to=replace(MESSAGE.to, name="two\nlines"),
    )
    assert send(server, "a password", message).status == 250
    (mail,) = handler.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[红色预警] a Bcc: b@example.com"
    assert mail["To"].addresses[0].display_name == "two lines"
    left = mail["Message-ID"].strip().partition("@")[0]
    assert left == "<u/assigned/1/%E7%9F%AD%E4%BF%A1%0D%0ABcc%3A%20c%40example.com"


def test_mails_of_one_episode_stand_in_one_thread(post: tuple[Post, Server]) -> None:
    handler, server = post
    for key in ("one", "two"):
        send(server, "a password", replace(MESSAGE, key=key))
    send(server, "a password", replace(MESSAGE, key="three", labels={**MESSAGE.labels, "episode": "other"}))
    threads = [mail["References"] for mail in handler.mails]
    assert threads[0] == threads[1] != threads[2]
