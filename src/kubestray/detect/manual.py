"""Makes docs/detections.md from the content that ships with the product."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from kubestray.detect.loader import load_content
from kubestray.model.content import Detection

_HEAD = """\
# Built-in detections

Made from `content/` by `make docs`. A detection of type TTP opens a finding by itself; one of type Anomaly
adds risk, and a finding opens when the risk of an entity adds up to 100. A parameter is changed by a macro
of the same name in a content folder of one's own, and results are left out by a macro named after the
detection, with `_filter` at its end. `kubestray content test` runs the tests that each brings; how well
they find what they are for is in [decision 14](decisions/0014-detections.md).

Those that learn what is normal (`stray` in their search) each tell five alarms a day and cluster that are
likely false, and any that is beyond doubt. What happens at the same hour on two of the last seven days, and
was as much then, is not told again. `kubestray detect --held --earliest -7d` lists what they held back; a
macro `learned_alarms` in a content folder of one's own is another budget for all of them.
"""


def manual(folder: Path) -> str:
    """Return the page about the detections in a content folder, as Markdown."""
    by_domain: dict[str, list[Detection]] = defaultdict(list)
    for one in load_content([folder]).detections.values():
        by_domain[Path(one.path).parent.name].append(one)
    lines = [_HEAD]
    for domain in sorted(by_domain):
        lines += [f"## {domain.capitalize()}", ""]
        for one in sorted(by_domain[domain], key=lambda detection: detection.name):
            lines += _told(one)
    return "\n".join(lines).rstrip() + "\n"


def _told(one: Detection) -> Iterator[str]:
    scores = ", ".join(f"{risk.score:g} for `{risk.field}`" for risk in one.risk_objects)
    techniques = ", ".join(one.techniques)
    yield f"### {one.name}"
    yield ""
    yield f"{one.type}{f', {techniques}' if techniques else ''}{f', risk {scores}' if scores else ''}."
    yield " ".join(one.description.split())
    yield ""
    for parameter in one.parameters:
        unit = f" {parameter.unit}" if parameter.unit else ""
        yield f"* `{parameter.name}` = {parameter.default}{unit}: {parameter.description}"
    for key, title in (("known_false_positives", "Known false positives"), ("blind_spots", "Blind spots")):
        told = one.raw.get(key)
        if told:
            text = "; ".join(told) if isinstance(told, list) else " ".join(str(told).split()).rstrip(".")
            yield f"* {title}: {text}."
    yield ""
