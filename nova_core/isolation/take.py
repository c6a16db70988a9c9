"""Makes a commit of what is in the tree of a task, whatever its worker did to git."""

from __future__ import annotations

from nova_core.isolation.contents import entries_of, index_of, look, record
from nova_core.isolation.held import hold_replaced
from nova_core.isolation.own_commits import own_commits
from nova_core.isolation.program import shown
from nova_core.isolation.repository import Repository, changed
from nova_core.isolation.submodules import require_held
from nova_core.isolation.values import GitFailed, Limits, NotTaken, Taken, Words
from nova_core.text import first_of

_FEW = 20  # a task may delete all of so few files


def take(repository: Repository, task_id: str, base: str, words: Words, limits: Limits) -> Taken:
    """Commit the files of the task's tree on top of `base`, held by the task's ref.

    Raises NotTaken for a tree that cannot be taken, GitFailed, OSError.
    """
    try:
        return _taken(repository, task_id, base, words, limits)
    except GitFailed:  # objects that the index names may have been removed: the next try reads all files again
        repository.disk.unlink(repository.place.task_file(task_id, "index"))
        raise


def _taken(repository: Repository, task_id: str, base: str, words: Words, limits: Limits) -> Taken:
    index = index_of(repository, task_id, base)
    contents = look(repository, task_id, limits)
    for reason, names in contents.refused.items():
        files = tuple(repository.relative(name) for name in names)
        raise NotTaken(f"{reason}: {first_of(files, 3)}", files)
    tree, ignored = record(repository, task_id, contents)
    require_held(repository, task_id, base, contents.index)
    differing = list(changed(repository.git("diff-tree", "-r", "-z", "--raw", "--no-renames", base, tree).fields))
    gone = sum(status == b"D" for _, status, _, _ in differing)
    before = entries_of(str(index)) + gone - sum(status == b"A" for _, status, _, _ in differing)
    commit = None
    if differing:
        commit = repository.commit(tree, [base], message_of(repository, task_id, words), words.at)
        hold_replaced(repository, task_id, commit)
        repository.move_ref(repository.place.ref(task_id), commit)
        if repository.outlive_gc() and not repository.is_whole(commit, base):
            raise GitFailed("git gc has removed objects of the task's commit")
    return Taken(
        base, commit, tree, tuple(repository.relative(name) for name, _, _, _ in differing),
        gone >= _FEW and gone > before / 2, own_commits(repository, task_id, base, tree),
        tuple(map(shown, contents.left_out + ignored)), tuple(map(repository.relative, contents.withheld)),
    )  # fmt: skip


def message_of(repository: Repository, task_id: str, words: Words) -> str:
    """The text of a task's commit; its lines `Nova-Task` and `Nova-Run` say whose it is."""
    subject = " ".join(words.subject.split()) or task_id
    return f"{subject}\n\nNova-Task: {task_id}\nNova-Run: {repository.place.run}\n"
