"""The catalogue of actions (contract 6): parameters, default timeout, defaults of names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the catalogue. `required` names wire fields that no default can fill."""

    parameters: str
    timeout: timedelta
    required: tuple[str, ...] = ()
    named_by: str = "deploymentName"


# An action outside the table belongs to an executor of the user's own.
CUSTOM_TIMEOUT = timedelta(minutes=10)

ACTIONS: Mapping[str, Action] = {
    "ScaleDeployment": Action("scaleDeployment", timedelta(minutes=5), ("replicas",)),
    "RestartDeployment": Action("restartDeployment", timedelta(minutes=10)),
    "UpdateImage": Action("updateImage", timedelta(minutes=10), ("containerName", "image")),
    "RolloutStatus": Action("rolloutStatus", timedelta(minutes=1)),
    "DeletePod": Action("deletePod", timedelta(minutes=2), named_by="podName"),
    "PatchConfigMap": Action("patchConfigMap", timedelta(minutes=1), ("data",), named_by="name"),
    "PatchSecret": Action("patchSecret", timedelta(minutes=1), ("from",), named_by="name"),
    "CordonNode": Action("cordonNode", timedelta(seconds=30), named_by="nodeName"),
    "UncordonNode": Action("uncordonNode", timedelta(seconds=30), named_by="nodeName"),
    "DrainNode": Action("drainNode", timedelta(minutes=15), named_by="nodeName"),
}
