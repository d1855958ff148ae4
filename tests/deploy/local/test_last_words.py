"""What is shown of a service's log: what it ended with."""

from __future__ import annotations

from pathlib import Path

from deploy.local.last_words import why


def test_no_log_says_nothing(tmp_path: Path) -> None:
    assert why(tmp_path / "watch.log") == ""


def test_the_reason_is_the_last_error_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "watch.log"
    path.write_text(
        "INFO liaowang.watch: watching\nCRITICAL liaowang.watch: watching stops: KeyError('x')\nINFO bye\n\n"
    )
    assert why(path) == "CRITICAL liaowang.watch: watching stops: KeyError('x')"
    path.write_text(
        "WARNING liaowang.duty: broker is away: KafkaError('x')\nworker: duty: the database is malformed\nbye\n"
    )
    assert why(path) == "the database is malformed"
    path.write_text("the duty database is malformed\n")
    assert why(path) == "the duty database is malformed"
