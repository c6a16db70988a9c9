"""Folders of task files: what is read, how it is interpreted, and what is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from protocol_kit import UNWRITTEN, task_file, weather_station

from nova_core.errors import InputError
from nova_core.importers.formats import find_format, read_plan
from nova_core.model import NoteKind, PlanOptions
from nova_core.parser import Cascade


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan_of() -> Cascade:
    """The plan in `tasks`."""
    return read_plan("tasks", PlanOptions())


def notes(cascade: Cascade, kind: NoteKind) -> list[str]:
    """The notes of one kind."""
    return [note.text for note in cascade.notes if note.kind is kind]


def test_a_folder_with_all_faults_is_read(here: Path) -> None:
    """Twenty-six tasks in five phases; files that are not tasks are listed."""
    weather_station(here)
    cascade = plan_of()
    sizes = {branch: sum(map(len, groups.values())) for branch, groups in cascade.branches.items()}
    assert sizes == {"01-survey": 6, "02-design": 4, "03-build": 11, "04-check": 3, "05-tune": 2}
    assert cascade.format == "protocol"
    assert cascade.name == here.name
    dropped = [Path(n.path).name for n in cascade.notes if n.kind is NoteKind.DROPPED]
    assert sorted(dropped) == ["00-TASK-GRAPH.md", "PROTOCOL.md", "README.md", "TEMPLATE-build.md", "notes.md"]


def test_what_is_not_yaml_is_read_and_reported(here: Path) -> None:
    """A remark behind a quoted path is not part of it; the note gives file and line."""
    weather_station(here)
    cascade = plan_of()
    assert cascade.tasks["03-build/02-part-2"].outputs[0] == "src/part_1.c"
    told = {n.path for n in cascade.notes if "not valid YAML" in n.text}
    assert len(told) == 11
    note = next(n for n in cascade.notes if n.path.endswith("02-part-2.md"))
    assert (note.kind, note.line, "modified" in note.text) == (NoteKind.GUESSED, 11, True)


def test_fields_of_a_task(here: Path) -> None:
    """An estimate is the middle of its range, the body is the prompt, a criterion in prose runs nothing."""
    weather_station(here)
    task = plan_of().tasks["01-survey/01-measure"]
    assert (task.name, task.duration, task.workspace) == (
        "Do 01-survey/01-measure", 3 * 3600, "workspace/outputs/01-survey/01-measure",
    )  # fmt: skip
    assert task.details.startswith("# Task: 01-survey/01-measure")
    assert [(c.text, c.command) for c in task.criteria] == [
        ("all of it is written down", None), ("`abstract new` stations parse", None),
    ]  # fmt: skip


def test_a_criterion_with_a_program_is_run(here: Path) -> None:
    """A criterion that can be run counts as evidence, as in any plan."""
    task_file(here, "a", body="- [ ] `test -d tasks` passes\n- [ ] `./check.sh` passes\n")
    assert [c.command for c in plan_of().tasks["a"].criteria] == ["test -d tasks", "./check.sh"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("../01-x/a.json", "workspace/outputs/01-p/01-x/a.json|a.json"),
        ("../../01-p/01-x/a.json", "workspace/outputs/01-p/01-x/a.json|a.json"),
        ("../01-p/01-x/a.json", "workspace/outputs/01-p/01-x/a.json|a.json"),
        ("01-p/01-x/a.json", "workspace/outputs/01-p/01-x/a.json|a.json"),
        ("workspace/outputs/01-p/01-x/a.json", "workspace/outputs/01-p/01-x/a.json|a.json"),
        ("a.json", "workspace/outputs/01-p/01-x/a.json|a.json"),
        ("../01-x/samples/one.txt", "workspace/outputs/01-p/01-x/samples/one.txt"),
        ("src/there.c", "src/there.c"),
        ("src/*.c", "src/*.c"),
        ("../01-x/*.json", "workspace/outputs/01-p/01-x/*.json"),
        ("../01-x/reports/one.md", "workspace/outputs/01-p/01-x/reports/one.md"),
    ],
)
def test_inputs_are_found_from_every_root(here: Path, written: str, found: str) -> None:
    """Paths are relative to the task's own folder, its phase, the outputs, the project, or the task before."""
    (here / "src").mkdir()
    (here / "src" / "there.c").write_text("x")
    task_file(here, "01-p/01-x", outputs=["a.json", "samples/", "reports/*.md"])
    task_file(here, "01-p/02-y", needs=["01-p/01-x"], inputs=[written])
    cascade = plan_of()
    assert cascade.tasks["01-p/02-y"].inputs == (found,)
    assert cascade.warnings == ()


