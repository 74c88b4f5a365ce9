"""Writes the pages of docs/ that are made from the code."""

from pathlib import Path

from kubestray import config
from kubestray.notify import manual as outputs
from kubestray.search import compatibility, manual

DOCS = Path(__file__).parent.parent / "docs"

PAGES = {
    "settings.md": config.manual,
    "outputs.md": outputs.manual,
    "spl.md": manual.manual,
    "compatibility.md": compatibility.compatibility,
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
