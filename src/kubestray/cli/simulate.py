"""``kubestray simulate --out DIR``."""

from __future__ import annotations

import argparse

from kubestray.cli import options, output
from kubestray.model.counted import counted
from kubestray.model.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--out", metavar="DIR", help="the folder to write otlp/*.jsonl and labels.json into")
    parser.add_argument(
        "--scenario", default="calm", metavar="NAME", help="what happens in the cluster [calm]"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed gives the same cluster and data [1]"
    )
    parser.add_argument(
        "--from", dest="start", default="-1d", metavar="T", help="where the data starts [-1d]"
    )
    parser.add_argument("--to", dest="end", default="now", metavar="T", help="where the data ends [now]")
    parser.add_argument("--step", default="10s", help="the time between two points of a series [10s]")
    parser.add_argument(
        "--size",
        type=float,
        metavar="N",
        help="attacks N times as large as the smallest that the built-in detections promise to find",
    )
    parser.add_argument("--nodes", type=int, default=3, help="how many nodes [3]")
    parser.add_argument("--processes", type=int, default=20, help="how many processes run on a node [20]")
    options.settings(parser)


def run(parsed: argparse.Namespace) -> int:
    """Write the files, or list the scenarios."""
    from pathlib import Path

    from kubestray.pipeline.setting_up import moment
    from kubestray.search.times import parse_duration
    from kubestray.simulate import SCENARIOS, SimulationConfig, simulate

    options.configure(parsed)
    if parsed.list:
        for name, scenario in SCENARIOS.items():
            print(f"{name:<18} {scenario.summary}")
        return 0
    if not parsed.out:
        raise UsageError("simulate needs --out DIR, a folder to write into")
    step = parse_duration(parsed.step)
    if not step or step % 10**9:
        raise UsageError(f"--step {parsed.step}: expected whole seconds, for example 10s or 1m")
    seconds = step // 10**9
    now = moment("now", "--to")
    start, end = moment(parsed.start, "--from", now), moment(parsed.end, "--to", now)
    config = SimulationConfig(
        start_ns=start,
        end_ns=end,
        seed=parsed.seed,
        scenario=parsed.scenario,
        nodes=parsed.nodes,
        processes=parsed.processes,
        size=parsed.size,
        window_s=10 if seconds % 10 == 0 else seconds,
    )
    files = simulate(config).write(Path(parsed.out), start, end, seconds)
    output.note(f"wrote {counted(len(files), 'file')} into {parsed.out}")
    return 0
