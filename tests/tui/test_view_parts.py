"""The rules behind the views: bars, texts, windows, rails, trees and keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pytest
from fake_source import FakeSource, demo_model, demo_source
from hypothesis import given
from hypothesis import strategies as st
from look import Golden, content_text
from rich.cells import cell_len
from scripted_run import HOSTILE, NOW
from textual.content import Content
from view_kit import ascii_only, draw_timeline, keyed

from nova_core.dag import DAG
from nova_core.runs.words import Shown
from nova_core.state.events import Event, EventKind
from nova_core.state.schema import TaskStatus
from nova_core.state.schema import Window as Limit
from nova_core.text import clean
from nova_core.watch.source import EngineState
from nova_tui import glyphs
from nova_tui.rows import Outline, Row
from nova_tui.views import cost, cuts, deps, detail, events, header, line, members, timeline, tree_row, why
from nova_tui.views import help as help_view
from nova_tui.views.members import Place
from nova_tui.views.timeline import Window


@pytest.fixture
def ascii_mode() -> Iterator[None]:
    """Only ASCII is drawn."""
    with ascii_only():
        yield


@given(st.text(), st.integers(1, 60))
def test_fit_fills_its_cells_exactly(text: str, width: int) -> None:
    """Any text comes out safe and as wide as asked."""
    fitted = line.fit(text, width)
    assert cell_len(fitted) == width
    assert clean(fitted) == fitted
    assert "\t" not in fitted


@pytest.mark.parametrize("text", HOSTILE)
def test_wrapped_text_loses_no_word(text: str) -> None:
    """Wrapping keeps the text, with and without markup."""
    rows = line.wrapped(text, 20)
    assert "".join(r.plain for r in rows).replace(" ", "") == line.plain(text).replace(" ", "")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "────"), (0.01, "╸───"), (0.5, "━━──"), (0.99, "━━━╸"), (1, "━━━━"), (7, "━━━━"), (float("nan"), "────")],
)
def test_a_bar_shows_what_is_begun_and_is_full_only_at_the_end(share: float, text: str) -> None:
    """Half cells at the ends, and never more than all."""
    assert glyphs.bar(share, 4).plain == text


@pytest.mark.parametrize(
    ("values", "text"), [([], ""), ([0, 0], "  "), ([1, 2, 4, 8], "▁▂▄█"), ([9, 1, 1, 1, 1], "████"), ([5], "█")]
)
def test_a_sparkline_shows_the_last_values(values: list[int], text: str) -> None:
    """As levels of the largest value shown; a pause is a blank."""
    assert glyphs.sparkline(values, 4) == text


def test_no_status_has_the_mark_of_a_branch(ascii_mode: None) -> None:
    """Neither of an open nor of a closed one."""
    assert not {glyphs.chars().open, glyphs.chars().closed} & {glyphs.glyph(shown) for shown in Shown}


@pytest.mark.parametrize(
    ("patch", "shown"), [({"missing": ["in.txt"]}, Shown.BLOCKED), ({"waits_for": "claude"}, Shown.RETRYING)]
)
def test_a_held_task_has_the_mark_of_its_word(patch: dict[str, object], shown: Shown) -> None:
    """What waits for a missing file is blocked; what waits for its provider will run by itself."""
    event = Event(1, "", EventKind.TASK_HELD, "A", "", patch)
    assert events.mark(event)[0] == glyphs.glyph(shown)


def test_every_status_has_a_mark_of_its_own_in_both_modes(ascii_mode: None) -> None:
    """No two statuses differ in colour alone."""
    assert len({glyphs.glyph(s) for s in Shown}) == len(Shown)
    glyphs.use_ascii(False)
    assert len({glyphs.glyph(s) for s in Shown}) == len(Shown)


@pytest.mark.parametrize(
    ("task", "said", "step"),
    [
        ("P4", "failed: exit code 1", "r to retry it"),
        ("E3", "it blocks E4", "r to retry it"),
        ("E4", "blocked by E3", "go to E3 and press r"),
        ("W4", "cancelled by a person", "press r"),
        ("D2", "needs approval", "a to approve"),
        ("D3", "retrying in 40s", "r to retry it now"),
        ("W2", "ready: starts as soon", ""),
        ("W3", "waiting after W1", ""),
        ("E2", "running: tests of the pool", "L to follow"),
        ("E5", "checking", "L to follow"),
        ("P3", "skipped: counts as done", "press r"),
        ("P1", "done in 3m 00s", "press r"),
    ],
)
def test_why_says_what_is_the_case_and_what_to_press(task: str, said: str, step: str) -> None:
    """One reason and one next step for every kind of task."""
    reasons, steps = why.why(demo_model(), task)
    assert said in " ".join(reasons)
    assert step in " ".join(steps)


def test_what_an_agent_asks_is_shown_with_its_keys() -> None:
    """The command stands in the row of the task and in its reasons, without what a terminal would act on."""
    source = demo_source()
    model = demo_model(source)
    source.change("E2", asks="run: make \x1b[31mall")
    model.apply(source.poll(), model.now)
    assert model.shown("E2") is Shown.APPROVAL
    assert tree_row.needs(model.task("E2")) == "needs approval: run: make all"
    assert why.why(model, "E2") == (["needs approval: run: make all"], ["press a to allow it, R to deny it"])


def test_a_task_older_than_what_it_needs_says_so() -> None:
    """A dependency that ran again later makes the result doubtful."""
    source = demo_source()
    model = demo_model(source)
    needed = next(i for i in model.cascade.dag.ids if model.cascade.tasks[i].depends_on and model.task(i).completed_at)
    first = model.cascade.tasks[needed].depends_on[0]
    assert "stale" not in " ".join(why.why(model, needed)[0])
    source.change(first, completed_at="2999-01-01T00:00:00.000+00:00")
    model.apply(source.poll(), model.now)
    assert why.why(model, needed)[0][-1] == f"its result may be stale: {first} ran again later"


def test_a_task_that_fails_again_the_same_way_points_at_its_input() -> None:
    """What it needs may be wrong; a different failure does not show that."""
    source = demo_source()
    model = demo_model(source)
    task = model.task("P4")
    last = source.attempts("P4")[-1]
    source.rows[:] = [msgspec.structs.replace(last, attempt=task.attempt - 1, reason=task.reason, error=task.error)]
    said, _ = why.why(demo_model(rerun(source)), "P4")
    assert said[0].startswith("failed again the same way: ")
    assert said[1] == "if its input was wrong, retry P2"
    source.rows[:] = [msgspec.structs.replace(last, attempt=task.attempt - 1, error="exit code 9")]
    said, _ = why.why(demo_model(rerun(source)), "P4")
    assert said[0].startswith("failed: ")


def rerun(source: FakeSource) -> FakeSource:
    """The scripted run once more, with the history of `source`."""
    again = demo_source()
    again.rows = source.rows
    return again


def test_why_offers_no_keys_without_control() -> None:
    """A view without control says how to get it."""
    _, steps = why.why(demo_model(demo_source(read_only=True)), "P4")
    assert steps == ["view only: C takes control"]


def test_why_knows_of_pauses_missing_engines_and_full_houses() -> None:
    """A ready task says what prevents its start."""
    source = demo_source()
    model = demo_model(source)
    source.jobs = 2
    assert "free worker (3 of 2 are busy)" in why.reason(model, "W2")
    source.run = type(source.run)(id="r1", paused=True)
    assert "paused" in why.reason(model, "W2")
    source.turn(EngineState.GONE)
    assert "no engine running" in why.reason(model, "W2")


def test_an_output_or_criterion_has_the_verdict_that_is_known() -> None:
    """Missing and failed ones are listed, verified ones are met, all others are open."""
    model = demo_model()
    missing = content_text(detail.lines(model, "A2", 100))
    failed = content_text(detail.lines(model, "A4", 100))
    done = content_text(detail.lines(model, "P1", 100))
    assert "✗ MISSING  docs/sessions.md" in missing
    assert "· open     web/sessions.py" in missing
    assert "✗ NOT MET  A burst is refused" in failed
    assert "✓ holds    The limit can be set" in failed
    assert "✓ holds    src/reader.py" in done


def test_attempts_of_another_run_are_not_shown() -> None:
    """The history holds older runs of the same plan."""
    model = demo_model()
    rows = [msgspec.structs.replace(a, run="old") for a in model.source.attempts("P4")]
    assert "22:23:21" not in content_text(detail.lines(model, "P4", 100, rows))


@pytest.mark.parametrize(
    ("window", "zoomed", "moved"),
    [
        (Window(), Window(500.0), Window()),
        (Window(100.0), Window(50.0), Window(100.0, 25.0)),
        (Window(12.0, 3.0), Window(10.0, 3.0), Window(12.0, 6.0)),
    ],
)
def test_the_window_of_the_timeline_zooms_and_moves(window: Window, zoomed: Window, moved: Window) -> None:
    """Within the run, and not closer than ten seconds."""
    assert window.zoomed(0.5, 1000.0) == zoomed
    assert window.moved(-0.25, 1000.0) == moved
    assert moved.zoomed(100.0, 1000.0) == Window()
    assert Window(100.0).moved(0.25, 1000.0) == Window(100.0)


def test_a_closer_look_at_the_timeline_cuts_bars_at_its_ends(golden: Golden) -> None:
    """Five minutes that ended ten minutes ago."""
    model = demo_model()
    window = Window(300.0, 600.0)
    head, _, lines = timeline.lines(model, 100, model.source.attempts, window=window)
    golden("view_timeline_window", content_text([timeline.title(model, 100, window), head, *lines]))


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=25))
def test_rails_show_every_edge_of_every_graph(edges: list[list[int]]) -> None:
    """One row per task, below all its dependencies; a node joins as many lanes as it has dependencies."""
    dag = DAG({f"T{i}": [f"T{d}" for d in sorted({d for d in ds if d < i})] for i, ds in enumerate(edges)})
    rows = deps.rail_rows(dag, 10**6)
    assert rows is not None
    place = {row.task_id: n for n, row in enumerate(rows)}
    assert sorted(place) == sorted(dag.ids)  # type: ignore[type-var]
    for task_id, number in place.items():
        needs = [dag.ids[d] for d in dag.dependencies[dag.index[task_id or ""]]]
        assert all(place[d] < number for d in needs)
        joints = sum(c in "┴╯╰┼┤├" for c in rows[number].rails)
        assert len(needs) - joints in (0, 1)  # a node may be in the lane of its dependency


def test_the_graph_falls_back_to_waves() -> None:
    """Thirteen lanes are too many to follow by eye."""
    wide = DAG({**{f"R{i}": [] for i in range(13)}, "J": [f"R{i}" for i in range(13)]})
    narrow = DAG({**{f"R{i}": [] for i in range(12)}, "J": [f"R{i}" for i in range(12)]})
    assert deps.rows(wide)[0].task_id is None
    assert all(r.rails for r in deps.rows(narrow))


def test_a_tree_ends_where_it_was_shown_before_and_where_it_is_too_long() -> None:
    """Ten thousand tasks in a chain do not break it, and a diamond is not unfolded twice."""
    model = demo_model()
    assert content_text(deps.tree(model, "P1", 80)).count("D4 Release notes") == 2
    assert "and more" in content_text(deps.tree(model, "P1", 80, most=3))


def test_help_puts_keys_of_one_action_together_and_fits_its_height() -> None:
    """Keys have their usual names, bindings without a description are left out."""
    found = help_view.groups([(b, True) for b in keyed()])
    assert [g.title for g in found] == ["Move", "Views", "The task", "The run", "The program"]
    assert found[0].entries[0].keys == ("j", "↓")
    assert "Palette" in content_text(help_view.lines(found, 80, 8))
    assert len(help_view.lines(found, 120, 8)) <= 8


@pytest.mark.parametrize("width", [60, 80, 120])
def test_help_cuts_no_text(width: int) -> None:
    """It scrolls instead; keys that do not work now say when they do."""
    found = help_view.groups([(b, b.key != "x") for b in keyed()])
    text = content_text(help_view.lines(found, width, 3))
    assert "Cancel: for a running task" in text
    assert "Retry: run it again" in text
    assert glyphs.chars().ellipsis not in text


def test_the_footer_names_whole_keys_only() -> None:
    """What does not fit is left out, hidden keys never appear."""
    assert [part.said.plain for part in help_view.footer(keyed(), 30)] == [" ⏎ open ", " t timeline ", " $ cost "]
    assert " down " not in "".join(part.said.plain for part in help_view.footer(keyed(), 200))


def test_an_unpriced_model_is_never_free() -> None:
    """Its cost is a question mark, and sums say that they are incomplete."""
    model = demo_model()
    local = next(s for s in cost.by_model(model) if s.name == "local-coder")
    assert (cost.amount(local), local.unpriced) == ("?", 1)
    web = next(s for s in cost.by_branch(model) if s.name == "web")
    assert cost.amount(web).endswith("+?")


def test_the_only_priced_model_has_the_whole_cost() -> None:
    """Sums by model use the method of the total, so that nothing is lost to rounding."""
    model = demo_model()
    priced = [s.cost for s in cost.by_model(model) if s.cost is not None]
    assert priced == [model.rollups.project.cost_usd]


def test_lines_are_drawn_only_when_looked_at() -> None:
    """A list of a million lines costs what is on the screen."""
    drawn: list[int] = []

    def draw(number: int) -> Content:
        drawn.append(number)
        return Content(str(number))

    lazy = line.Lazy(1_000_000, draw)
    assert [c.plain for c in lazy[500:503]] == ["500", "501", "502"]
    assert lazy[-1].plain == "999999"
    assert drawn == [500, 501, 502, 999_999]
    with pytest.raises(IndexError):
        lazy[1_000_000]


def test_now_is_what_the_model_says() -> None:
    """Views have no clock of their own."""
    model = demo_model()
    before = content_text(draw_timeline(model, 80))
    model.now = NOW + 300
    assert content_text(draw_timeline(model, 80)) != before


@pytest.mark.parametrize(
    ("task", "keys"),
    [("P4", "r retry · s skip it"), ("E4", "go to E3: r retry · s skip it"), ("E2", "L log · x cancel"), ("W3", "")],
)
def test_the_hint_of_a_task_is_its_keys(task: str, keys: str) -> None:
    """Short enough for a line that also shows the reason; a view without control says how to act."""
    assert why.hint(demo_model(), task) == keys
    looking = why.hint(demo_model(demo_source(read_only=True)), task)
    assert looking == ("view only: C takes control" if keys else "")


@pytest.mark.parametrize("width", [60, 59, 50, 48])
def test_a_narrow_row_keeps_the_reason_and_drops_the_bar(width: int) -> None:
    """An empty bar says nothing of a failed task."""
    model, columns = demo_model(), tree_row.Columns(width)
    row = Row(Place("core", "parser", "P4"), 3)
    text = "".join(piece for piece, _ in tree_row.draw(model, row, columns))
    assert cell_len(text) == width
    assert "exit" in text
    assert glyphs.chars().rest not in text


def test_a_group_whose_rest_is_blocked_is_blocked() -> None:
    """Unlike one in which something can still start."""
    source = demo_source()
    for task in ("W1", "W3"):
        source.change(task, status=TaskStatus.PENDING, blocked_by=("A2",))
    for task in ("W2", "W4"):
        source.change(task, status=TaskStatus.COMPLETED, reason=None)
    model = demo_model(source)
    assert members.shown(members.rollup(model, Place("web", "pages"))) is Shown.BLOCKED
    source.change("W3", blocked_by=())
    model.apply(source.poll(), NOW)
    assert members.shown(members.rollup(model, Place("web", "pages"))) is Shown.WAITING


def test_the_header_of_a_paused_run_says_how_to_continue() -> None:
    """Unless the view has no control."""
    source = demo_source()
    model = demo_model(source)
    source.run = msgspec.structs.replace(source.run, paused=True)
    assert " PAUSED  p resumes " in header.header(model, 100).plain
    source.read_only = True
    assert "p resumes" not in header.header(model, 100).plain


@pytest.mark.parametrize(("width", "shown"), [(180, "about 5m left"), (120, "about 5m left"), (80, "~5m left")])
def test_the_estimate_is_marked_as_one(width: int, shown: str) -> None:
    """In words where there is room."""
    assert shown in header.header(demo_model(), width, 290.0).plain


def test_the_header_shows_a_limit_that_is_nearly_used_up() -> None:
    """The fullest window of all providers, from four fifths on."""
    source = demo_source()
    model = demo_model(source)
    used = {"north/one": {"five_hour": Limit(0.85)}, "south": {"seven_day": Limit(0.82), "five_hour": Limit()}}
    source.run = msgspec.structs.replace(source.run, windows=used)
    assert " north/one 5-hour limit 85% used" in header.header(model, 120).plain
    source.run = msgspec.structs.replace(source.run, windows={"north": {"five_hour": Limit(0.5)}})
    assert "limit" not in header.header(model, 120).plain


@pytest.mark.parametrize("width", [120, 100, 80, 60, 40])
def test_every_figure_of_the_header_has_its_word(width: int) -> None:
    """At every size; done of all is always there, and what needs a person comes first."""
    first, second = header.header(demo_model(), width, 290.0).plain.split("\n")
    assert first.startswith(" Orbit")
    assert "6/21 done" in first
    assert second.startswith(" needs you 1  ")
    assert re.fullmatch(r"( [a-z ]*[a-z] \d+ ?)+( +tab [a-z0-9 -]+)?", second), second
    assert max(len(first), len(second)) <= width


def test_a_click_on_a_figure_finds_its_state() -> None:
    """On its word and on its number, and nowhere else."""
    text = header.counts(demo_model(), 120).plain + " "
    assert header.state_at(text, text.index("failed")) is Shown.FAILED
    assert header.state_at(text, text.index("failed 4") + 7) is Shown.FAILED
    assert header.state_at(text, text.index("failed 4") + 9) is None
    assert header.state_at(text, text.index("needs you")) is Shown.APPROVAL


@pytest.mark.parametrize(("width", "wide"), [(140, True), (80, True), *((w, False) for w in (139, 80, 60, 40, 20))])
def test_a_row_fills_its_width_exactly(width: int, wide: bool) -> None:
    """Every row of the plan, with its name first; names of 40 cells are whole where there is room for them."""
    model = demo_model()
    columns = tree_row.Columns(width, wide=wide, spent=True, priced=True)
    for row in Outline(model.cascade).visible(set()):
        text = "".join(piece for piece, _ in tree_row.draw(model, row, columns))
        assert cell_len(text) == width, (row, text)
        if row.place.task is not None and width >= 60:
            assert f"{row.place.task} {model.cascade.tasks[row.place.task].name}" in text


@pytest.mark.parametrize(
    ("task", "shown", "hidden"),
    [("P1", "3m 00s", "%"), ("W2", "ready", "─"), ("E2", "40%", "?"), ("A2", "docs/sessions.md", "─")],
)
def test_a_row_has_no_empty_figures(task: str, shown: str, hidden: str) -> None:
    """No bar at the start or at the end, and the reason whole."""
    model = demo_model()
    row = next(row for row in Outline(model.cascade).visible(set()) if row.place.task == task)
    text = "".join(piece for piece, _ in tree_row.draw(model, row, tree_row.Columns(80)))
    assert shown in text
    assert hidden not in text


def test_long_gaps_are_cut_out_of_the_timeline() -> None:
    """Three seconds of work, three minutes of pause, and two seconds of work share the space by the time worked."""
    assert cuts.gaps([(0.0, 3.0), (1.0, 2.0), (183.0, 185.0)], 0.0, 185.0) == ((3.0, 183.0),)
    assert cuts.gaps([(0.0, 100.0), (110.0, 200.0)], 0.0, 200.0) == ()
    assert cuts.gaps([], 0.0, 500.0) == ()
    drawn = timeline.Chart(12, 51, 0.0, 185.0, 185.0, 0.0, ((3.0, 183.0),))
    assert [drawn.half(at) // 2 for at in (0.0, 3.0, 183.0, 184.999)] == [0, 30, 31, 50]
    assert content_text([timeline.header(drawn, 80)]).split() == ["TASK", "0", "2s", "3m04", "TIME"]


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 1000)).map(sorted), min_size=1).map(sorted))
def test_time_never_runs_back_over_cuts(spans: list[list[float]]) -> None:
    """Whatever is cut, a later time is not drawn before an earlier one, and all are inside."""
    found = cuts.gaps([(a, b) for a, b in spans], 0.0, 1000.0)
    drawn = timeline.Chart(12, 40, 0.0, 1000.0, 1000.0, 0.0, found)
    halves = [drawn.half(float(at)) for at in range(0, 1001, 10)]
    assert halves == sorted(halves)
    assert halves[0] == 0
    assert 77 <= halves[-1] <= 82
