"""Kafka's jars, fetched once by Maven into a folder that later starts, and tests, use again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.environment import load_settings
from deploy.local.process import CannotStart
from schemas.errors import LiaowangError

POM = Path(__file__).parent / "broker" / "pom.xml"
MAVEN = ("mvn", "-B", "-q", "dependency:copy-dependencies")
JAVA_NEEDED = 17


def find_java(search: str | None = None) -> str:
    """The path of a Java that is new enough; CannotStart says what to install."""
    mend = f"install a Java runtime, version {JAVA_NEEDED} or newer, and put `java` on the PATH"
    java = shutil.which("java", path=search)
    if java is None:
        raise CannotStart(f"Kafka needs Java and there is none: {mend}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None or int(version[1]) < JAVA_NEEDED:
        raise CannotStart(
            f"{java} is too old for Kafka ({said.splitlines()[0] if said else 'no version'}): {mend}"
        )
    return java


def fetch_jars(libs: Path, search: str | None = None) -> Path:
    """The folder with all jars of the pom, fetched when they are not there yet; safe to call in parallel."""
    stamp = libs / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    if stamp.exists():
        return libs
    libs.parent.mkdir(parents=True, exist_ok=True)
    with (libs.parent / f"{libs.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            _fetch(libs, stamp.name, search)
    return libs


def _fetch(libs: Path, stamp: str, search: str | None) -> None:
    maven = shutil.which(MAVEN[0], path=search)
    if maven is None:
        raise CannotStart(
            "Kafka's jars are fetched by Maven and there is none: install Maven and put `mvn` on the PATH"
        )
    fresh = libs.with_name(f"{libs.name}.{os.getpid()}")
    done = subprocess.run(
        [maven, *MAVEN[1:], "-f", str(POM), f"-DoutputDirectory={fresh}"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0 or not fresh.is_dir():
        shutil.rmtree(fresh, ignore_errors=True)
        raise CannotStart(f"Maven could not fetch Kafka's jars: {_reason(done.stdout + done.stderr)}")
    (fresh / stamp).touch()
    shutil.rmtree(libs, ignore_errors=True)
    fresh.rename(libs)


def main() -> int:
    """Fetch the jars into the folder that the settings name; the exit code. One line says what was done."""
    try:
        libs = load_settings().kafka_jars
        print(f"Kafka's jars are in {fetch_jars(libs)}")
    except LiaowangError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _reason(output: str) -> str:
    errors = [line.split("[ERROR]")[-1].strip() for line in output.splitlines() if "ERROR" in line]
    return next((line for line in errors if line), "it gave no reason; run `mvn -v` to see whether it works")


if __name__ == "__main__":
    sys.exit(main())
