"""Pages as their HTML: all are there, what telemetry says stays text, and nothing comes from elsewhere."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pytest

from console import DETECTION, HOSTILE
from kubestray.api import findings
from kubestray.api.accounts import Role
from kubestray.api.asking import Asker
from kubestray.risk.verifying import differences
from kubestray.web.pages.findings import _in_short
from kubestray.web.render import breaking

NAME = quote("Process sending far more than usual")

PAGES = [
    "/findings",
    "/findings?part=true&state=all&kind=finding",
    "/suppressions",
    "/risk?earliest=-24h",
    "/entities",
    "/entities?kind=workload&words=cart",
    "/entity?entity=workload:prod/shop/cart",
    "/entity?entity=cluster:prod//prod",
    "/heatmap",
    "/map",
    "/map?over=7d&step=100&words=cart",
    "/search",
    "/search?text=" + quote("| mstats avg(tcp.bytes) where index=* by source.workload.name span=5m"),
    "/search?explain=true&text=" + quote("| makeresults"),
    "/detections",
    f"/detections/{NAME}",
    f"/backtest/{NAME}",
    "/stories",
    "/stories/Workloads%20that%20stray",
    "/attack",
    "/detections?part=true",
    "/baselines",
    f"/baselines/{NAME}",
    "/sources",
    "/sources?part=true",
    "/account",
]
ADMIN_PAGES = ["/accounts", "/audit"]


class Read(HTMLParser):
    """What of a page could do something: scripts, attributes, addresses, and whether its tags match."""

    VOID = frozenset("meta link input br wbr img hr path rect circle option".split())

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self.styles: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.labels = 0
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.handlers += [name for name in values if name.startswith("on")]
        self.styles += ["style"] * ("style" in values or tag == "style")
        self.addresses += [values[name] for name in ("src", "href", "action") if values.get(name)]
        self.ids += [values["id"]] if "id" in values else []
        self._open = ""
        if tag == "script" and values.get("type") != "application/json":
            self._open = "script"

    def handle_data(self, data):
        if self._open == "script" and data.strip():
            self.scripts.append(data)


COMMENT = findings.Decide(action="comment", text="seen it too")


@pytest.fixture(scope="module")
def browser(people):
    return people.browser(Role.ADMIN)


def inert(text: str) -> Read:
    """Assert that a page does nothing but what its files do."""
    read = Read(text)
    assert read.scripts == []
    assert read.handlers == []
    assert read.styles == []
    assert len(read.ids) == len(set(read.ids))
    outside = [one for one in read.addresses if not one.startswith(("/", "#", "https://attack.mitre.org/"))]
    assert outside == []
    return read


@pytest.mark.parametrize("path", PAGES + ADMIN_PAGES)
def test_every_page_is_there_small_and_inert(browser, path):
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text[-2000:]
    assert len(answer.content) < 300_000
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert answer.headers["cache-control"] == "no-store"
    inert(answer.text)
    for name in HOSTILE[:2]:
        assert name not in answer.text


@pytest.fixture(scope="module")
def finding(people):
    return findings.queue(people.running, kind="finding", states=()).rows[0].id


@pytest.fixture(scope="module")
def incident(people):
    return findings.queue(people.running, kind="incident", states=()).rows[0].id


def test_a_finding_and_its_incident(browser, finding, incident):
    page = browser.get(f"/findings/{finding}")
    inert(page.text)
    for told in ("What happened", "Why it matters", "What to do next", "Acknowledge", "It would not be here"):
        assert told in page.text
    assert f"/findings/{incident}" in page.text
    whole = browser.get(f"/findings/{incident}")
    inert(whole.text)
    for told in ("What happened", "Why it matters", "What to do next", "What was measured"):
        assert told in whole.text
    assert f"/findings/{finding}" in whole.text
    assert f"/findings/{finding}" in browser.get("/stories/Workloads%20that%20stray").text
    steps = whole.text[whole.text.index("in order") :]
    order = [steps.index(f">{word}</a>") for word in ("T1048", "T1496", "T1059")]
    assert order == sorted(order)


def test_a_filter_that_nothing_fits_says_so_whether_detections_have_run_or_not(browser):
    assert ">Nothing fits<" in browser.get("/findings?words=nobody-is-called-so").text


def test_a_page_that_is_open_learns_of_what_is_new(people, browser, finding):
    live = re.search(r'data-live="([^"]+/changed[^"]+)"', browser.get(f"/findings/{finding}").text)
    assert live
    assert browser.get(live[1]).text.strip() == ""
    findings.decide(people.running, Asker("a colleague", Role.ANALYST), [finding], COMMENT)
    told = browser.get(live[1]).text
    assert "There is something new" in told
    again = re.search(r'data-live="([^"]+/changed[^"]+)"', browser.get(f"/findings/{finding}").text)
    assert browser.get(again[1]).text.strip() == ""


@pytest.mark.parametrize(
    ("lasting", "told"),
    [
        ({}, ("score 4.26, an alarm above 3.5", ">3.9<")),
        ({"once": 0.0}, ("score 4.26, an alarm above 3.5",)),
        (
            {"once": 0.834},
            ("score 4.26 (0.83 taken off, as the step before was not as high), an alarm above 3.5",),
        ),
        ({"lasting": True}, ("score 4.26 over the last minutes, an alarm above 3.5", ">2.7<")),
        ({"lasting": True, "over": 300.0}, ("score 4.26 over the last minutes, an alarm above 3.5", ">2.7<")),
        ({"lasting": True, "over": 7200.0}, ("score 4.26 over the last hours, an alarm above 3.5", ">2.7<")),
    ],
)
def test_what_a_search_has_learned_is_told(people, browser, finding, monkeypatch, lasting, told):
    document = findings.finding(people.running, finding)
    metric = {"name": HOSTILE[0], "value": 33.0, "expected": 12.5, "lower": None, "upper": 19.5}
    document["evidence"][0]["explanation"] = {
        "score": 4.256,
        "threshold": 3.5,
        "expected_per_day": 0.001,
        "asked_per_day": 0.0027,
        "reason": None,
        "metrics": [{**metric, "quiet": 21.0, "score": 3.9, "lasting": 2.7, "views": []}],
        **lasting,
    }
    monkeypatch.setattr(findings, "finding", lambda *_: document)
    page = browser.get(f"/findings/{finding}")
    assert page.status_code == 200
    inert(page.text)
    for part in (*told, "12.5", "– … 19.5", "21"):
        assert part in page.text


def test_what_is_seen_again_and_again_is_told_once():
    events = [("opened", 1), *(("updated", hour) for hour in range(2, 9)), ("assign", 9), ("updated", 10)]
    history = [
        findings.Event(time=f"2026-09-21T{hour:02}:00:00Z", actor=None, action=action, detail={})
        for action, hour in events
    ]
    told = [(one["event"].action, one["times"], one["event"].time[11:13]) for one in _in_short(history)]
    assert told == [("opened", 1, "01"), ("updated", 7, "08"), ("assign", 1, "09"), ("updated", 1, "10")]


def test_the_address_of_a_backtest_stays_true(browser):
    moved = browser.get(f"/backtest/{NAME}?earliest=-20m&every=1000")
    assert moved.status_code == 303
    assert re.search(r"earliest=2026-09-21T\d\d%3A\d\d%3A00Z&latest=2026-09-21T", moved.headers["location"])
    shown = browser.get(moved.headers["location"])
    assert shown.status_code == 200
    inert(shown.text)


def test_an_entity_has_its_findings(browser, finding):
    page = browser.get("/entity?entity=workload:prod/pay/api")
    assert f"/findings/{finding}" in page.text
    inert(page.text)


def test_decisions_by_forms(people, browser, finding):
    path = f"/findings/{finding}"
    assert browser.post(path, action="acknowledge").status_code == 303
    assert browser.post(path, action="comment", text=HOSTILE[0]).status_code == 303
    page = browser.get(path)
    inert(page.text)
    assert "acknowledged it" in page.text
    assert browser.post(path, action="comment", text="").status_code == 400
    assert browser.post("/findings", action="assign", chosen=finding).status_code == 303
    assert "person-admin" in browser.get("/findings?kind=finding").text
    viewer = people.browser(Role.VIEWER)
    assert viewer.post(path, action="resolve").status_code == 403
    assert ">Acknowledge<" not in viewer.get(path).text


def test_the_preview_of_a_suppression_on_its_page(browser, finding):
    path = f"/findings/{finding}/suppress"
    page = browser.get(path + "?" + urlencode({"entity": "workload:prod/pay/*", "detection": ""}))
    assert "it would have hidden 1 of 1 findings" in page.text
    inert(page.text)
    refused = browser.post(path, entity="workload:prod/pay/*", reason="", expires="+1d")
    assert refused.status_code == 400
    assert "needs a reason" in refused.text
    assert browser.post(path, entity="workload:prod/none/*", reason="tests", expires="+1d").status_code == 303
    assert "workload:prod/none/*" in browser.get("/suppressions").text


def test_the_export_can_be_verified(browser, finding):
    answer = browser.get(f"/findings/{finding}/finding.json")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert differences(answer.json()) == []


def test_a_viewer_is_not_offered_what_is_not_allowed(people):
    viewer = people.browser(Role.VIEWER)
    for path in PAGES:
        assert viewer.get(path).status_code == 200
    assert "Disable" not in viewer.get(f"/detections/{NAME}").text
    assert 'href="/accounts"' not in viewer.get("/sources").text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(browser, name):
    entity = f"workload:prod/bad/{name}"
    page = browser.get("/entity?" + urlencode({"entity": entity}))
    assert page.status_code == 200
    inert(page.text)
    text = f'| mstats count(*) where index=* note="{name[:50]}" by note'
    found = browser.get("/search?" + urlencode({"text": text, "earliest": "-7d"}))
    inert(found.text)
    shown = re.sub(r'<input type="hidden"[^>]*>', "", page.text)
    assert not set("\u202e\u2066") & set(shown)


def test_what_somebody_types_stays_text(browser):
    for path in (
        "/search?text={}&earliest={}",
        "/entities?words={}",
        "/risk?words={}&detection={}",
        "/audit?actor={}",
        "/map?words={}",
        "/detections?words={}",
    ):
        for name in HOSTILE[:4]:
            inert(browser.get(path.format(*[quote(name[:40])] * 2)).text)


def test_errors_are_pages_for_people(browser):
    for path, status in (
        ("/detections/none", 404),
        ("/nothing", 404),
        ("/map?over=x", 400),
        ("/risk?skip=x", 422),
    ):
        answer = browser.get(path)
        assert answer.status_code == status
        assert "To the first page" in answer.text
        inert(answer.text)


def test_an_error_in_a_search_is_marked_in_its_line(browser):
    answer = browser.get("/search?text=" + quote("| makeresults\n| evl a=1"))
    assert answer.status_code == 400
    assert "<mark>evl</mark> a=1" in answer.text
    assert 'data-line="2" data-column="3"' in answer.text
    assert "Did you mean eval?" in answer.text


def test_what_is_left_out_of_a_search_is_told(browser):
    series = "| makeresults count=6000 | streamstats count AS n | eval _time=_time+n | table _time n"
    page = browser.get("/search?" + urlencode({"text": series})).text
    assert "5,000 rows and more in" in page
    assert "; the first 500 are shown, the chart has the first 5,000</p>" in page
    again = browser.get("/search?" + urlencode({"text": "| makeresults"})).text
    assert '<p class="muted">1 row in' in again
    assert ", 1 row in" in browser.get("/search").text


def test_a_link_cannot_make_somebody_write(browser):
    path = "/search?" + urlencode({"text": "| makeresults | eval a=1 | outputlookup by_link"})
    read = "/search?" + urlencode({"text": "| inputlookup by_link"})
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}):
        assert "press Run" in browser.client.get(path, headers=headers).text.replace("Press", "press")
    assert browser.get(read).status_code == 400
    assert browser.client.get(path, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert browser.get(read).status_code == 200


def test_the_filters_of_lists_choose(browser, people):
    technique = people.running.content.detections[DETECTION].techniques[0]
    assert "No detection fits" in browser.get("/detections?words=nothing-of-the-kind").text
    assert "Process sending" in browser.get(f"/detections?words={technique}").text
    assert "No detection fits" in browser.get("/detections?state=disabled").text
    assert "No risk events" in browser.get("/risk?words=nobody").text


def test_a_detection_is_switched_on_its_page(people, browser):
    for wanted in ("false", "true"):
        answer = browser.post(f"/detections/{NAME}/enabled", enabled=wanted)
        assert answer.headers["location"] == f"/detections/{NAME}"
        found = people.running.content.detections["Process sending far more than usual"]
        assert found.enabled is (wanted == "true")


def test_the_script_of_charts_is_made_here(people):
    client = people.client()
    script = client.get("/static/charts.js?v=1")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert len(script.content) > 100_000


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("prod/shop/cart", "prod/<wbr>shop/<wbr>cart"),
        ("prod/shop/", "prod/<wbr>shop/"),
        ("node:prod//n-1", "node:prod//<wbr>n-<wbr>1"),
        ("a/<b>\u202e", "a/<wbr>&lt;b&gt;\ufffd"),
    ],
)
def test_a_name_goes_on_in_the_next_line_between_its_words(name, told):
    assert str(breaking(name)) == told


def test_names_in_the_queue_break_between_their_words(browser):
    assert "prod/<wbr>pay/<wbr>api" in browser.client.get("/findings?state=all").text


def test_enter_in_the_comment_of_a_finding_decides_nothing(browser, finding):
    """A browser that is given Enter presses the first button of the form."""
    path = f"/findings/{finding}"
    for action in ("resolve", "reopen"):
        browser.post(path, action=action)
        form = browser.get(path).text.partition('class="panel actions"')[2]
        assert re.search(r'<button[^>]* value="(\w+)"', form)[1] == "comment"


def test_a_page_of_the_queue_behind_the_last_does_not_say_that_nothing_is_open(browser):
    text = browser.get("/findings?state=all&skip=100").text
    assert "Nothing is left on this page" in text
    assert "Nothing fits" not in text
    assert 'href="/findings?state=all"' in text


def test_whoever_decides_on_a_later_page_of_the_queue_stays_there(browser, monkeypatch):
    queue = findings.queue
    monkeypatch.setattr(findings, "queue", lambda here, **wanted: queue(here, **{**wanted, "skip": 0}))
    page = browser.get("/findings?state=all&skip=1").text
    back = re.search(r'name="back" value="([^"]*)"', page)
    assert back
    answer = browser.post("/findings", action="acknowledge", back=unescape(back[1]))
    assert answer.headers["location"] == "/findings?state=all&skip=1"


FORMS = [
    "/entity?entity=workload:prod/shop/cart",
    "/heatmap",
    "/map",
    "/search",
    "/detections",
    "/risk",
    "/audit",
]


@pytest.mark.parametrize("path", ["/findings?state=all", "/entities", *FORMS, f"/baselines/{NAME}"])
def test_filters_tell_what_is_shown_after_the_back_button_too(browser, path):
    """Browsers put what was chosen last into the forms of a page before, but not into these."""
    text = browser.get(path).text
    forms = re.findall(r'<form [^>]*(?:method="get"|action="/findings")[^>]*>', text)
    assert forms
    assert all('autocomplete="off"' in form for form in forms)


def test_a_technique_is_on_the_page_that_its_links_lead_to(browser):
    ids = Read(browser.get("/attack").text).ids
    led_to = set(re.findall(r'class="technique" href="/attack#([^"]+)"', browser.get("/detections").text))
    assert len(led_to) > 5
    assert led_to <= set(ids)


def test_a_comment_is_shown_whole(browser, finding):
    text = "seen " * 1990 + "at the end"
    assert browser.post(f"/findings/{finding}", action="comment", text=text).status_code == 303
    assert text in browser.get(f"/findings/{finding}").text


@pytest.mark.parametrize("step", [0, 1, 99, 100, 199, 200])
def test_the_slider_of_the_map_stays_where_it_was_put(people, browser, step):
    """It went back by a step each time that a filter was changed."""
    people.clock.now += 7  # no clock is on a whole step
    assert f'max="200" value="{step}"' in browser.get(f"/map?step={step}&over=7d").text


def test_a_kind_that_nothing_is_of_is_told_to_be_chosen(browser):
    assert (
        '<option value="node" selected>node (0)</option>' in browser.get("/entities?kind=node&words=x").text
    )


def test_a_token_has_a_name_that_can_be_seen(browser):
    refused = browser.post("/account/tokens", label="  ", role="viewer", days="1")
    assert refused.status_code == 422
    assert "label: has to have at least 1 character" in refused.text
    assert (
        "<strong>The token ours is made"
        in browser.post("/account/tokens", label=" ours ", role="viewer").text
    )


def test_a_form_that_is_refused_leads_back_to_its_page(browser):
    data = {"csrf": browser.csrf("/account"), "value": "abc"}
    path = "/detections/Data%20to%20a%20new%20destination"
    for sent_from, back in ((path, path), ("//evil.example/", None), ("/", None)):
        headers = {"Referer": f"http://testserver{sent_from}"}
        answer = browser.client.post(f"{path}/parameters/new_destination_bytes", data=data, headers=headers)
        assert answer.status_code == 400
        assert re.findall(r'<a href="([^"]*)">Back to where', answer.text) == ([back] if back else [])
        inert(answer.text)
