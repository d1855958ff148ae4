"""Where the files of rules are."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import Misdeclared


def found(name: str, root: Path) -> Path:
    """The file of a rule named by its id or by a path."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    path = place_of(name, root)
    if not path.is_file():
        known = sorted(f"{each.parent.name}.{each.stem}" for each in root.glob("*/*.yaml"))
        raise Misdeclared(name, "rule", f"is neither a file nor one of {', '.join(known)}")
    return path


def place_of(rule: str, root: Path) -> Path:
    """Where the file of a rule stands."""
    domain, _, name = rule.partition(".")
    return root / domain / f"{name}.yaml"
