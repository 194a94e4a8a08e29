"""The write of a source's head, by the resourceVersion that was read: the fence (contract 5)."""

from dataclasses import replace

from reconciler.core.source import Head
from reconciler.errors import Refused, SourceError
from reconciler.seams import Cluster, ConfigMap


def write_head(cluster: Cluster, head: Head) -> Head:
    """Of two runs that read the same head one loses.

    Raises:
        Conflict, AlreadyExists: another run was faster.
        SourceError: the server does not let us write it.
    """
    try:
        stored = cluster.write_config_map(
            ConfigMap(head.name, head.data(), uid=head.uid, version=head.version)
        )
    except Refused as error:
        raise SourceError(
            f"the head of the source, ConfigMap {head.name}, could not be written, so nothing "
            f"is applied: {error}"
        ) from error
    return replace(head, uid=stored.uid, version=stored.version)
