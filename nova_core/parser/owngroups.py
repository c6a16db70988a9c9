"""What a row means that names the group it stands in: the rest of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Group = tuple[str, ...]  # the ids of its rows


def rest_of_groups(
    depends_on: Mapping[str, Sequence[str]], asking: Mapping[Group, Sequence[str]]
) -> Iterator[tuple[Group, Group]]:
    """For each group the rows that name it (`asking`) are to wait for.

    These are its rows that neither name the group nor wait for one that does: that would be a cycle.
    """
    users: dict[str, list[str]] = {}
    for task_id, needs in depends_on.items() if asking else ():
        for need in needs:
            users.setdefault(need, []).append(task_id)
    for group, rows in asking.items():
        last = set(rows)
        todo = list(last)
        while todo:
            new = [user for user in users.get(todo.pop(), ()) if user not in last]
            last.update(new)
            todo += new
        rest = tuple(task_id for task_id in group if task_id not in last)
        for task_id in rest:
            users.setdefault(task_id, []).extend(rows)
        yield group, rest
