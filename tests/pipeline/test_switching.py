"""Detections that were switched off, as another server of the store or the same one later finds them."""

from __future__ import annotations

import pytest

from kubestray.config import load_config
from kubestray.model.content import Content
from kubestray.model.errors import UsageError
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


@pytest.mark.parametrize("value", ["abc", "20MB", "1,000,000", "5 5", "1e", "nan", "-", "sent"])
def test_a_word_does_not_take_the_place_of_a_number(embedded, value):
    """It would be the name of a field, which no row has: the detection would find nothing any more."""
    mine = content()
    search, switches = mine.detections["Data to a new destination"], Switches(Documents(embedded), mine)
    with pytest.raises(
        UsageError,
        match=r"is no number for new_destination_bytes \(By\); write digits alone, such as 1000000",
    ):
        switches.set(load_config({}, {}, None), search, search.parameters[0], value)


@pytest.mark.parametrize("value", ["0.5", "-5", "2e6", "5 * 1000000"])
def test_a_parameter_takes_numbers(embedded, value):
    mine = content()
    search, switches = mine.detections["Data to a new destination"], Switches(Documents(embedded), mine)
    switches.set(load_config({}, {}, None), search, search.parameters[0], value)
    assert switches.value(search.parameters[0]) == value


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
