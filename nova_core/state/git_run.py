"""What a run has in git: its branch, how far that is merged and landed, and where its trees stand."""

import msgspec

from nova_core.model import Real, Whole

QUEUED = "queued"  # in TaskState.merge: its work is done, and waits for its merge
MERGING = "merging"
CHECKING = "checking"  # what the merge has made
LANDING = "landing"  # in TaskState.missing: it waits until what is merged has landed
CONFLICT = "conflict"  # with what is merged
MERGED = "merged"


class GitRun(msgspec.Struct, frozen=True):
    """The run's branch `ref`, made from the commit `base`, ends at `tip` as Nova last left it; `landed` is the user's.

    `name` is the run's short name in refs and folders, `branch` the user's branch, on which it lands (None: a commit
    was checked out). `trees` is the folder of the trees. While the branch lands, `landing` holds the old and the new
    commit; if that had to wait, `waits` says for what. `queued` counts the places that the queue of merges has given;
    `merging` are the seconds that merges took, one after the other, with their checks.
    """

    name: str = ""
    base: str = ""
    ref: str = ""
    branch: str | None = None
    tip: str = ""
    landed: str = ""
    landing: tuple[str, ...] = ()
    waits: str = ""
    trees: str = ""
    queued: Whole = 0
    merging: Real = 0.0
