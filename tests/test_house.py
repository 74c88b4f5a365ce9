"""The house keeps what it says of itself: made pages are current, named places exist, sizes hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kubestray import config
from kubestray.detect import manual as detections
from kubestray.notify import manual as outputs
from kubestray.pipeline.setting_up import built_in
from kubestray.search import compatibility, manual
from kubestray.simulate import manual as simulator

ROOT = Path(__file__).parent.parent
ROOTS = ("src", "content", "docs", "tests", "bench", "tools")
SOURCES = sorted((ROOT / "src").rglob("*.py"))


@pytest.mark.parametrize(
    ("page", "make"),
    [
        ("settings.md", config.manual),
        ("outputs.md", outputs.manual),
        ("spl.md", manual.manual),
        ("compatibility.md", compatibility.compatibility),
        ("simulator.md", simulator.manual),
        ("detections.md", lambda: detections.manual(built_in())),
    ],
)
def test_pages_made_from_code_are_current(page, make):
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == make(), "run make docs"


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])
def test_places_that_pages_name_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"\]\(((?!http)[\w./-]+)\)", text))
    for place in re.findall(r"`(\w[\w./-]*/[\w./-]*|config\.py)`", text):
        named.add(place if place.split("/")[0] in ROOTS else f"src/kubestray/{place}")
    assert named
    assert [place for place in named if not (ROOT / place).exists()] == []


def test_modules_stop_at_500_lines():
    assert [str(file) for file in SOURCES if len(file.read_text(encoding="utf-8").splitlines()) > 500] == []


def test_every_dependency_is_named_with_its_reason():
    listed = re.findall(
        r'^    "([\w.-]+)[<>=]', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    page = (ROOT / "docs/decisions/0005-dependencies.md").read_text(encoding="utf-8")
    assert len(listed) > 10
    assert [
        name for name in listed if name not in page and not name.startswith(("opentelemetry-", "types-"))
    ] == []


HELP = """
import sys
from kubestray.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
heavy = ("chdb", "sqlglot", "pyarrow", "grpc", "numpy", "rich", "starlette")
print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""


def test_help_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
