"""What detections found, told to a person in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kubestray.model.counted import counted
from kubestray.model.risk import RiskEvent
from kubestray.pipeline.detecting import Run

Row = dict[str, Any]
Hit = tuple[Run, RiskEvent]


def show(console: Console, runs: list[Run], labels: dict[str, Any], next_steps: list[str]) -> int:
    """Show the gravest event as a finding and all as a table; return 0 if the gravest is the attack."""
    errors = [run.outcome.error for run in runs if run.outcome.error]
    hits = sorted(((run, event) for run in runs for event in run.events), key=lambda hit: -hit[1].risk_score)
    if errors or not hits:
        console.print(Text(f"the detections found nothing: {(*errors, 'no rows')[0]}", style="bold red"))
        return 1
    console.print(_finding(*hits[0]))
    console.print(_table(hits))
    attacked = {step["entity"] for attack in labels["attacks"] for step in attack["steps"]}
    first = hits[0][1].risk_object in attacked
    console.print(_verdict(hits, attacked, first))
    for step in next_steps:
        console.print(Text(f"  {step}", style="dim"))
    return 0 if first else 1


def _finding(run: Run, event: RiskEvent) -> Panel:
    row, outcome = event.fields, run.outcome
    text = Text()
    text.append(f"{event.fields['risk_message']}\n\n", style="bold red")
    told = [
        ("who", event.risk_object),
        ("what", event.detection),
        ("sent", _bytes(row["sent"]) if "sent" in row else ""),
        ("since", _since(row, outcome.now)),
        ("technique", f"MITRE ATT&CK {', '.join(getattr(outcome.search, 'techniques', ()))}"),
        ("risk", f"{event.risk_score:g} of 100"),
    ]
    for name, value in told:
        if value:
            text.append(f"{name:>10}  ", style="cyan")
            text.append(f"{value}\n")
    text.append("\nwhat to do next\n", style="bold")
    for number, step in enumerate(getattr(outcome.search, "response", ()), 1):
        text.append(f"  {number}. {step}\n")
    text.rstrip()
    return Panel(text, title="finding", title_align="left", border_style="red", box=box.ROUNDED)


def _since(row: Row, now: int) -> str:
    if not isinstance(row.get("since"), int | float):
        return ""
    since = datetime.fromtimestamp(row["since"], UTC)
    minutes = round((now / 1e9 - row["since"]) / 60)
    return f"{since:%Y-%m-%d %H:%M:%S} UTC ({counted(minutes, 'minute')})"


def _table(hits: list[Hit]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, title="all that the detections found, highest risk first", title_justify="left"
    )
    for name in ("who", "what"):
        table.add_column(name)
    table.add_column("risk", justify="right")
    for _, event in hits:
        table.add_row(Text(event.risk_object), Text(event.detection), f"{event.risk_score:g}")
    return table


def _verdict(hits: list[Hit], attacked: set[str], first: bool) -> Text:
    others = sum(event.risk_object not in attacked for _, event in hits)
    noise = f"; the other {others} are false alarms" if others else "; there is no false alarm"
    if first:
        return Text(f"The simulation's labels say: the first is the attack{noise}.\n", style="green")
    return Text(
        f"The simulation's labels say: the attack is on {', '.join(sorted(attacked))}.\n", style="bold red"
    )


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000 or unit == "GB":
            return f"{value:.3g} {unit}" if abs(value) < 1000 else f"{value:,.0f} {unit}"
        value /= 1000
    raise AssertionError
