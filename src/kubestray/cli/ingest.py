"""``kubestray ingest PATH...``."""

from __future__ import annotations

import argparse
import json
from functools import cache, partial

from kubestray.cli import options, output
from kubestray.model.counted import counted

_MOST_PROBLEMS = 50  # told one by one


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files or folders; '-' is stdin")
    parser.add_argument("--progress", action="store_true", help="show a progress bar on a terminal")
    options.settings(parser)


def run(parsed: argparse.Namespace) -> int:
    """Read the files into the store and print what was taken in."""
    from kubestray.pipeline import ingesting, setting_up
    from kubestray.pipeline.accelerating import Accelerator
    from kubestray.pipeline.churning import churning
    from kubestray.pipeline.percentiles import percentile_metrics

    config = options.configure(parsed)
    content = cache(partial(setting_up.content_of, config))  # read if there is much to summarise
    with setting_up.opened(config) as store:
        taken = ingesting.ingest(store, parsed.paths, progress=parsed.progress)
        ingesting.summarise(
            store,
            taken,
            lambda: churning(config, content()),
            lambda: percentile_metrics(config, content()),
            lambda: Accelerator(store, config, content()).catch_up(),
        )
    for problem in taken.problems[:_MOST_PROBLEMS]:
        output.note(f"kubestray: {problem}")
    if len(taken.problems) > _MOST_PROBLEMS:
        output.note(f"kubestray: and {counted(len(taken.problems) - _MOST_PROBLEMS, 'more broken message')}")
    for reason, count in sorted(taken.rejected.items()):
        output.note(f"rejected {counted(count, 'data point')}: {reason}")
    if taken.expired:
        late = counted(taken.expired, "data point is", "data points are")
        output.note(
            f"note: {late} of days whose points have expired here (retention_raw); what comes late counts "
            "beside the summaries of those days, so what had been received before counts twice"
        )
    if not taken.files:
        output.note(
            f"note: there are no files in {', '.join(parsed.paths)}; name those that a collector wrote"
        )
    print(json.dumps(taken.as_json()))
    return 1 if taken.problems else 0
