"""Stage 2: the head of the source, its objects and records, then the commit (contract 5).

Everything that stage 3 compares is read before the fence, in the order that keeps it honest.
Nothing is written here, and nothing of a source that stands still is read but the head and the ref.
"""

from reconciler.core.source import SourceSettings, SourceView
from reconciler.seams import World


def read_source(world: World, settings: SourceSettings) -> SourceView:
    """What stage 3 needs; `idle` when the ref stands at the whole commit and no look is due.

    Only for a world with a source. With --interval it is called again in each pass.

    Raises:
        UsageError: the head names another URL or other paths, and --source-moved was not given.
        SourceError: the head, the repository or the ref could not be read.
        ClusterError: a list of the source's objects or records was refused or not answered.
        DeadlinePassed: stages 2 to 8 are over.
    """
    raise NotImplementedError
