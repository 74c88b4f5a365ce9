"""What a detection found, told to a person in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kubestray.pipeline.detecting import Run

Row = dict[str, Any]


def show(console: Console, run: Run, labels: dict[str, Any], next_steps: list[str]) -> int:
    """Show the first row as a finding and all rows as a table; return 0 if the first is the attack."""
    rows = run.outcome.rows
    if run.outcome.error or not rows:
        console.print(
            Text(f"the detection found nothing: {run.outcome.error or 'no rows'}", style="bold red")
        )
        return 1
    console.print(_finding(rows[0], run))
    console.print(_table(rows))
    attacked = {step["entity"] for attack in labels["attacks"] for step in attack["steps"]}
    first = rows[0]["workload"] in attacked
    console.print(_verdict(rows, attacked, first))
    for step in next_steps:
        console.print(Text(f"  {step}", style="dim"))
    return 0 if first else 1


def _finding(row: Row, run: Run) -> Panel:
    techniques = ", ".join(getattr(run.outcome.search, "techniques", ()))
    since = datetime.fromtimestamp(row["since"], UTC)
    minutes = (run.outcome.now / 1e9 - row["since"]) / 60
    text = Text()
    text.append(f"{row['source.process.name']} in {row['source.workload.name']}", style="bold")
    text.append(f" (namespace {row['source.namespace.name']}, cluster {row['k8s.cluster.name']})")
    text.append(" sends far more than it ever did\n\n", style="bold red")
    for name, value in (
        (
            "how far",
            f"up to {_bytes(row['most'])} over {row['protocol']} in ten seconds; "
            f"usually {_bytes(row['usual'])}, {row['sigmas']:g} standard deviations",
        ),
        (
            "since",
            f"{since:%Y-%m-%d %H:%M:%S} UTC ({minutes:.0f} minutes), in {row['steps']} steps of ten seconds",
        ),
        ("technique", f"MITRE ATT&CK {techniques}"),
        (
            "risk",
            f"{_risk(row['workload'], run):g} for {row['workload']}",
        ),
    ):
        text.append(f"{name:>10}  ", style="cyan")
        text.append(f"{value}\n")
    text.append("\nwhat to do next\n", style="bold")
    for number, step in enumerate(_steps(row), 1):
        text.append(f"  {number}. {step}\n")
    text.rstrip()
    return Panel(text, title="finding", title_align="left", border_style="red", box=box.ROUNDED)


def _risk(workload: str, run: Run) -> float:
    return sum(event.risk_score for event in run.events if event.risk_object == workload)


def _steps(row: Row) -> list[str]:
    namespace, workload = row["source.namespace.name"], row["source.workload.name"]
    return [
        f"Where it goes: mstats sum(tcp.bytes) where source.workload.name={workload} by dest.workload.name",
        f"Look at its pods: kubectl -n {namespace} get pods -o wide; look for a process you do not know",
        "Ask its owners whether a release, a backup or a migration is under way",
        "If nobody knows of it: cut its way out with a NetworkPolicy, keep the pod, change its secrets",
    ]


def _table(rows: list[Row]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, title="every row of the detection, highest score first", title_justify="left"
    )
    for name, justify in (("workload", "left"), ("process", "left"), ("steps", "right"), ("most", "right"),
                          ("usual", "right"), ("σ", "right"), ("score", "right")):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(
            Text(row["workload"]),
            Text(row["source.process.name"]),
            str(row["steps"]),
            _bytes(row["most"]),
            _bytes(row["usual"]),
            f"{row['sigmas']:g}",
            str(row["score"]),
        )
    return table


def _verdict(rows: list[Row], attacked: set[str], first: bool) -> Text:
    others = sum(row["workload"] not in attacked for row in rows)
    noise = (
        f"; the other {others} are false alarms, as mean + 3σ gives them on bursty traffic" if others else ""
    )
    if first:
        return Text(f"The simulation's labels say: the first row is the attack{noise}.\n", style="green")
    return Text(
        f"The simulation's labels say: the attack is on {', '.join(sorted(attacked))}.\n", style="bold red"
    )


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000 or unit == "GB":
            return f"{value:.3g} {unit}" if abs(value) < 1000 else f"{value:,.0f} {unit}"
        value /= 1000
    raise AssertionError
