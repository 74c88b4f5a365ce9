"""Makes docs/simulator.md: what the simulator does, and with which numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubestray.simulate import stream, twins
from kubestray.simulate.attacks import ATTACKS
from kubestray.simulate.catalog import JOBS, ROUTES, WORKLOADS
from kubestray.simulate.rhythm import HOUR, RHYTHMS
from kubestray.simulate.scenarios import SCENARIOS

_HEAD = """\
# The simulator

Made from the code by `make docs`. `kubestray simulate --out DIR` writes a cluster as the files that a
collector writes, and `labels.json`: what really happened. The same seed gives the same data, whichever part
of the time is asked for. Attacks count back from `--to`. There is no public labelled data for new programs,
images and paths; this stands in for it, and what is measured on it is no better than it is.

`--size N` makes each attack N times as large as the smallest that the built-in detections promise to find;
without it the size is drawn from the usual range. An attack's label has `time`, `end`, `kind`, `entity`,
`entities`, `techniques`, `size`, `unit` and `process`; a benign event has `time`, `end`, `kind`, `entity`,
`size` and `twin_of`, the attack that it looks like.
"""


def manual() -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, *_scenarios(), *_attacks(), *_twins(), *_company(), *_noise()]) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows), ""]


def _scenarios() -> list[str]:
    own = [(f"`{name}`", one.summary) for name, one in SCENARIOS.items() if name not in ATTACKS]
    return ["## Scenarios", "", "And one for each attack: it began 45 to 50 minutes before the end.", "",
            *_table(("scenario", "what happens"), own)]  # fmt: skip


def _attacks() -> list[str]:
    rows = (
        (
            f"`{name}`",
            kind.summary,
            ", ".join(kind.techniques),
            kind.unit,
            f"{kind.minimum:g}",
            f"{kind.usual[0]:g} to {kind.usual[1]:g}",
            kind.minutes,
        )
        for name, kind in ATTACKS.items()
    )
    head = ("attack", "what happens", "ATT&CK", "unit of size", "smallest promised", "usual", "minutes")
    return ["## Attacks", "", *_table(head, rows)]


def _twins() -> list[str]:
    before, seconds, times = twins.LOAD_TEST
    mail_before, mail_seconds, mail_times = twins.MAILING
    rows = [
        (
            "job",
            "exfiltration, miner",
            "every day: " + ", ".join(f"{job.name} at {job.hour}:00" for job in JOBS),
        ),
        (
            "rollout",
            "new-binary",
            "by workload 0.02 to 0.45 a week, on working days; own images get a new tag",
        ),
        ("autoscaling", "new-binary", "working days, from 8–11 to 19:30–22:30, one replica more"),
        ("node replacement", "new-binary", "each slot every third week, in the night to Wednesday"),
        ("container restart", "", "0.02 a day and container"),
        (
            "health checks",
            "beacon",
            f"every {twins.CHECKED_EVERY} s to a place outside, {twins.CHECK:g} bytes",
        ),
        ("exec probe", "reverse-shell", f"a shell for an instant; {twins.PROBES_A_DAY} a day are seen"),
        ("entrypoint", "reverse-shell", "a shell that lives as long as its container"),
        ("cron", "container-escape", "a shell and logrotate on each node at 06:00"),
        (
            "load test",
            "exfiltration",
            f"{seconds // 60} minutes, {before // HOUR} hours before the end: {times:g} times the usual more",
        ),
        (
            "mailing",
            "dns-tunnel",
            f"{mail_seconds // 60} minutes, {mail_before // HOUR} hours before the end: names and letters, "
            f"{mail_times:g} times the usual more",
        ),
        (
            "daylight saving",
            "exfiltration",
            "3.5 days before the end: jobs by local time start an hour earlier",
        ),
    ]
    return [
        "## Benign twins, in every scenario",
        "",
        *_table(("event", "looks like", "when and how much"), rows),
    ]


def _company() -> list[str]:
    rows = (
        (
            f"{one.namespace}/{one.name}",
            one.kind,
            one.replicas,
            one.program.path,
            f"{one.program.cpu:g}",
            f"{one.program.memory:g}",
            one.rhythm,
            f"{one.churn:g}",
            f"{one.traffic:g}",
        )
        for one in WORKLOADS
    )
    head = (
        "workload",
        "kind",
        "replicas",
        "program",
        "cores",
        "MiB",
        "rhythm",
        "rollouts a week",
        "bytes/s of a pod",
    )
    routes = (
        (
            one.source,
            one.dest,
            f"{one.request:g}",
            f"{one.answer:g}",
            f"{one.sockets:g}",
            f"{one.spread:g}",
            f"{one.burst:g}",
        )
        for one in ROUTES
    )
    edges = ("from", "to", "request", "answer", "connections", "spread", "bursts in half an hour")
    told = "Three nodes run this once; larger clusters several times, in numbered namespaces."
    units = "Bytes and connections in ten seconds for each zone, at a rhythm's level 1:"
    return ["## The company", "", told, "", *_table(head, rows), units, "", *_table(edges, routes)]


def _noise() -> list[str]:
    scales = ", ".join(f"{period} s ({share:g})" for period, share in (*stream.SLOW, *stream.FAST))
    return [
        "## Noise",
        "",
        "A level is base × rhythm(hour of the week) × exp(spread × noise) × (1 + bursts). The noise is a",
        f"sum of five, with periods and shares of the deviation: {scales}, and one for each point",
        f"({stream.POINT:g}). Bursts begin at random, have Pareto heights (exponent {stream.BURST_TAIL:g},",
        f"{stream.BURST_HIGHEST:g} at most), and fade over {stream.BURST_SHORTEST} to {stream.BURST_SLOT} s.",
        f"Rhythms: {', '.join(RHYTHMS)}.",
    ]
