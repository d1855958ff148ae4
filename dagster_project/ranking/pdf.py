"""A page as PDF, for print and for the file: A4, numbered pages, fonts embedded, text that can be searched."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from schemas.errors import Misdeclared

LIBRARIES = "libpangoft2-1.0-0, libharfbuzz-subset0, fonts-noto-cjk"
"""Debian's packages that printing stands on."""


def obstacle() -> str:
    """What keeps this machine from printing: the library of text layout, or a font with Chinese characters."""
    try:
        import weasyprint  # noqa: F401 (loads Pango, which may not be there)
    except OSError as error:
        return f"needs Pango (Debian: {LIBRARIES}): {str(error).splitlines()[0]}"
    if not _chinese_fonts():
        return f"needs a font with Chinese characters (Debian: {LIBRARIES})"
    return ""


def check_printing() -> None:
    """Misdeclared, with what to install, where this machine cannot print."""
    if problem := obstacle():
        raise Misdeclared("ranking publish", "--pdf", problem)


def print_pdf(html: str, out: Path) -> Path:
    """Print a page that needs nothing from elsewhere to `out`, which is replaced at once."""
    from weasyprint import HTML  # takes half a second, and Pango

    near = out.with_name(out.name + ".part")
    HTML(string=html).write_pdf(near)
    near.replace(out)
    return out


def _chinese_fonts() -> bool:
    command = shutil.which("fc-list")
    if command is None:
        return False
    found = subprocess.run([command, ":lang=zh-cn", "family"], capture_output=True, check=False, timeout=60)
    return bool(found.stdout.strip())
