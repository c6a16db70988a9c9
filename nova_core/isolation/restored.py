"""Puts the objects of a task's commit back from the folder of its tree, if a `git gc` has removed some."""

from __future__ import annotations

from nova_core.isolation.contents import index_of, look, record
from nova_core.isolation.repository import Repository, is_sha
from nova_core.isolation.take import message_of
from nova_core.isolation.values import GitFailed, Limits, NotTaken, Taken, Words


def restored(repository: Repository, task_id: str, taken: Taken, words: Words, limits: Limits) -> Taken:
    """What was taken, whole: the same commit, or one of the same files if that itself is gone.

    Since then the criteria may have written into the folder, or a merge was put there: that is not the task's work.
    Raises NotTaken if the folder does not hold exactly what was taken, GitFailed, OSError.
    """
    if taken.commit is None or repository.is_whole(taken.commit, taken.base):
        return taken
    repository.disk.unlink(repository.place.task_file(task_id, "index"))  # so that all files are read again
    index_of(repository, task_id, taken.base)
    tree, _ = record(repository, task_id, look(repository, task_id, limits))
    found = repository.git("rev-parse", "--verify", "--quiet", f"{taken.commit}^{{tree}}", ok=(0, 1, 128)).out.strip()
    if found == tree.encode():
        if not repository.is_whole(taken.commit, taken.base):
            raise GitFailed("objects of the task's commit are being removed from the repository")
        return taken
    differs = repository.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", taken.base, tree).fields
    names = tuple(repository.relative(name) for name in differs)
    if is_sha(found) or sorted(names) != sorted(taken.files):
        raise NotTaken("objects of its commit are gone from the repository, and its folder has other files by now")
    commit = repository.commit(tree, [taken.base], message_of(repository, task_id, words), words.at)
    repository.move_ref(repository.place.ref(task_id), commit)
    return Taken(taken.base, commit, tree, names)
