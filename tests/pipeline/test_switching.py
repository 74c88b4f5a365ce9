"""Detections that were switched off, as another server of the store or the same one later finds them."""

from __future__ import annotations

from kubestray.config import load_config
from kubestray.model.content import Content
from kubestray.pipeline import switching
from kubestray.pipeline.setting_up import content_of
from kubestray.pipeline.switching import Switches
from kubestray.store.documents import Documents

NAME = "Process sending far more than usual"


def content() -> Content:
    return content_of(load_config({}, {}, None))


def test_a_switched_off_detection_stays_off(embedded):
    Switches(Documents(embedded), content()).switch(NAME, enabled=False)
    later = content()
    assert later.detections[NAME].enabled
    switches = Switches(Documents(embedded), later)
    switches.apply()
    assert not later.detections[NAME].enabled
    switches.switch(NAME, enabled=True)
    assert later.detections[NAME].enabled


def test_what_is_switched_elsewhere_is_taken_over_when_it_is_looked_for(embedded, monkeypatch):
    monkeypatch.setattr(switching, "_LOOK_EVERY", 0.0)
    mine = content()
    switches = Switches(Documents(embedded), mine)
    switches.apply()
    for enabled in (False, True, False):
        switches.refresh()
        Switches(Documents(embedded), content()).switch(NAME, enabled=enabled)
        switches.refresh()
        assert mine.detections[NAME].enabled == enabled
