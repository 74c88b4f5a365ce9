"""Writes docs/outputs.md from the outputs themselves."""

from __future__ import annotations

from importlib import import_module

from kubestray.notify import configuration, outputs
from kubestray.notify.output import Key

_BEGINNING = """\
# Outputs

Made from the outputs in `src/kubestray/notify/outputs/`. What becomes of findings and incidents
(`docs/findings.md`) is sent to outputs, which the file of settings (`--config`) names:

```toml
[[output]]
name = "oncall"                      # yours
type = "slack"
token_env = "SLACK_TOKEN"
channel = "#oncall"

[[output]]
name = "archive"
type = "ocsf_file"
path = "/var/log/kubestray/findings.jsonl"

[[route]]                            # an output that no route names gets everything
outputs = ["oncall"]
min_severity = "high"
namespaces = ["shop", "pay-*"]
wait = "30s"
```

An unknown key is an error. A secret is never written into the file: it comes from an environment variable
(`token_env`) or from a file (`token_file`), which is read anew for every request. Secrets, and the paths of
URLs, are in no log and no message.

`kubestray notify test NAME` sends a marked test finding now and tells the answer. `kubestray notify list`
tells how each output is doing.

## What is promised

- Each change of a finding or incident is sent at least once, and those of one finding in order. What was
  sent is recorded in the store, so nothing is lost by a crash; a change whose answer was not recorded any
  more is sent again, with the same key, by which the receiver can tell.
- What people decide (acknowledge, resolve, assign …) is told as a change too, and so is a suppression for
  what it hides.
- An output that was never seen before is told of what is open, and of all that comes.
- A receiver that cannot be reached, does not answer in time, or refuses for a reason that can be mended
  (408, 425, 429, 401, 403, 404, any 5xx, a redirect …) is tried again: after a second, then two, four, up
  to 30, or when it says (`Retry-After`). It holds up no other output; a finding that it does not take
  holds up no other finding.
- After `give_up_after` (24 hours), or at once if the message itself is refused (400, 411, 413, 414, 415,
  422, 431), a change becomes a dead letter. `kubestray notify dead` lists them, `kubestray notify resend`
  makes all of them due again, `kubestray notify resend ID` those of one finding. A restart begins the 24
  hours anew.
- Redirects are not followed. `https_proxy`, `http_proxy` and `no_proxy` of the environment are respected.
- Of several servers on one cluster, one sends to an output at a time; when it dies, another goes on within
  a minute.
- Outputs that call people (all but the ones for archives) are not told of what is suppressed, nor of the
  end of what they never heard of; those that write a message for each change are not told of updates that
  only move a score. Who was told of a beginning is told of the end, whatever the routes say
  then.

## Routes

All keys that are given must be met; several routes may lead to one output.

"""


def manual() -> str:
    """Return docs/outputs.md."""
    lines = [_BEGINNING + "| key | what it does |", "|---|---|"]
    lines += [f"| `{name}` | {what} |" for name, what in configuration.ROUTE_KEYS.items()]
    lines += ["", "## Types"]
    for kind in outputs.OUTPUTS:
        module = import_module(f"{outputs.__name__}.{kind}")
        made = outputs.output_class(kind)
        lines += ["", f"### {kind}", "", (module.__doc__ or "").strip().replace("``", "`"), ""]
        lines += ["For archives: it is sent everything that routes let pass." if not made.announces else ""]
        lines += [] if made.announces else [""]
        lines += ["| key | default | what it is |", "|---|---|---|", *map(_row, made.keys)]
    return "\n".join(_without_doubles(lines)) + "\n"


def _row(key: Key) -> str:
    name = f"`{key.name}_env`, `{key.name}_file`" if key.kind == "secret" else f"`{key.name}`"
    default = "must be given" if key.default is None else f"`{key.default}`" if key.default else ""
    return f"| {name} | {default} | {key.help} |"


def _without_doubles(lines: list[str]) -> list[str]:
    return [line for before, line in zip(["", *lines], lines, strict=False) if line or before]
