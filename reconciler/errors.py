"""What can go wrong, sorted by what a run does about it (contract 7).

ReconcilerError
  UsageError            wrong flags or configuration          app: exit 2
  SourceError           the source could not be read          run: stages 2 and 3 end, exit 3
  DeadlinePassed        no call may start any more            run: what is left is the next run's
  ClusterError          an API call did not do what was asked
    Unreachable         no answer worth having, all attempts  observe: exit 4; else next run's
    Conflict            409 on a write: somebody was faster   next run's
    AlreadyExists       409 on a create: read it, ours or not create
    Gone                410 in the middle of a list           kube: the list again, twice at most
    Refused             a permanent answer: 400 401 403 404 422, and some 500
                        told on that workflow; of a list of the run's own: exit 4
"""


class ReconcilerError(Exception):
    """Of ours: the message is for people and ends with what to do."""


class UsageError(ReconcilerError):
    """Wrong flags or configuration; caught in app, exit 2."""


class SourceError(ReconcilerError):
    """The source could not be read; run goes on with what is in the cluster, exit 3."""


class DeadlinePassed(ReconcilerError):
    """The deadline has passed or SIGTERM came: no further call starts; caught in run."""


class ClusterError(ReconcilerError):
    """An API call did not do what was asked."""


class Unreachable(ClusterError):
    """Nothing usable came back: refused connection, timeout, 429, 5xx, a body that is not ours.

    A write may have happened all the same.
    """


class Conflict(ClusterError):
    """409: the object is not what was read, or not there any more; caught around one workflow."""


class AlreadyExists(ClusterError):
    """A create met an object of that name; create reads it and looks whose it is."""


class Gone(ClusterError):
    """410: the rest of a list is no longer to be had; caught where lists are read."""


class Refused(ClusterError):
    """A permanent answer; `status` is the HTTP code, `reason` the API's word for it."""

    def __init__(self, message: str, *, status: int, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def lasting(self) -> bool:
        """Whether the same request can never succeed: 400, 422 and unknown fields; not RBAC."""
        return self.status not in (401, 403, 404)
