"""Messages in Slack: blocks with a fallback text.

With a webhook (``url_env`` or ``url_file``) each change is a message of its own; a webhook takes no files
and does not say where a message is, so there is neither a picture nor a thread. With a bot token and a
``channel`` each finding or incident is a thread: the first message, then what becomes of it as answers,
and the picture as a file in it (scopes ``chat:write`` and ``files:write``). A picture that fails does not
hold up the message. Slack has no key against duplicates: after a crash between its answer and our note of
it, a message can come twice.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from kubestray.model.finding import written
from kubestray.notify import chart, words
from kubestray.notify.http import HTTP_KEYS, Client, checked_url, origin
from kubestray.notify.notice import DECIDED, Notice, Reference
from kubestray.notify.output import Key, NotDelivered, Output
from kubestray.notify.secret import Secret

logger = logging.getLogger(__name__)

_API = "https://slack.com/api"
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

_HEADER, _TEXT, _FIELD, _FIELDS, _STEPS = 150, 2900, 1900, 10, 15
"""What Slack takes: characters of a header, of a section and of a field in it; fields; and how many steps we
tell.
"""

_MESSAGE_REFUSED = frozenset(
    "invalid_blocks invalid_blocks_format msg_too_long msg_blocks_too_long no_text too_many_attachments "
    "invalid_arguments invalid_post_type".split()
)

Block = dict[str, Any]


class Slack(Output):
    """Posts messages through a webhook, or as a bot."""

    keys = (
        Key(
            "url",
            "url",
            f"The webhook, as `url_env` or `url_file`; with a bot token where the API is [{_API}].",
        ),
        Key("token", "secret", "The bot's token (xoxb-…), as `token_env` or `token_file`."),
        Key("channel", "text", "The channel (its id, or its name) that a bot writes to."),
        Key("chart", "switch", "Whether a bot sends a picture too.", "true"),
        *(key for key in HTTP_KEYS if key.name in ("ca_file", "timeout")),
    )

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        super().__init__(name, values)
        self._bot = bool(values.get("token"))
        if self._bot and not values.get("channel"):
            raise ValueError("a bot needs a channel")
        if not self._bot and not values.get("url"):
            raise ValueError(
                "needs a webhook (url_env or url_file), or a bot's token (token_env or token_file)"
            )
        url = values.get("url") or Secret("Slack's own address", lambda: _API)
        self._client = Client({**values, "url": url})

    @property
    def where(self) -> str:
        """The receiver's scheme, host and port, and the channel."""
        return f"{self._client.where} {self._values['channel']}".strip()

    def deliver(self, notice: Notice) -> Reference:
        """Post the message; return where its thread is, and what was told."""
        told = {"told": words.news(notice.document)}
        if not self._bot:
            self._client.post(self._client.url(), written(message(notice)).encode(), _JSON)
            return told
        thread = next((one for one in (notice.reference, notice.thread) if one and "ts" in one), None)
        posted = {"channel": self._values["channel"], **message(notice, answer=thread is not None)}
        if thread:
            posted |= {"channel": thread["channel"], "thread_ts": thread["ts"]}
        answer = self._call("/chat.postMessage", written(posted).encode(), _JSON)
        thread = thread or {"channel": answer["channel"], "ts": answer["ts"]}
        if self._values["chart"] and notice.first:
            self._picture(notice, thread)
        return {"channel": thread["channel"], "ts": thread["ts"], **told}

    def is_news(self, notice: Notice) -> bool:
        """People want to hear of another severity, step or technique, not of every point of a score."""
        return words.is_news(notice)

    def stop(self) -> None:
        """End what is under way."""
        self._client.stop()

    def _picture(self, notice: Notice, thread: Reference) -> None:
        picture = chart.png(notice.document)
        if picture is None:
            return
        try:
            asked = urlencode({"filename": f"{notice.id}.png", "length": len(picture)}).encode()
            place = self._call("/files.getUploadURLExternal", asked, _FORM)
            # The place to upload to is Slack's word, and knows us by itself.
            self._client.post_plain(checked_url(place["upload_url"]), picture, {"Content-Type": "image/png"})
            shared = {
                "files": [{"id": place["file_id"], "title": notice.document["title"]}],
                "channel_id": thread["channel"],
                "thread_ts": thread["ts"],
            }
            self._call("/files.completeUploadExternal", written(shared).encode(), _JSON)
        except (NotDelivered, ValueError) as error:
            logger.warning("output %s: the picture of %s was not sent: %s", self.name, notice.uid, error)

    def _call(self, method: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        """Ask the API; it says with 200 that it has refused."""
        url = self._client.url().rstrip("/") + method
        given = self._client.post(url, body, headers).body
        try:
            answer: dict[str, Any] = json.loads(given)
            done = answer["ok"]
        except (ValueError, KeyError, TypeError):
            raise NotDelivered(f"{origin(url)}{method} did not answer as Slack does") from None
        if not done:
            error = str(answer.get("error"))
            told = self._client.redacted(f"{origin(url)}{method} answered {error}")
            raise NotDelivered(told, permanent=error in _MESSAGE_REFUSED)
        return answer


def message(notice: Notice, *, answer: bool = False) -> dict[str, Any]:
    """Return text and blocks; an ``answer`` in a thread repeats less."""
    document = notice.document
    title = words.headline(notice)
    blocks: list[Block] = [_header(title), _section(_escaped(document["sentence"]))]
    if not answer:
        blocks.append({"type": "section", "fields": _facts(notice)[:_FIELDS]})
    if observed := document.get("observed"):
        blocks.append(_section("\n".join(f"• `{_escaped(words.observed_line(one))}`" for one in observed)))
    if steps := document.get("steps"):
        blocks.append(_section(_told(steps)))
    if not answer and (advice := words.sentences(document.get("respond"))):
        blocks.append(_section("*Next*\n" + "\n".join(f"• {_escaped(one)}" for one in advice)))
    if notice.change.change == DECIDED and (history := document.get("history")):
        blocks.append(_section(_decided(history[-1])))
    small = f"{document['kind']} {notice.id} · change {notice.change.sequence}: {notice.change.change}"
    blocks.append({"type": "context", "elements": [_mrkdwn(_escaped(small))]})
    return {"text": _escaped(f"{title}: {document['sentence']}")[:_TEXT], "blocks": blocks}


def _facts(notice: Notice) -> list[Block]:
    document = notice.document
    told = {
        "Severity": f"{document['severity']}, score {words.figure(document['score'])}",
        "Entity": document["entity"],
        "State": document["state"] + (f", {document['owner']}" if document.get("owner") else ""),
        "Since": document["first_seen"],
        "Detection": words.analytic_name(document) if document.get("opened_by") else "",
        "Techniques": ", ".join(document["techniques"]),
        "Tactics": ", ".join(one["name"] for one in document["tactics"]),
    }
    return [_mrkdwn(f"*{name}*\n{_escaped(value)}", _FIELD) for name, value in told.items() if value]


def _decided(one: dict[str, Any]) -> str:
    said = [one["actor"], one["action"], one.get("owner") or "", one.get("text") or ""]
    return f"*Decided* {_escaped(': '.join(filter(None, said)))}"


def _told(steps: list[dict[str, Any]]) -> str:
    lines = [
        f"`{step['time']}` {_escaped(step['detection'])} – {_escaped(step['entity'])}"
        for step in steps[:_STEPS]
    ]
    more = len(steps) - _STEPS
    return "*Steps*\n" + "\n".join(lines) + (f"\nand {more} more" if more > 0 else "")


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": _cut(text, _HEADER)}}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str, length: int = _TEXT) -> Block:
    return {"type": "mrkdwn", "text": _cut(text, length)}


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _escaped(text: str) -> str:
    """Return a text that Slack shows as it is: no mention, no link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
