"""The milestones of the plan, for the screens that show those to come."""

from __future__ import annotations

from collections.abc import Sequence

from nova_core.engine.observers.milestones import Milestone, read_milestones
from nova_core.errors import NovaError
from nova_core.watch.view_model import ViewModel


class PlanMilestones:
    """Reads the milestones when they are first asked for, and again for another plan."""

    def __init__(self, model: ViewModel) -> None:
        self._model = model
        self._of: object = None
        self._known: Sequence[Milestone] = ()

    def __call__(self) -> Sequence[Milestone]:
        """Returns them in the order of their file; none if it cannot be read."""
        if self._of is not self._model.cascade:
            source, self._of, self._known = self._model.source, self._model.cascade, ()
            try:
                self._known = read_milestones(source.project, source.config, self._model.cascade)
            except NovaError:
                self._known = ()
        return self._known