def test_an_input_that_no_task_writes_is_reported(here: Path) -> None:
    """With its line, and with what the named task writes instead."""
    weather_station(here)
    cascade = plan_of()
    told = [(w.path, w.line, w.message) for w in cascade.warnings]
    text = (
        "02-design/01-rank reads ../01-survey/05-usage/usage-frequency.json, which does not exist, and no task writes "
        "it (01-survey/05-usage writes feature-frequency-analysis.json)"
    )
    assert told == [("tasks/02-design/01-rank.md", 11, text)]
    assert cascade.tasks["02-design/01-rank"].inputs[1] == UNWRITTEN


def test_a_suggestion_never_names_the_task_itself(here: Path) -> None:
    """Even if nothing else is similar; an input of the project stays one."""
    task_file(here, "01-p/01-x", inputs=["src/lex/mod.rs"], outputs=["mod.rs"])
    cascade = plan_of()
    assert cascade.tasks["01-p/01-x"].inputs == ("src/lex/mod.rs",)
    assert notes(cascade, NoteKind.UNRESOLVED) == [
        "01-p/01-x reads src/lex/mod.rs, which does not exist, and no task writes it"
    ]


def test_a_hidden_dependency_is_reported(here: Path) -> None:
    """The task waits for the file; a note says that it does not depend on the task that writes it."""
    weather_station(here)
    cascade = plan_of()
    hidden = [text for text in notes(cascade, NoteKind.GUESSED) if "without depending on it" in text]
    assert {text.partition(" reads ")[0] for text in hidden} == {"04-check/03-speed", "05-tune/01-pools"}
    assert "04-check/03-speed" not in cascade.tasks["05-tune/01-pools"].depends_on


def test_dependencies_are_found_by_their_last_name(here: Path) -> None:
    """If the name is unique; a missing dependency is reported as missing."""
    task_file(here, "01-p/01-x")
    task_file(here, "02-q/01-y", needs=["01-x", "tasks/01-p/01-x.md", "99-gone"])
    cascade = plan_of()
    assert cascade.tasks["02-q/01-y"].depends_on == ("01-p/01-x",)
    assert cascade.tasks["02-q/01-y"].missing == ("99-gone",)
    assert len(cascade.warnings) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('task_id: a\ntask_id: b\n', "task_id"),
        ("task_id: a\ntimeout: soon\n", "soon"),
        ('task_id: a\noutputs: ["../../etc/passwd"]\n', "outside the project"),
        ("task_id: a\noutputs: " + "[" * 3000 + "\n", ""),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_rejected_with_its_place(here: Path, text: str, said: str) -> None:
    """All errors of all files at once, including a YAML bomb."""
    for name in ("a", "b"):
        path = task_file(here, name)
        path.write_text(f"---\n{text}---\nDo it.\n")
    with pytest.raises(InputError) as raised:
        plan_of()
    problems = raised.value.problems
    assert {p.path for p in problems} == {"tasks/a.md", "tasks/b.md"}
    assert all(p.line for p in problems)
    assert said in problems[0].message + problems[0].hint


