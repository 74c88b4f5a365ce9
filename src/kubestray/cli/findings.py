"""``kubestray findings [list|show|acknowledge|assign|comment|resolve|reopen|expect|suppress|…]``."""

from __future__ import annotations

import argparse
from typing import Any

from kubestray.cli import options, output
from kubestray.cli.reading import opened_to_read

_DECISIONS = {
    "acknowledge": "somebody looks at it",
    "resolve": "it is dealt with",
    "reopen": "it is not dealt with after all",
    "expect": "this is normal for what it is about; its steps count no more for 30 days",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = _action(actions, "list", "findings and incidents, the newest first")
    listing.add_argument("--kind", choices=("finding", "incident"), help="only these")
    listing.add_argument("--state", action="append", default=[], help="only those in this state; repeatable")
    _action(actions, "show", "all of a finding or incident", "id")
    for name, told in _DECISIONS.items():
        _action(actions, name, told, "id").add_argument("--text", default="", help="a comment")
    _action(actions, "assign", "say who looks after it", "id", "owner")
    _action(actions, "comment", "say something about it", "id", "text")
    hiding = _action(actions, "suppress", "let what fits a scope count no more until it expires")
    hiding.add_argument("--entity", default="", help="a wildcard, such as workload:prod/shop/*")
    hiding.add_argument("--detection", default="", help="a wildcard over names of detections")
    hiding.add_argument("--field", action="append", default=[], metavar="NAME=WILDCARD", help="repeatable")
    hiding.add_argument("--reason", default="", help="why; needed")
    hiding.add_argument("--expires", default="+7d", metavar="T", help="until when [+7d]")
    hiding.add_argument(
        "--preview", metavar="T", help="hide nothing; show which findings since T it would have hidden"
    )
    _action(actions, "suppressions", "what is or was hidden, by whom and why")
    _action(actions, "withdraw", "end a suppression", "id")
    _action(actions, "audit", "who decided what, the newest first")


def _action(actions: Any, name: str, told: str, *places: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=told, description=told)
    for place in places:
        parser.add_argument(place)
    if name in (*_DECISIONS, "assign", "comment", "suppress", "withdraw"):
        options.actor(parser, "who decides")
    parser.add_argument("--format", choices=("json", "table"), help="json or table [table on a terminal]")
    options.settings(parser)
    return parser


def run(parsed: argparse.Namespace) -> int:
    """Show or decide."""
    from kubestray.model.errors import UsageError
    from kubestray.pipeline.casework import Casework

    if not parsed.action:
        raise UsageError("say what to do: kubestray findings list, show ID, acknowledge ID … (--help)")
    with opened_to_read(options.configure(parsed)) as store:
        return _DOES.get(parsed.action, _decide)(Casework(store), parsed)


def _list(cases: Any, parsed: argparse.Namespace) -> int:
    return _show_all(cases.documents(parsed.kind or "", parsed.state), parsed)


def _show_all(found: list[dict[str, Any]], parsed: argparse.Namespace) -> int:
    from kubestray.cli.casework_text import print_line

    if output.chosen_format(parsed.format) == "json":
        output.print_json(found)
        return 0
    for document in found:
        print_line(document)
    return 0


def _show(cases: Any, parsed: argparse.Namespace) -> int:
    return _show_one(cases.document(parsed.id), parsed)


def _show_one(document: dict[str, Any], parsed: argparse.Namespace) -> int:
    from kubestray.cli.casework_text import print_document

    if output.chosen_format(parsed.format) == "json":
        output.print_json(document)
    else:
        print_document(document)
    return 0


def _decide(cases: Any, parsed: argparse.Namespace) -> int:
    detail = {name: getattr(parsed, name) for name in ("owner", "text") if getattr(parsed, name, "")}
    return _show_one(cases.decide(parsed.action, parsed.id, parsed.actor, **detail), parsed)


def _suppress(cases: Any, parsed: argparse.Namespace) -> int:
    from kubestray.model.errors import UsageError
    from kubestray.pipeline.setting_up import moment

    if any("=" not in field for field in parsed.field):
        raise UsageError("--field takes NAME=WILDCARD")
    fields = dict(field.split("=", 1) for field in parsed.field)
    scope = {"entity": parsed.entity, "detection": parsed.detection, "fields": fields}
    if parsed.preview:
        return _show_all(cases.preview(scope, moment(parsed.preview, "--preview")), parsed)
    identity = cases.suppress(scope, parsed.reason, parsed.actor, moment(parsed.expires, "--expires"))
    output.print_json({"id": identity})
    return 0


def _suppressions(cases: Any, parsed: argparse.Namespace) -> int:
    return _rows([one.as_json() for one in cases.suppressions()], parsed)


def _rows(rows: list[dict[str, Any]], parsed: argparse.Namespace) -> int:
    """Print rows of the same fields."""
    if output.chosen_format(parsed.format) == "json":
        output.print_json(rows)
    else:
        output.print_table(rows, list(rows[0]) if rows else [])
    return 0


def _withdraw(cases: Any, parsed: argparse.Namespace) -> int:
    cases.withdraw(parsed.id, parsed.actor)
    output.print_json({"id": parsed.id})
    return 0


def _audit(cases: Any, parsed: argparse.Namespace) -> int:
    from dataclasses import asdict

    from kubestray.model.finding import rfc3339

    return _rows([{**asdict(one), "time": rfc3339(one.time)} for one in cases.audit()], parsed)


_DOES = {
    "list": _list,
    "show": _show,
    "suppress": _suppress,
    "suppressions": _suppressions,
    "withdraw": _withdraw,
    "audit": _audit,
}
