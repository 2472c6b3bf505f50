"""`docs/states.md` shows the machine as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from retention.lifecycle.diagram import draw
from retention.lifecycle.states import TRANSITIONS

DOCS = Path(__file__).parents[4] / "docs" / "states.md"


def test_the_page_is_current() -> None:
    assert DOCS.read_text(encoding="utf-8") == draw(), "run: python -m retention.lifecycle.diagram > docs/states.md"


def test_the_page_can_be_drawn_anew_as_it_says() -> None:
    drawn = subprocess.run(
        [sys.executable, "-m", "retention.lifecycle.diagram"], check=True, capture_output=True, encoding="utf-8"
    )
    assert drawn.stdout == draw()


def test_every_transition_is_an_arrow() -> None:
    for (state, event), leads_to in TRANSITIONS.items():
        assert f"    {state.name} --> {leads_to.name}: {event}\n" in draw()
