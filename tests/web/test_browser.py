"""The console in Debian's Chromium, on a phone and on a desk: what scripts add, and what axe says.

Skipped where there is no Chromium: everything else is tested without one. Screenshots are kept where
``SCREENSHOTS`` names a folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from console import HOSTILE, LEARNED, PASSWORD, People, chromium, teach
from helpers import more
from kubestray.api import findings
from kubestray.api.accounts import Role
from kubestray.api.asking import Asker
from kubestray.receive.http_server import HttpReceiver

if not chromium():
    pytest.skip("there is no Chromium here (apt install chromium)", allow_module_level=True)

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

SIZES = {"phone": (375, 812), "desk": (1440, 900)}
NAME = quote("Process sending far more than usual")
SEARCH = "| mstats avg(tcp.bytes) where index=* source.namespace.name=shop by source.workload.name span=5m"

PAGES = {
    "findings": "/findings?state=all",
    "finding": "",
    "incident": "",
    "suppress": "",
    "suppressions": "/suppressions",
    "risk": "/risk?earliest=-24h",
    "entities": "/entities",
    "entity": "/entity?entity=workload:prod/shop/cart",
    "heatmap": "/heatmap",
    "map": "/map",
    "search": "/search?" + urlencode({"text": SEARCH, "earliest": "-3h"}),
    "detections": "/detections",
    "detection": f"/detections/{NAME}",
    "backtest": f"/backtest/{NAME}",
    "stories": "/stories",
    "story": "/stories/Workloads%20that%20stray",
    "attack": "/attack",
    "baselines": "/baselines",
    "baseline": f"/baselines/{NAME}",
    "baseline-entity": f"/baselines/{NAME}/entity?{urlencode({'key': LEARNED}, doseq=True)}",
    "sources": "/sources",
    "account": "/account",
    "accounts": "/accounts",
    "audit": "/audit",
}


WIDE = ("findings", "finding", "heatmap", "map", "search")
"""Pages that are laid out in another way where there is room."""

on_phone = pytest.mark.parametrize("page", ["phone", more("desk")], indirect=True, scope="module")
"""For what has the same elements on either: on a desk with ``--all``."""


@pytest.fixture(scope="module")
def address(people: People) -> Iterator[str]:
    teach(people.running)
    server = HttpReceiver("127.0.0.1:0", people.app)
    port = server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that containers of CI do not give.
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser, address: str, people: People) -> Iterator[Page]:
    """A page of somebody who is logged in; what the browser complains about fails the test."""
    people.account("person-admin", Role.ADMIN)
    width, height = SIZES[request.param]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        timezone_id="Asia/Kolkata",
        locale="en-GB",
        base_url=address,
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto("/login")
    page.fill("[name=name]", "person-admin")
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.goto("/sources")
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda told: page.complaints.append(told.text) if told.type == "error" else None)
    page.size_name = request.param
    kinds = ("finding", "incident")
    first = {kind: findings.queue(people.running, kind=kind, states=()).rows[0].id for kind in kinds}
    page.places = {kind: f"/findings/{identity}" for kind, identity in first.items()}
    page.places["suppress"] = page.places["finding"] + "/suppress"
    yield page
    context.close()


def shoot(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        whole = page.size_name == "phone"
        page.screenshot(path=Path(folder) / f"{name}-{page.size_name}.png", full_page=whole)


def content(page: Page, name: str) -> None:
    page.complaints.clear()
    page.goto(PAGES[name] or page.places[name])
    for chart in page.locator("[data-chart] .drawing").all():
        chart.locator("svg").first.wait_for()


@pytest.mark.parametrize(
    ("page", "name"),
    [
        pytest.param(size, name) if size == "phone" or name in WIDE else more(size, name)
        for size in SIZES
        for name in PAGES
    ],
    indirect=["page"],
    scope="module",
)
def test_a_page_fits_and_serves_everybody(page, name):
    """No complaint of the browser, nothing wider than the screen, and axe finds nothing serious."""
    content(page, name)
    shoot(page, name)
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in serious] == []


OVERLAPPING = """name => {
  const parts = [...document.querySelectorAll(name)].map(one => one.getBoundingClientRect());
  return parts.some((a, i) => parts.slice(i + 1).some(b =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1));
}"""
CUT_OFF = """() => [...document.querySelectorAll('.drawing svg .role-legend text')].filter(text =>
  text.getBoundingClientRect().right > text.closest('svg').getBoundingClientRect().right + 1)
  .map(text => text.textContent)"""


def test_nothing_overlaps_or_is_cut_off(page):
    content(page, "map")
    page.evaluate("document.querySelector('#until time').textContent = 'Nov 29, 2026, 06:22:06 AM'")  # en-US
    assert not page.evaluate(OVERLAPPING, ".filters > button, .filters > output > time")
    content(page, "finding")
    assert page.evaluate(CUT_OFF) == []


TOO_WIDE = """() => [...document.querySelectorAll('main .panel > table')].filter(table =>
  table.getBoundingClientRect().right > table.parentElement.getBoundingClientRect().right)
  .map(table => table.className)"""


@pytest.mark.parametrize("page", ["desk"], indirect=True, scope="module")
def test_tables_stay_within_their_panels_on_small_screens(page):
    before = page.viewport_size
    for name in ("findings", "finding"):
        content(page, name)
        for width in (700, 1024, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(TOO_WIDE) == [], (name, width)
    page.set_viewport_size(before)


WORDS_CUT = """name => [...document.querySelectorAll(name)].flatMap(one => {
  const text = one.firstChild, range = document.createRange();
  return [...text.data.matchAll(/\\w+/g)].filter(word => {
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    return range.getClientRects().length > 1;
  }).map(word => word[0]);
})"""
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.mark.parametrize("page", ["desk"], indirect=True, scope="module")
def test_names_of_detections_are_not_cut_within_a_word(page):
    before = page.viewport_size
    for width in (700, 1024):
        page.set_viewport_size({"width": width, "height": 800})
        for name in ("entities", "detections"):
            page.goto(PAGES[name])
            assert page.evaluate(FITS), (name, width)
        assert page.evaluate(WORDS_CUT, "td[data-label=Detection] bdi") == []
    page.set_viewport_size(before)


@pytest.mark.parametrize("page", ["phone"], indirect=True, scope="module")
def test_labels_in_the_queue_stand_beside_what_they_name(page):
    page.goto("/findings?state=all")
    for name in ("Score", "Owner"):
        cell = page.locator(f"td[data-label={name}]").first
        margin = cell.evaluate("cell => getComputedStyle(cell, '::before').marginInlineStart")
        assert margin == "0px", name


@pytest.mark.parametrize("page", ["desk"], indirect=True, scope="module")
def test_what_is_chosen_far_above_can_be_decided_at_once(page):
    """The buttons are below all rows, of which there may be a hundred."""
    before = page.viewport_size
    page.set_viewport_size({"width": 1280, "height": 300})
    page.goto("/findings?state=all")
    button = page.locator("button[value=acknowledge]")
    inside = "button => button.getBoundingClientRect().bottom <= innerHeight"
    assert not button.evaluate(inside)
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert button.evaluate(inside)
    page.set_viewport_size(before)


@pytest.mark.parametrize("page", ["desk"], indirect=True, scope="module")
def test_a_chart_that_there_is_not_has_neither_a_key_nor_a_picture(page):
    """What was measured may have expired; the address of the picture would answer 404 as well."""
    gone = {"error": {"code": "not_found", "message": "no chart", "hint": "nothing is left"}}
    page.route("**/chart", lambda route: route.fulfill(status=404, json=gone))
    page.goto(page.places["finding"])
    page.locator(".drawing", has_text="nothing is left").wait_for()
    assert page.locator("[data-shows]:visible, a[href$='chart.png']:visible").count() == 0
    page.unroute("**/chart")


def test_the_queue_by_keyboard(page):
    page.goto("/findings?state=all")
    page.locator("tbody tr").first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert page.locator("input[name=chosen]:checked").count() == 1
    page.click("button[value=acknowledge]")
    page.locator("td .pill.acknowledged").first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/findings/[0-9a-f]+"))


def test_keys_go_on_from_a_box_that_was_clicked(page):
    page.goto("/findings?state=all")
    box = page.locator("input[name=chosen]").first
    box.click()
    page.keyboard.press("x")
    assert not box.is_checked()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.className") == "name"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "words"
    page.keyboard.type("jx/")
    assert page.input_value("[name=words]") == "jx/"


@on_phone
def test_the_queue_renews_itself_where_it_says_something_new(page, people):
    """What is chosen or read there stays: a list that was renewed for nothing would lose it."""
    tab = page.context.new_page()
    tab.clock.install()
    tab.goto("/findings?state=all")
    mark = "document.querySelector('[data-live] tbody').dataset.mark"
    tab.evaluate(f"{mark} = 'mine'")
    for _ in range(2):
        with tab.expect_response(lambda answer: "part=true" in answer.url):
            tab.clock.run_for(5_000)
    assert tab.evaluate(mark) == "mine"
    identity = page.places["incident"].rpartition("/")[2]
    asker = Asker(f"colleague-{page.size_name}", Role.ANALYST)
    findings.decide(people.running, asker, [identity], findings.Decide(action="assign"))
    tab.clock.run_for(5_000)
    tab.locator(f"text=colleague-{page.size_name}").first.wait_for()
    assert tab.evaluate(mark) is None
    assert "has changed" in tab.locator("#said").text_content()
    login = {"Location": "/login"}
    tab.route("**/*part=true*", lambda route: route.fulfill(status=303, headers=login))
    tab.clock.run_for(5_000)
    tab.locator("[data-live].ended").wait_for(state="attached")
    tab.close()


@on_phone
def test_a_list_that_is_in_use_tells_that_there_is_something_new(page, people):
    """Whoever went to a row with a key, then looked elsewhere, was never told of a new finding."""
    tab = page.context.new_page()
    tab.clock.install()
    tab.goto("/findings?state=all")
    tab.keyboard.press("j")
    mark = "document.querySelector('[data-live] tbody').dataset.mark"
    tab.evaluate(f"{mark} = 'mine'")
    with tab.expect_response(lambda answer: "part=true" in answer.url):
        tab.clock.run_for(5_000)
    assert tab.locator(".behind").count() == 0
    asker = Asker(f"other-{page.size_name}", Role.ANALYST)
    identity = page.places["incident"].rpartition("/")[2]
    findings.decide(people.running, asker, [identity], findings.Decide(action="assign"))
    tab.clock.run_for(5_000)
    tab.locator(".behind").wait_for(state="attached")
    assert tab.evaluate(mark) == "mine"
    tab.keyboard.press("Escape")
    tab.clock.run_for(5_000)
    tab.locator(f"text=other-{page.size_name}").first.wait_for()
    assert tab.locator(".behind").count() == 0
    tab.close()


@on_phone
def test_a_list_says_when_the_server_has_taken_a_request_and_does_not_answer(page):
    tab = page.context.new_page()
    tab.clock.install()
    tab.goto("/findings?state=all")
    tab.route("**/*part=true*", lambda route: None)
    with tab.expect_request("**/*part=true*"):
        tab.clock.run_for(5_000)
    tab.clock.run_for(15_000)
    assert tab.locator("[data-live].stale").count() == 0
    tab.clock.run_for(6_000)
    tab.locator("[data-live].stale").wait_for(state="attached")
    tab.close()


@on_phone
def test_nothing_is_sent_where_nothing_is_chosen(page):
    page.goto("/findings?state=all")
    page.evaluate("document.body.dataset.mark = 'mine'")
    for action in ("acknowledge", "resolve"):
        page.click(f"button[value={action}]")
        page.locator("#said", has_text="Nothing is chosen").wait_for()
    assert page.locator("dialog").count() == 0
    assert page.evaluate("document.body.dataset.mark") == "mine"


@on_phone
def test_a_report_is_printed_with_everything_unfolded(page):
    content(page, "finding")
    folded = "document.querySelectorAll('main details:not([open])').length"
    before = page.evaluate(folded)
    assert before
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.folded = {folded} }})")
    assert page.pdf().startswith(b"%PDF")
    assert page.evaluate("window.folded") == 0
    assert page.evaluate(folded) == before


@on_phone
def test_a_report_says_when_and_not_how_long_ago(page):
    page.goto(page.places["finding"])
    told = page.locator("time[data-style=ago]").first
    there = told.text_content()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert re.fullmatch(r"\d+ \w+ \d{4}, \d\d:\d\d:\d\d", told.text_content())
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert told.text_content() == there


@pytest.mark.parametrize("page", ["desk"], indirect=True, scope="module")
def test_charts_are_printed_as_wide_as_the_paper(page):
    """They are drawn for the screen, and what is latest is at their right."""
    content(page, "finding")
    before = page.viewport_size
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 720, "height": 1000})
    for chart in page.locator("[data-chart]").all():
        assert chart.evaluate(
            "one => one.querySelector('svg').getBoundingClientRect().width <= one.clientWidth"
        )
    assert page.locator(".key").first.evaluate("key => getComputedStyle(key).printColorAdjust") == "exact"
    page.emulate_media(media="screen")
    page.set_viewport_size(before)


@on_phone
def test_times_are_told_in_the_zone_of_who_looks(page):
    page.goto("/risk?earliest=-24h")
    assert page.locator("td time").first.text_content().startswith("21 Sept 2026, 19:40")  # 14:10 UTC
    assert "Asia/Calcutta" in page.locator("td time").first.get_attribute("title")


@on_phone
def test_a_search_is_completed_and_run(page):
    page.goto("/search")
    page.fill("#text", "")
    page.type("#text", "| mst")
    page.locator("#completions li").first.wait_for()
    assert page.locator("#completions li .word").first.text_content() == "mstats"
    page.keyboard.press("Enter")
    page.type("#text", " avg(tcp.by")
    page.locator("#completions .word", has_text="tcp.bytes").first.wait_for()
    page.keyboard.press("Tab")
    assert page.input_value("#text") == "| mstats avg(tcp.bytes"
    page.type("#text", ") where index=*")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Enter")
    page.locator("table.dense").wait_for()
    assert page.locator("table.dense td").count() == 1


@on_phone
def test_a_word_is_taken_while_the_next_answer_is_on_its_way(page):
    page.goto("/search")
    page.fill("#text", "")
    page.type("#text", "| mstats avg(tcp.")
    page.locator("#completions .word", has_text="tcp.bytes").first.wait_for()
    page.route("**/api/v1/search/complete*", lambda route: None)  # it never answers
    page.type("#text", "by")
    page.keyboard.press("Tab")
    assert page.input_value("#text") == "| mstats avg(tcp.bytes"
    page.unroute("**/api/v1/search/complete*")


@on_phone
def test_the_caret_goes_to_the_error(page):
    page.goto("/search?" + urlencode({"text": "| makeresults\n| evl a=1"}))
    assert page.evaluate("document.getElementById('text').selectionStart") == len("| makeresults\n| ")


@on_phone
def test_hostile_names_do_nothing(page):
    page.complaints.clear()
    for name in HOSTILE:
        page.goto("/entity?" + urlencode({"entity": f"workload:prod/bad/{name}"}))
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.goto("/map")
    page.goto("/search?" + urlencode({"text": "| mstats count(*) where index=* by source.workload.name"}))
    page.locator("table.dense").wait_for()
    assert page.locator("img[src=x]").count() == 0
    assert page.complaints == []


@on_phone
def test_the_theme_is_kept(page):
    page.goto("/detections")
    dark = "document.documentElement.dataset.theme"
    page.click("[data-theme-switch]")
    first = page.evaluate(dark)
    page.reload()
    assert page.evaluate(dark) == first == "dark"
    shoot(page, "detections-dark")
    page.click("[data-theme-switch]")
    assert page.evaluate(dark) == "light"


@on_phone
def test_what_a_field_is_for_can_be_read_in_the_dark(page):
    """What browsers choose for it stands out too little from a dark ground (3.6 to 1)."""
    page.emulate_media(color_scheme="dark")
    page.goto("/findings")
    colour = "getComputedStyle(document.querySelector('[placeholder]'), '::placeholder').color"
    assert page.evaluate(colour) == page.evaluate(
        "getComputedStyle(document.querySelector('main .muted')).color"
    )
    page.emulate_media(color_scheme=None)


def test_the_map_shows_the_edges_of_what_is_pointed_at(page):
    page.goto("/map")
    node = page.locator("a.node", has_text="cart").first
    node.focus()
    assert len(re.findall("M", page.locator(".edge-chosen").get_attribute("d"))) == 3
    page.locator('[data-zoom="1.35"]').click()
    page.locator('[data-zoom="0"]').click()


@pytest.mark.parametrize("page", ["phone"], indirect=True, scope="module")
def test_a_long_label_of_a_value_makes_room_for_itself(page):
    page.goto(page.places["finding"])
    heights = page.locator("table.stack td[data-label]:not(:first-child)").first.evaluate(
        """cell => [cell, (cell.dataset.label = "Alone quiet between two values", cell)].map(
            one => [one.offsetHeight, parseFloat(getComputedStyle(one, "::before").height)])"""
    )
    assert all(cell >= label > 20 for cell, label in heights)


@on_phone
def test_a_question_is_asked_before_a_token_ends(page):
    page.goto("/account")
    page.fill("[name=label]", f"browser-{page.size_name}")
    page.click("text=Make a token")
    assert page.locator("code.secret").text_content().startswith("kst_")
    row = page.locator("tr", has_text=f"browser-{page.size_name}")
    row.locator("button").click()
    page.locator("dialog button", has_text="Cancel").click()
    assert row.count() == 1
    row.locator("button").click()
    page.locator("dialog button", has_text="Yes").click()
    row.wait_for(state="detached")


@on_phone
def test_a_baseline_is_locked_and_a_reset_asks_first(page):
    page.goto(PAGES["baseline-entity"])
    page.fill("[name=reason]", "a quiet week")
    page.click("button[value=lock]")
    page.locator(".pill", has_text="locked").wait_for()
    assert "a quiet week" in page.locator("main").text_content()
    page.click("button[value=unlock]")
    page.locator(".pill", has_text="locked").wait_for(state="detached")
    page.click("button[value=reset]")
    page.locator("dialog button", has_text="Cancel").click()
    assert page.locator("figure.chart").count() == 2


@on_phone
def test_a_backtest_is_watched(page):
    page.goto(f"/backtest/{NAME}?earliest=-30m&every=3")
    page.locator("[data-done]").wait_for()
    assert "runs" in page.locator("[data-done]").text_content()
    shoot(page, "backtest-done")
