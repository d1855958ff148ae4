"""Print new digests, for a change that is meant to change transitions or figures.

python -m tests.unchanged > /tmp/new.json, then copy it over `golden.json`; the commit says which rules or
tables differ and why. With a folder as argument the lines themselves are written there, one file a rule or
table: of two versions, `diff -r` shows what differs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.benchmarks.house import own_warehouse
from tests.unchanged.golden import digests, everything


def main(arguments: list[str]) -> None:
    """Print the digests; write the lines where a folder is given."""
    with own_warehouse() as (settings, open):
        found = everything(settings, open)
    for folder in map(Path, arguments):
        for part, lines in found.items():
            (folder / part).mkdir(parents=True, exist_ok=True)
            for name, each in lines.items():
                (folder / part / name).write_bytes(b"".join(line + b"\n" for line in each))
    print(json.dumps({part: digests(lines) for part, lines in found.items()}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
