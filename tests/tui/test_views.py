"""The views as readable goldens; every width, ASCII, and texts with control sequences."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_source import demo_model, hostile_source
from look import Golden, content_text
from sampling import sampled
from view_kit import VIEWS, ascii_only

from nova_core.engine.observers.milestones import Milestone, Trigger, TriggerType
from nova_tui.views import summary


@pytest.fixture
def ascii_mode() -> Iterator[None]:
    """Only ASCII is drawn."""
    with ascii_only():
        yield


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("width", [120, 80])
def test_a_view_draws_what_its_golden_shows(name: str, width: int, golden: Golden) -> None:
    """The scripted run looks as reviewed."""
    golden(f"view_{name}_{width}", content_text(VIEWS[name](demo_model(), width)))


@pytest.mark.parametrize("name", ["timeline", "detail"])
def test_a_view_uses_the_styles_its_golden_shows(name: str, golden: Golden) -> None:
    """Failures, successes and secondary text differ in style as well."""
    shown = VIEWS[name](demo_model(), 80)[:24]
    golden(f"view_{name}_styles", content_text(shown, styles=True))


@pytest.mark.parametrize("name", VIEWS)
def test_ascii_mode_draws_ascii_only(name: str, golden: Golden, ascii_mode: None) -> None:
    """No line of the interface's own needs more than ASCII."""
    text = content_text(VIEWS[name](demo_model(), 80))
    assert text.isascii(), {c for c in text if not c.isascii()}
    golden(f"view_{name}_ascii", text)


@pytest.mark.parametrize(("name", "width"), sampled(VIEWS, [1, 5, 12, 20, 40, 59, 77, 110, 200]))
def test_no_line_is_wider_than_asked(name: str, width: int) -> None:
    """Whatever the width, nothing crashes; from 20 cells on no line is too wide."""
    for model in (demo_model(), demo_model(hostile_source())):
        widest = max(entry.cell_length for entry in VIEWS[name](model, width))
        assert widest <= max(width, 20)


@pytest.mark.parametrize("name", VIEWS)
def test_texts_that_try_to_act_are_shown_as_text(name: str) -> None:
    """No control character remains, and markup is neither interpreted nor lost."""
    lines = VIEWS[name](demo_model(hostile_source()), 160)
    for entry in lines:
        assert entry.plain.isprintable(), repr(entry.plain)
        styles = {str(span.style) for span in entry.spans}
        assert not any("@" in s or "click" in s or "link" in s for s in styles)
    if name in ("timeline", "deps", "waves", "events", "detail"):
        assert "x [/nope] z" in content_text(lines)
        assert "[@click=app.quit]press" in content_text(lines)


def test_the_summary_shows_the_milestones_to_come() -> None:
    """The nearest first, with what is missing; nothing of those that were reached, and no heading without any."""
    model = demo_model()
    reached = model.source.run.milestones
    plan = [
        Milestone(name, Trigger(TriggerType.PERCENTAGE_COMPLETE, threshold=share), name)
        for name, share in (("far", 100.0), ("near", 50.0), *((name, 1.0) for name in reached))
    ]
    said = [row.plain for row in summary.lines(model, 100, plan)]
    at = next(n for n, text in enumerate(said) if "Milestones to come (2)" in text)
    assert [text.split()[1] for text in said[at + 1 : at + 3]] == ["near", "far"]
    assert "of 50%" in said[at + 1]
    assert not any("Milestones" in row.plain for row in summary.lines(model, 100))