def test_links_to_folders_are_not_followed(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither outside the project nor in a cycle."""
    outside = tmp_path_factory.mktemp("outside")
    task_file(outside, "stranger")
    task_file(here, "01-p/01-x")
    (here / "tasks" / "out").symlink_to(outside / "tasks")
    (here / "tasks" / "ring").symlink_to(here / "tasks")
    assert list(plan_of().tasks) == ["01-p/01-x"]


def test_a_folder_of_other_markdown_is_not_a_plan(here: Path) -> None:
    """Front matter alone does not make a task."""
    (here / "tasks").mkdir()
    (here / "tasks" / "post.md").write_text("---\nlayout: post\ntags: [a]\n---\n# Hello\n")
    with pytest.raises(InputError, match="no plan"):
        find_format("tasks", "")


def write(**files: str) -> Cascade:
    """The plan of files with this front matter; `_` in a name stands for a dash."""
    Path("tasks").mkdir()
    for name, front in files.items():
        Path("tasks", f"{name.removeprefix('n').replace('_', '-')}.md").write_text(f"---\n{front}\n---\n\nDo it.\n")
    return plan_of()


@pytest.mark.parametrize(
    ("word", "settled", "dropped"),
    [
        ("closed", "closed", False),
        ("completed", "completed", False),
        ("cancelled", "cancelled", True),
        ("open", "", False),
    ],
)
def test_status(here: Path, word: str, settled: str, dropped: bool) -> None:
    """Done work is not repeated, and its missing dependencies and inputs do not matter."""
    front = f"name: A\nstatus: {word}\ndepends_on: [9]\ninputs: [gone.txt]"
    cascade = write(n1=front, n2="name: B\nstatus: open\ndepends_on: [1]")
    assert (cascade.tasks["1"].settled, cascade.tasks["1"].dropped) == (settled, dropped)
    assert (not cascade.tasks["1"].missing) is bool(settled)
    assert bool(notes(cascade, NoteKind.UNRESOLVED)) is not bool(settled)
    assert cascade.tasks["2"].depends_on == ("1",)


def test_an_unknown_status_is_open(here: Path) -> None:
    """The task runs, because repeated work is better than skipped work, and a note says so."""
    cascade = write(n1="name: A\nstatus: PASS")
    assert not cascade.tasks["1"].settled
    assert notes(cascade, NoteKind.GUESSED) == ["1 is 'PASS': it will run"]


@pytest.mark.parametrize(("word", "needs"), [("001", "001-make"), ("TASK-1", "001-make"), ("001-make", "001-make")])
def test_other_names_of_a_task(here: Path, word: str, needs: str) -> None:
    """A number before the name, or the name in the file itself, is accepted, too."""
    cascade = write(n001_make="id: TASK-1\nname: Make", n002_sell=f"name: Sell\ndepends_on: [{word}]")
    assert cascade.tasks["002-sell"].depends_on == (needs,)
    assert not notes(cascade, NoteKind.UNRESOLVED)


def test_a_number_of_two_tasks_is_ambiguous(here: Path) -> None:
    """The intended task is ambiguous."""
    cascade = write(n1_a="name: A", n1_b="name: B", n2_c="name: C\ndepends_on: [1]")
    assert cascade.tasks["2-c"].missing == ("1",)


def test_a_number_means_a_task_beside(here: Path) -> None:
    """Numbers start again in each folder."""
    for phase in ("a", "b"):
        task_file(here, f"{phase}/01-make")
        task_file(here, f"{phase}/02-sell", needs=["01"])
    assert plan_of().tasks["b/02-sell"].depends_on == ("b/01-make",)


@pytest.mark.parametrize("word", ["none", "[none]", "None", "-", "N/A"])
def test_nothing(here: Path, word: str) -> None:
    """A word for nothing is neither a task nor a file."""
    cascade = write(n1=f'name: A\ndependencies: "{word}"\ninputs: "{word}"'.replace('"[none]"', "[none]"))
    assert (cascade.tasks["1"].missing, cascade.tasks["1"].inputs, cascade.notes) == ((), (), ())


def test_what_is_about_a_task(here: Path) -> None:
    """An analysis next to its task is reported, and not done; a name that is only a number is a task."""
    cascade = write(n001="name: A", n001_analysis="name: Analysis of 001", n002_analysis="name: Analysis")
    assert list(cascade.tasks) == ["001", "002-analysis"]
    assert notes(cascade, NoteKind.DROPPED) == ["is not a task: it is about 001.md"]


def test_a_task_with_a_folder_of_its_own(here: Path) -> None:
    """The README of a folder is a task if its id is the folder's name; any other is not."""
    for name, front in (
        ("0001", "id: '0001'\ntitle: A\nstatus: DONE"), ("0002", "id: '0002'\ntitle: B\ndepends_on: ['0001']"),
        ("docs", "title: All about it"),
    ):  # fmt: skip
        Path("tasks", name).mkdir(parents=True)
        Path("tasks", name, "README.md").write_text(f"---\n{front}\n---\n\nText.\n")
    cascade = plan_of()
    assert {i: (t.depends_on, t.settled) for i, t in cascade.tasks.items()} == {
        "0001": ((), "DONE"), "0002": (("0001",), ""),
    }  # fmt: skip
    assert [Path(note.path).parent.name for note in cascade.notes] == ["docs"]


@pytest.mark.parametrize(("word", "priority"), [("med", 0), ("medium", 0), ("P1", 1), ("low", -1)])
def test_priority_words(here: Path, word: str, priority: int) -> None:
    """Also the short form."""
    assert write(n1=f"name: A\npriority: {word}").tasks["1"].priority == priority


@pytest.mark.parametrize(
    ("word", "needs"), [("01-01", "01-01-PLAN"), ("01-01-PLAN", "01-01-PLAN"), ("02-01", "02-01-PLAN")]
)
def test_numbers_of_several_parts(here: Path, word: str, needs: str) -> None:
    """`01-02` is the file `01-02-PLAN.md`, whatever phase it is in."""
    task_file(here, "01-base/01-01-PLAN")
    task_file(here, "02-page/02-01-PLAN")
    task_file(here, "02-page/02-02-PLAN", needs=[word])
    task = plan_of().tasks["02-page/02-02-PLAN"]
    assert ([need.rpartition("/")[2] for need in task.depends_on], task.missing) == ([needs], ())
