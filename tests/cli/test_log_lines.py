"""What others put into a line of the log stays in that line."""

from __future__ import annotations

import logging
import sys

from kubestray.cli.log_lines import OneLine


def test_a_text_of_others_makes_no_line_and_steers_no_terminal():
    hostile = "denied\n2026-11-29 12:00:00,000 INFO root: all is well\r\x1b[2J\u202e\x9bm\x00"
    record = logging.LogRecord("kubestray", logging.WARNING, "", 0, "a login failed: %s", (hostile,), None)
    line = OneLine().format(record)
    assert line.endswith(
        "a login failed: denied\\n2026-11-29 12:00:00,000 INFO root: all is well\\r\\x1b[2J\\u202e\\x9bm\\x00"
    )
    assert "\n" not in line


def test_a_traceback_stands_below_its_line():
    try:
        raise ValueError("ü is fine")
    except ValueError:
        record = logging.LogRecord("kubestray", logging.ERROR, "", 0, "it failed", (), sys.exc_info())
    lines = OneLine().format(record).splitlines()
    assert lines[0].endswith("ERROR kubestray: it failed")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: ü is fine"
