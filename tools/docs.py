"""Writes the pages of docs/ that are made from the code."""

from pathlib import Path

from kubestray import config
from kubestray.detect import manual as detections
from kubestray.notify import manual as outputs
from kubestray.pipeline.setting_up import built_in
from kubestray.search import compatibility, manual
from kubestray.simulate import manual as simulator

DOCS = Path(__file__).parent.parent / "docs"

PAGES = {
    "settings.md": config.manual,
    "outputs.md": outputs.manual,
    "spl.md": manual.manual,
    "compatibility.md": compatibility.compatibility,
    "simulator.md": simulator.manual,
    "detections.md": lambda: detections.manual(built_in()),
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
