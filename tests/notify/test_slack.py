"""Messages in Slack, by webhook and by a bot in threads with a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs

import pytest
from documents import FINDING_ID, INCIDENT_ID, finding, incident, notice
from receiver import Receiver, Reply

from kubestray.notify import chart, words
from kubestray.notify.output import NotDelivered
from kubestray.notify.outputs.slack import Slack, message
from kubestray.notify.secret import Secret

TOKEN = "xoxb-s3cr3t-0123456789"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def slack(url: str, **more) -> Slack:
    values = {"url": Secret("test", lambda: url), "channel": "", "chart": True, "timeout": 5 * 10**9}
    return Slack("oncall", {**values, **more})


def bot(receiver: Receiver, **more) -> Slack:
    receiver.answers = {
        "/chat.postMessage": json.dumps({"ok": True, "channel": "C1", "ts": "17.5"}).encode(),
        "/files.getUploadURLExternal": json.dumps(
            {"ok": True, "upload_url": f"{receiver.url}/upload/v1", "file_id": "F1"}
        ).encode(),
        "/upload/v1": b"OK",
        "/files.completeUploadExternal": json.dumps({"ok": True, "files": []}).encode(),
    }
    return slack(receiver.url, token=Secret("test", lambda: TOKEN), channel="#alerts", **more)


def test_the_blocks_of_a_finding():
    told = message(notice(finding()))
    assert told["text"] == (
        "[HIGH] Outbound surge of shop/checkout: "
        "node of shop/checkout sent 48211900 bytes, 79 times what is usual at 03:00."
    )
    assert told["blocks"] == [
        {"type": "header", "text": {"type": "plain_text", "text": "[HIGH] Outbound surge of shop/checkout"}},
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": "node of shop/checkout sent 48211900 bytes, 79 times what is usual at 03:00.",
            },
        },
        {
            "type": "section",
            "fields": [
                {"type": "mrkdwn", "text": text}
                for text in (
                    "*Severity*\nhigh, score 72",
                    "*Entity*\nprocess:prod/shop/checkout/node",
                    "*State*\nnew",
                    "*Since*\n2026-11-22T03:08:00Z",
                    "*Detection*\nOutbound traffic of a process",
                    "*Techniques*\nT1048",
                    "*Tactics*\nExfiltration",
                )
            ],
        },
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "• `tcp.bytes 48211900 (expected 611000, upper 4020000)`"},
        },
        {"type": "section", "text": {"type": "mrkdwn", "text": "*Next*\n• Look at where the bytes went."}},
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": f"finding {FINDING_ID} · change 1: opened"}],
        },
    ]


def test_an_incident_tells_its_steps_in_order():
    texts = [block["text"]["text"] for block in message(notice(incident()))["blocks"] if "text" in block]
    assert texts[-1] == (
        "*Steps*\n`2026-11-22T02:10:00Z` Shell in a container – process:prod/shop/checkout/node\n"
        "`2026-11-22T03:09:00Z` Outbound surge – edge:prod/shop/checkout&gt;batch/reports"
    )


def test_what_a_person_decided_is_told():
    history = [{"actor": "ann", "action": "assign", "owner": "bob"}]
    told = message(notice(finding(history=history), 1, "decided", first=False), answer=True)
    texts = [block["text"]["text"] for block in told["blocks"] if "text" in block]
    assert "*Decided* ann: assign: bob" in texts


def test_what_a_sender_wrote_mentions_nobody_and_links_nowhere():
    text = "<!channel> <https://evil|click> & more"
    told = json.dumps(message(notice(finding(sentence=text, title=text))), ensure_ascii=False)
    header = json.loads(told)["blocks"][0]["text"]
    assert header["type"] == "plain_text"
    rest = json.dumps([json.loads(told)["text"], json.loads(told)["blocks"][1:]])
    assert "<" not in rest
    assert "&lt;!channel&gt;" in rest


def test_lengths_are_those_that_slack_takes():
    steps = [{**incident()["steps"][0], "detection": "d" * 400} for _ in range(40)]
    told = message(notice(incident(title="t" * 500, sentence="s" * 9000, steps=steps)))
    for block in told["blocks"]:
        text = block.get("text", {}).get("text", "")
        assert len(text) <= (150 if block["type"] == "header" else 3000)
    assert len(told["blocks"]) <= 50


def test_a_name_that_is_as_long_as_a_path_can_be_fits_in_a_field():
    """Slack refuses a message for good if a field has above 2,000 characters: a name could hide."""
    entity = "process:prod/shop/cart/" + "&" * 4000
    told = message(notice(finding(entity=entity, techniques=["T1048"] * 1000, owner="o" * 4000)))
    fields = next(block["fields"] for block in told["blocks"] if "fields" in block)
    assert max(len(field["text"]) for field in fields) <= 2000
    assert max(len(block["text"]["text"]) for block in told["blocks"] if "text" in block) <= 3000


def test_a_webhook_takes_each_change(receiver):
    receiver.otherwise = Reply(body=b"ok")
    output = slack(f"{receiver.url}/services/T0/B0/s3cr3t")
    assert output.deliver(notice(finding())) == {"told": words.news(finding())}
    assert [request.path for request in receiver.taken] == ["/services/T0/B0/s3cr3t"]
    assert receiver.taken[0].json == message(notice(finding()))
    assert "s3cr3t" not in repr(output) + output.where


def test_a_bot_keeps_a_thread_with_a_picture(receiver):
    output = bot(receiver)
    thread = output.deliver(notice(incident()))
    assert thread == {"channel": "C1", "ts": "17.5", "told": words.news(incident())}
    posted, asked, sent, shared = receiver.taken
    assert {request.headers.get("authorization") for request in (posted, asked, shared)} == {
        f"Bearer {TOKEN}"
    }
    assert posted.json == {"channel": "#alerts", **message(notice(incident()))}
    assert sent.path == "/upload/v1"
    assert sent.body.startswith(PNG)
    assert "authorization" not in sent.headers
    assert parse_qs(asked.body.decode()) == {
        "filename": [f"{INCIDENT_ID}.png"],
        "length": [str(len(sent.body))],
    }
    assert shared.json == {
        "files": [{"id": "F1", "title": "Attack on shop/checkout"}],
        "channel_id": "C1",
        "thread_ts": "17.5",
    }

    later = notice(incident(score=200), 2, "updated", first=False, reference=thread)
    assert output.deliver(later) == thread
    answer = receiver.taken[4].json
    assert (answer["channel"], answer["thread_ts"]) == ("C1", "17.5")
    assert len(receiver.taken) == 5


def test_a_finding_is_told_in_the_thread_of_its_incident(receiver):
    output = bot(receiver, chart=False)
    told = notice(finding(incident=INCIDENT_ID), thread={"channel": "C7", "ts": "9.1"})
    reference = output.deliver(told)
    assert (reference["channel"], reference["ts"]) == ("C7", "9.1")
    assert receiver.taken[0].json["thread_ts"] == "9.1"


def test_a_picture_that_fails_does_not_send_the_message_again(receiver):
    output = bot(receiver)
    receiver.answers["/files.getUploadURLExternal"] = b'{"ok": false, "error": "missing_scope"}'
    assert output.deliver(notice(finding()))["ts"] == "17.5"
    assert [request.path for request in receiver.taken] == [
        "/chat.postMessage",
        "/files.getUploadURLExternal",
    ]


@pytest.mark.parametrize(("error", "permanent"), [("invalid_blocks", True), ("invalid_auth", False)])
def test_slack_refuses_with_status_200(receiver, error, permanent):
    output = bot(receiver)
    receiver.answers["/chat.postMessage"] = json.dumps({"ok": False, "error": error}).encode()
    with pytest.raises(NotDelivered, match=error) as told:
        output.deliver(notice(finding()))
    assert told.value.permanent is permanent


def test_what_must_be_configured():
    with pytest.raises(ValueError, match="channel"):
        slack("http://x", token=Secret("test", lambda: TOKEN))
    with pytest.raises(ValueError, match="webhook"):
        Slack("oncall", {"channel": "#x"})


def test_a_picture_of_steps_and_measures():
    both = finding(steps=incident()["steps"])
    spec = chart.chart(both)
    steps, measures = spec["vconcat"]
    assert [one["detection"] for one in steps["data"]["values"]] == ["Shell in a container", "Outbound surge"]
    assert {one["what"]: one["value"] for one in measures["data"]["values"]} == {
        "expected": 611_000.0,
        "upper": 4_020_000,
        "observed": 48_211_900,
    }
    assert chart.png(replace(notice(finding(observed=[])), first=True).document) is None
