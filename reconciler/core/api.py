"""The three kinds as they travel (contract 2): fields, bounds, fixed words, and nothing else.

The CRDs are generated from these models, so a bound or a description here is what the API server
enforces and what `kubectl explain` prints. Rules that need more than one field (names unique, no
cycle, durations within bounds) live in `core/plan.py`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

WORKFLOW_GROUP = "workflowexecution.kubernaut.ai"
CHILD_GROUP = "kubernetesexecution.kubernaut.ai"
VERSION = "v1alpha1"
WORKFLOW_API = f"{WORKFLOW_GROUP}/{VERSION}"
CHILD_API = f"{CHILD_GROUP}/{VERSION}"
CATEGORY = "kubernaut"

DEFAULT_MAX_CONCURRENT_STEPS = 5
MAX_STEPS = 1000
MAX_MESSAGE = 1024
MAX_GENERATION = 2**53 - 1  # the last whole number that every JSON parser reads exactly
_MAX_LINE = 2**31 - 1  # of a file as large as the flags allow

STEP_NAME_PATTERN = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
ACTION_PATTERN = r"^[A-Z][A-Za-z0-9]*$"
# GEP-2257, the Gateway API's duration: what Go parses, without fractions and without days.
DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
# RFC 3339 with its zone, at most nanoseconds; four-digit years that every clock here can hold.
INSTANT_PATTERN = (
    r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
_MADE_WITHIN = timedelta(minutes=2)  # a run's deadline, and clocks that differ
_NO_INSTANT = "must be a time with its zone, as in 2026-01-02T03:04:05Z"
OBJECT_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
# Empty is nobody. Anything else goes into the path of a request that an executor makes.
ACCOUNT_NAME_PATTERN = f"^({OBJECT_NAME_PATTERN[1:-1]})?$"


# metav1.Condition's own, as Kubernetes publishes it.
CONDITION_TYPE_PATTERN = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)


def whole_seconds(instant: datetime) -> datetime:
    """The instant as the API server keeps it: UTC, whole seconds (metav1.Time)."""
    if instant.tzinfo is UTC and not instant.microsecond:
        return instant
    return instant.astimezone(UTC).replace(microsecond=0)


def rfc3339(instant: datetime) -> str:
    """`2026-01-02T03:04:05Z`, the one spelling of a time that we write."""
    return whole_seconds(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


def stated_instant(value: object) -> object:
    """Refuses what the API server would: numbers, dates, local times; pydantic takes them all."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if isinstance(value, str):
        return _instant(value)  # a document is read strictly: no text where a time is
    raise ValueError(_NO_INSTANT)


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    """Cached: a status repeats its times, and a list of statuses repeats them again."""
    if not re.fullmatch(INSTANT_PATTERN, text):
        raise ValueError(_NO_INSTANT)
    return whole_seconds(datetime.fromisoformat(text))


def instant_or_none(text: str) -> datetime | None:
    """What was written as a time; None, and so nobody knows, where it is none."""
    try:
        return _instant(text)
    except ValueError:
        return None


def empty(value: object) -> bool:
    """Whether a field that is empty by default is left out of what we send."""
    return not value


Instant = Annotated[
    datetime,
    BeforeValidator(stated_instant),
    AfterValidator(whole_seconds),
    PlainSerializer(rfc3339, return_type=str, when_used="unless-none"),
    Field(json_schema_extra={"pattern": INSTANT_PATTERN, "maxLength": 35}),
]
Duration = Annotated[str, Field(max_length=32, pattern=DURATION_PATTERN)]
StepName = Annotated[str, Field(min_length=1, max_length=63, pattern=STEP_NAME_PATTERN)]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=OBJECT_NAME_PATTERN)]
AccountName = Annotated[str, Field(max_length=253, pattern=ACCOUNT_NAME_PATTERN)]
Message = Annotated[str, Field(max_length=MAX_MESSAGE)]
Reason = Annotated[str, Field(max_length=64)]
Uid = Annotated[str, Field(max_length=64)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Generation = Annotated[int, Field(ge=-1, le=MAX_GENERATION)]
CustomValue = Annotated[str, Field(max_length=4096)]
CustomKey = Annotated[str, Field(min_length=1, max_length=253)]
ConfigKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
StringMap = Annotated[dict[CustomKey, CustomValue], Field(max_length=64)]


def listed_by(key: str) -> dict[str, Any]:
    """Schema keywords of a map list: server-side apply merges it item by item."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


class Phase(StrEnum):
    """Of a workflow; for people. A closed set in v1alpha1. `NEW`: no run has seen it."""

    NEW = ""
    PENDING = "Pending"
    EXECUTING = "Executing"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def terminal(self) -> bool:
        return self in (Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED)

    @property
    def started(self) -> bool:
        """Past Pending: the spec is immutable but for its controls."""
        return self not in (Phase.NEW, Phase.PENDING)


class StepStatus(StrEnum):
    """Of a step that was reserved, skipped or assumed; the last three are final."""

    PENDING = "Pending"
    RUNNING = "Running"
    RETRYING = "Retrying"
    COMPLETED = "Completed"
    FAILED = "Failed"
    SKIPPED = "Skipped"

    @property
    def final(self) -> bool:
        return self in (StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED)


class FailurePolicy(StrEnum):
    """What a step that failed for good does to the others."""

    FAIL_FAST = "FailFast"
    CONTINUE = "Continue"


class ConditionType(StrEnum):
    VALID = "Valid"
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    SUCCEEDED = "Succeeded"


def _on_the_wire(name: str) -> str:
    """camelCase, as Kubernetes has it: UID in capitals; Python's own words lose their `_`."""
    return to_camel(name.removesuffix("_")).replace("Uid", "UID")


WIRE = ConfigDict(
    alias_generator=_on_the_wire,
    validate_by_alias=True,
    validate_by_name=True,
    serialize_by_alias=True,
    extra="forbid",
)


class Slotted:
    """A frozen value with camelCase on the wire; a field that nobody knows is refused.

    Of what an object holds many of: 50,000 steps are in memory at once, and with slots one of
    these is a ninth of a `Wire`.
    """

    __slots__ = ()

    def wire(self) -> dict[str, Any]:
        """As `Wire.wire`."""
        told: dict[str, Any] = to_jsonable_python(self, by_alias=True, exclude_none=True)
        return told


class Wire(BaseModel):
    """The same, of what an object holds once, and of objects."""

    model_config = WIRE | ConfigDict(frozen=True)

    def wire(self) -> dict[str, Any]:
        """As JSON for the API server: camelCase, what is empty by default left out, no null.

        A null in a body means "delete" to a merge patch. An empty string that a user wrote, in
        the data of a ConfigMap, stays.
        """
        return self.model_dump(mode="json", exclude_none=True)


def fields(model: type[Slotted | Wire]) -> Mapping[str, FieldInfo]:
    """By their names here; an alias is the name on the wire."""
    found: Mapping[str, FieldInfo] = model.__pydantic_fields__  # type: ignore[union-attr]
    return found


# --- what a step does -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class ScaleDeployment(Slotted):
    deployment_name: ObjectName | None = Field(
        default=None, description="Deployment to scale. Defaults to targetResource.name."
    )
    replicas: int = Field(ge=0, le=1000, description="Replicas wanted.")


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class RestartDeployment(Slotted):
    deployment_name: ObjectName | None = Field(
        default=None, description="Deployment to restart. Defaults to targetResource.name."
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class UpdateImage(Slotted):
    deployment_name: ObjectName | None = Field(
        default=None, description="Deployment to update. Defaults to targetResource.name."
    )
    container_name: str = Field(
        min_length=1, max_length=63, description="Container whose image is set."
    )
    image: str = Field(min_length=1, max_length=512, description="Image reference to run.")


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class RolloutStatus(Slotted):
    deployment_name: ObjectName | None = Field(
        default=None, description="Deployment to wait for. Defaults to targetResource.name."
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class DeletePod(Slotted):
    pod_name: ObjectName | None = Field(
        default=None, description="Pod to delete. Defaults to targetResource.name."
    )
    grace_period_seconds: int | None = Field(
        default=None,
        ge=0,
        le=3600,
        description="Seconds the pod has to end. Default: the pod's own.",
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class PatchConfigMap(Slotted):
    name: ObjectName | None = Field(
        default=None, description="ConfigMap to patch. Defaults to targetResource.name."
    )
    data: dict[ConfigKey, CustomValue] = Field(
        min_length=1, max_length=64, description="Keys to set, with their values."
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class SecretKey(Slotted):
    key: ConfigKey = Field(description="Key to set in the Secret.")
    secret_name: ObjectName = Field(description="Secret the value is copied from.")
    secret_key: ConfigKey = Field(description="Key in that Secret.")


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class PatchSecret(Slotted):
    name: ObjectName | None = Field(
        default=None, description="Secret to patch. Defaults to targetResource.name."
    )
    from_: tuple[SecretKey, ...] = Field(
        min_length=1,
        max_length=64,
        description="Where each value comes from: values never stand in git.",
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class CordonNode(Slotted):
    node_name: ObjectName | None = Field(
        default=None, description="Node to cordon. Defaults to targetResource.name."
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class UncordonNode(Slotted):
    node_name: ObjectName | None = Field(
        default=None, description="Node to uncordon. Defaults to targetResource.name."
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class DrainNode(Slotted):
    node_name: ObjectName | None = Field(
        default=None, description="Node to drain. Defaults to targetResource.name."
    )
    grace_period_seconds: int | None = Field(
        default=None,
        ge=0,
        le=3600,
        description="Seconds each pod has to end. Default: the pod's own.",
    )
    ignore_daemon_sets: bool | None = Field(
        default=None, description="Leave the pods of DaemonSets where they are. Default: false."
    )
    delete_empty_dir_data: bool | None = Field(
        default=None, description="Evict pods that use emptyDir volumes too. Default: false."
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class Parameters(Slotted):
    """At most one member, the one of the action; `custom` is for actions of the user's own."""

    scale_deployment: ScaleDeployment | None = Field(
        default=None, description="ScaleDeployment: set the replicas of a Deployment."
    )
    restart_deployment: RestartDeployment | None = Field(
        default=None, description="RestartDeployment: replace the pods of a Deployment."
    )
    update_image: UpdateImage | None = Field(
        default=None, description="UpdateImage: set a container's image in a Deployment."
    )
    rollout_status: RolloutStatus | None = Field(
        default=None, description="RolloutStatus: wait until a Deployment has rolled out."
    )
    delete_pod: DeletePod | None = Field(default=None, description="DeletePod: delete a Pod.")
    patch_config_map: PatchConfigMap | None = Field(
        default=None, description="PatchConfigMap: set keys of a ConfigMap."
    )
    patch_secret: PatchSecret | None = Field(
        default=None, description="PatchSecret: set keys of a Secret from other Secrets."
    )
    cordon_node: CordonNode | None = Field(
        default=None, description="CordonNode: keep new pods off a Node."
    )
    uncordon_node: UncordonNode | None = Field(
        default=None, description="UncordonNode: let new pods onto a Node again."
    )
    drain_node: DrainNode | None = Field(
        default=None, description="DrainNode: cordon a Node and evict its pods."
    )
    custom: StringMap | None = Field(
        default=None,
        description="An action of your own executor: passed to it as it is.",
    )

    @property
    def stated(self) -> tuple[str, ...]:
        """Wire names of the members that are there; valid means at most one."""
        return tuple(alias for name, alias in _MEMBERS.items() if getattr(self, name) is not None)


_MEMBERS = {name: field.alias or name for name, field in fields(Parameters).items()}


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class TargetResource(Slotted):
    api_version: str = Field(
        min_length=1, max_length=253, description="Group and version, as in apps/v1."
    )
    kind: str = Field(min_length=1, max_length=63, description="Kind of the resource.")
    namespace: str | None = Field(
        default=None, max_length=63, description="Its namespace. Defaults to the workflow's."
    )
    name: ObjectName = Field(description="Its name. Parameters that name nothing take this one.")


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class Step(Slotted):
    """One node of the workflow's graph."""

    name: StepName = Field(
        description="Name of the step, unique in the workflow. It becomes a label value: letters "
        "and digits, with -, _ and . inside."
    )
    action: str = Field(
        min_length=1,
        max_length=63,
        pattern=ACTION_PATTERN,
        description="What is done: ScaleDeployment, RestartDeployment, UpdateImage, RolloutStatus, "
        "DeletePod, PatchConfigMap, PatchSecret, CordonNode, UncordonNode, DrainNode, or an action "
        "of your own executor, with parameters.custom.",
    )
    parameters: Parameters | None = Field(
        default=None,
        description="What the action needs: at most one member, the one of the action.",
        json_schema_extra={"maxProperties": 1},
    )
    target_resource: TargetResource | None = Field(
        default=None, description="What it is done to; names in parameters default to its name."
    )
    timeout: Duration | None = Field(
        default=None,
        description="Go duration from 1s to 24h for one attempt. Default: the action's, else 10m.",
    )
    depends_on: tuple[StepName, ...] = Field(
        default=(),
        exclude_if=empty,
        max_length=100,
        description="Steps that must be Completed before this one starts.",
    )
    retries: int = Field(
        default=0,
        ge=0,
        le=5,
        description="Further attempts after a failed one, 0 to 5. Default: 0.",
    )
    requires_approval: bool = Field(
        default=False, description="Whether it waits until spec.approvals names it. Default: false."
    )


class WorkflowDefinition(Wire):
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="Name for people. Defaults to metadata.name.",
    )
    version: str | None = Field(
        default=None, max_length=63, description="Version for people, free text."
    )
    steps: tuple[Step, ...] = Field(
        default=(),
        exclude_if=empty,
        max_length=MAX_STEPS,
        description="The steps, in any order; dependsOn orders them.",
    )


class Approval(Wire):
    step: StepName = Field(description="Step whose gate may be passed.")
    by: str | None = Field(default=None, max_length=253, description="Who approved.")
    reason: str | None = Field(
        default=None, max_length=MAX_MESSAGE, description="Why it was approved."
    )


class WorkflowSpec(Wire):
    workflow_definition: WorkflowDefinition = Field(description="What is to be done.")
    assume_completed: tuple[StepName, ...] = Field(
        default=(),
        exclude_if=empty,
        max_length=MAX_STEPS,
        description="Names of steps taken as Completed without being run: go on from a failed run.",
    )
    max_concurrent_steps: int = Field(
        default=DEFAULT_MAX_CONCURRENT_STEPS,
        ge=1,
        le=100,
        description="Most steps active at once, 1 to 100. Default: 5; never above the limit of the "
        "reconciler's own --max-concurrent-steps.",
    )
    failure_policy: FailurePolicy = Field(
        default=FailurePolicy.FAIL_FAST,
        description="FailFast (default): nothing starts after a failure. Continue: what does not "
        "depend on the failed step goes on.",
    )
    timeout: Duration | None = Field(
        default=None,
        description="Go duration from 1s to 168h, from the first reservation; suspension and "
        "waiting for approval count. Default: none.",
    )
    not_before: Instant | None = Field(
        default=None, description="Time before which no step starts."
    )
    not_after: Instant | None = Field(
        default=None,
        description="Time after which no step starts; a workflow that has not started by then is "
        "Failed, reason Expired.",
    )
    ttl_seconds_after_settled: int | None = Field(
        default=None,
        ge=0,
        le=31_536_000,
        description="Seconds after which a settled run of a source is deleted. Its record stays.",
    )
    suspend: bool = Field(
        default=False, description="While true no new step starts. Default: false."
    )
    cancel: bool = Field(
        default=False,
        description="True: no new steps, active children are asked to stop, phase Cancelled. "
        "Default: false.",
    )
    approvals: tuple[Approval, ...] = Field(
        default=(),
        exclude_if=empty,
        max_length=MAX_STEPS,
        description="Gates that may be passed, by step.",
        json_schema_extra=listed_by("step"),
    )
    service_account_name: AccountName | None = Field(
        default=None,
        description="ServiceAccount in the workflow's namespace that the executor acts as.",
    )


# --- status ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class Condition(Slotted):
    """metav1.Condition, bounds included."""

    type: str = Field(
        min_length=1,
        max_length=316,
        pattern=CONDITION_TYPE_PATTERN,
        description="Type of the condition, in CamelCase.",
    )
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    observed_generation: int | None = Field(
        default=None,
        ge=0,
        le=MAX_GENERATION,
        description="Generation of the spec that the condition speaks of.",
    )
    last_transition_time: Instant = Field(description="When the status last changed.")
    reason: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="Why, one word in CamelCase for machines.",
    )
    message: str = Field(
        default="", exclude_if=empty, max_length=32768, description="Why, a sentence for people."
    )


Conditions = Annotated[
    tuple[Condition, ...],
    Field(max_length=16, json_schema_extra=listed_by("type")),
]


@dataclass(frozen=True, slots=True, kw_only=True, config=WIRE)
class StepResult(Slotted):
    """What is known of a step that was reserved, skipped or assumed."""

    step_name: StepName = Field(description="Name of the step.")
    status: StepStatus = Field(
        description="Pending: reserved. Retrying: waits for its next attempt. "
        "Completed, Failed and Skipped are final."
    )
    reason: Reason = Field(
        default="",
        exclude_if=empty,
        description="Why, one word in CamelCase; of Skipped: the blocker.",
    )
    attempt: int = Field(
        default=0, ge=0, le=1000, description="Attempt that this speaks of, from 0."
    )
    execution_ref: str = Field(
        default="",
        exclude_if=empty,
        max_length=253,
        description="Name of the KubernetesExecution of that attempt.",
    )
    execution_uid: Uid = Field(
        default="",
        exclude_if=empty,
        description="Uid of that KubernetesExecution, once it was seen.",
    )
    reserved_at: Instant | None = Field(default=None, description="When its slot was reserved.")
    healed_at: Instant | None = Field(
        default=None,
        description="When its creation was last tried again after a crash or a refusal.",
    )
    execution_start_time: Instant | None = Field(
        default=None, description="When the executor began, by the executor's clock."
    )
    execution_end_time: Instant | None = Field(
        default=None,
        description="When it ended, by the executor's clock; while Retrying, when the failure "
        "was recorded.",
    )
    last_error: Message = Field(
        default="", exclude_if=empty, description="The executor's own words, or ours."
    )

    @property
    def reserved(self) -> bool:
        """An attempt was started: skipped and assumed steps have none."""
        return bool(self.execution_ref)


class WorkflowStatus(Wire):
    phase: Phase = Field(
        default=Phase.NEW,
        exclude_if=empty,
        description="Where the workflow stands, one word for people; machines read the conditions. "
        "Pending, Executing, Completed, Failed or Cancelled.",
    )
    settled: bool = Field(
        default=False,
        description="Whether it is over: phase terminal, nothing reserved without a child, no "
        "child active. Only then does nothing change any more.",
    )
    message: Message = Field(
        default="",
        exclude_if=empty,
        description="Where the workflow stands, a sentence for people.",
    )
    progress: str = Field(
        default="",
        exclude_if=empty,
        max_length=15,
        description="Completed steps of all steps, as in 3/7.",
    )
    observed_generation: Generation = Field(
        default=-1, description="Generation last worked on; -1: no run has seen the object."
    )
    total_steps: Count = Field(default=0, description="Steps in the definition.")
    completed_steps: Count = Field(default=0, description="Steps Completed.")
    failed_steps: Count = Field(default=0, description="Steps Failed.")
    active_steps: Count = Field(
        default=0, description="Slots held: active children and reservations."
    )
    execution_plan: tuple[StepName, ...] = Field(
        default=(),
        exclude_if=empty,
        max_length=MAX_STEPS,
        description="Step names in execution order.",
    )
    step_results: tuple[StepResult, ...] = Field(
        default=(),
        exclude_if=empty,
        max_length=MAX_STEPS,
        description="In plan order, one entry a step that was reserved, skipped or assumed.",
    )
    execution_start_time: Instant | None = Field(
        default=None, description="When the first step was reserved."
    )
    execution_end_time: Instant | None = Field(
        default=None, description="When it settled; set once."
    )
    last_transition_time: Instant | None = Field(
        default=None, description="When the phase last changed."
    )
    conditions: Conditions = Field(
        default=(),
        exclude_if=empty,
        description="Valid, Ready, Reconciling, Stalled, Succeeded, as metav1.Condition.",
    )

    def condition(self, type_: ConditionType) -> Condition | None:
        return next((each for each in self.conditions if each.type == type_), None)


class WorkflowExecutionRef(Wire):
    name: ObjectName = Field(description="Name of the WorkflowExecution.")
    uid: Uid = Field(description="Its uid: a namesake made later is another workflow.")


class ChildSpec(Wire):
    """What is to be done; immutable but for cancelRequested."""

    workflow_execution_ref: WorkflowExecutionRef = Field(description="The workflow it belongs to.")
    step_name: StepName = Field(description="The step it carries out.")
    attempt: int = Field(ge=0, le=1000, description="Which attempt it is, from 0.")
    action: str = Field(
        min_length=1, max_length=63, pattern=ACTION_PATTERN, description="What to do."
    )
    action_parameters: Parameters | None = Field(
        default=None,
        description="What the action needs: at most one member, the one of the action.",
        json_schema_extra={"maxProperties": 1},
    )
    target_resource: TargetResource | None = Field(default=None, description="What to do it to.")
    timeout: Duration = Field(description="Go duration the attempt may take.")
    service_account_name: AccountName | None = Field(
        default=None, description="ServiceAccount the executor acts as."
    )
    cancel_requested: bool = Field(
        default=False,
        description="True: the executor ends it as soon as it can, or never begins it. "
        "Default: false.",
    )


class ChildStatus(Wire):
    """Written by the executor, which need not be ours."""

    phase: str = Field(
        default="",
        exclude_if=empty,
        max_length=63,
        description="Pending, Running, Completed or Failed; any other value means active.",
    )
    execution_start_time: Instant | None = Field(
        default=None, description="When the executor began."
    )
    execution_end_time: Instant | None = Field(default=None, description="When it ended.")
    last_error: Annotated[str, Field(max_length=32768)] = Field(
        default="", exclude_if=empty, description="What went wrong, for people."
    )
    reason: Annotated[str, Field(max_length=1024)] = Field(
        default="",
        exclude_if=empty,
        description="What went wrong, one word in CamelCase; Late and Cancelled are fixed.",
    )
    observed_generation: Generation = Field(
        default=-1, description="Generation the executor last worked on; -1: none yet."
    )
    conditions: Conditions = Field(default=(), exclude_if=empty, description="As metav1.Condition.")


class RecordState(StrEnum):
    """How far a content of a document came (contract 5)."""

    INTENDED = "intended"
    CREATED = "created"
    DROPPED = "dropped"
    RECORDED = "recorded"


class RecordEntry(Wire):
    content: str = Field(max_length=80, description="Hash of the content, as in v1: and 64 hex.")
    state: RecordState = Field(
        description="intended: about to be made. created: its run is the object with this uid. "
        "dropped: replaced before it started. recorded: taken as run when the source was new."
    )
    run: str = Field(
        default="", exclude_if=empty, max_length=253, description="Name of its WorkflowExecution."
    )
    uid: Uid = Field(default="", exclude_if=empty, description="Uid of its WorkflowExecution.")
    commit: str = Field(
        default="", exclude_if=empty, max_length=64, description="Commit it was read from."
    )
    blob: str = Field(
        default="", exclude_if=empty, max_length=64, description="Blob it was read from."
    )
    start_time: Instant | None = Field(
        default=None, description="When its first step was reserved."
    )
    end_time: Instant | None = Field(default=None, description="When it settled.")
    phase: str = Field(
        default="",
        exclude_if=empty,
        max_length=16,
        description="Its result: Completed, Failed, Cancelled or Deleted.",
    )
    progress: str = Field(
        default="", exclude_if=empty, max_length=15, description="Completed steps of all steps."
    )


class Reading(Wire):
    """What a document said when its record was last written for it.

    A file with this blob says the same, to the same flags and release, so it need not be parsed.
    """

    blob: str = Field(max_length=64, description="Blob it was read from.")
    line: int = Field(ge=1, le=_MAX_LINE, description="Line on which it begins.")
    documents: int = Field(
        ge=1, le=50, description="How many documents the file holds, this one included."
    )
    kind: Literal["WorkflowDefinition", "WorkflowExecution"] = Field(
        description="WorkflowDefinition or WorkflowExecution."
    )
    content: str = Field(max_length=80, description="Hash of the content, as in v1: and 64 hex.")
    controls: str = Field(
        max_length=80, description="Hash of suspend, cancel and approvals as it states them."
    )
    concurrency: Literal["Queue", "Replace"] = Field(
        description="runPolicy.concurrency: Queue or Replace."
    )
    history: int = Field(
        ge=0, le=100, description="runPolicy.history: how many settled older runs stay."
    )


class FirstContent(Wire):
    """What a new record holds as intended in the write that makes it, which can hold no status."""

    content: str = Field(max_length=80, description="Hash of the content, as in v1: and 64 hex.")
    run: str = Field(max_length=253, description="Name of its WorkflowExecution.")
    commit: str = Field(max_length=64, description="Commit it was read from.")
    blob: str = Field(max_length=64, description="Blob it was read from.")
    intended_at: Instant = Field(
        description="When the record was made for it; a record that was restored was not."
    )
    reading: Reading | None = Field(
        default=None, description="What the document said; an unchanged file is not parsed again."
    )


class RecordSpec(Wire):
    kind: Literal["WorkflowDefinition", "WorkflowExecution"] | None = Field(
        default=None, description="Kind of the document: WorkflowDefinition or WorkflowExecution."
    )
    first: FirstContent | None = Field(
        default=None,
        description="The content that the record was made for: intended, until there is a status.",
    )


class RecordStatus(Wire):
    observed_generation: Generation = Field(
        default=-1, description="Generation last worked on; -1: nothing was recorded yet."
    )
    contents: tuple[RecordEntry, ...] = Field(
        default=(),
        exclude_if=empty,
        max_length=20,
        description="The last contents of the document, newest first.",
    )
    reading: Reading | None = Field(
        default=None,
        description="What the document said when this was last written for it; a file that has "
        "not changed since is not parsed again.",
    )


# --- objects --------------------------------------------------------------------------------


class OwnerReference(Wire):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False


class Metadata(Wire):
    """What we read and write of metav1.ObjectMeta; the rest is ignored where it is read."""

    model_config = ConfigDict(extra="ignore")

    name: str
    namespace: str = Field(default="", exclude_if=empty)
    uid: str = Field(default="", exclude_if=empty)
    resource_version: str = Field(default="", exclude_if=empty)
    generation: int = Field(default=0, exclude_if=empty)
    creation_timestamp: Instant | None = None
    deletion_timestamp: Instant | None = None
    labels: dict[str, str] = Field(default_factory=dict, exclude_if=empty)
    annotations: dict[str, str] = Field(default_factory=dict, exclude_if=empty)
    owner_references: tuple[OwnerReference, ...] = Field(default=(), exclude_if=empty)


class Kind(Wire):
    """An object of one of the three kinds; `API` and `PLURAL` say where it lives."""

    API: ClassVar[str]
    PLURAL: ClassVar[str]

    metadata: Metadata

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return (self.metadata.namespace, self.metadata.name)

    @property
    def deleting(self) -> bool:
        return self.metadata.deletion_timestamp is not None


class WorkflowExecution(Kind):
    """One run of a workflow; spec from git, status from the reconciler."""

    API: ClassVar[str] = WORKFLOW_API
    PLURAL: ClassVar[str] = "workflowexecutions"

    api_version: Literal["workflowexecution.kubernaut.ai/v1alpha1"] = WORKFLOW_API  # type: ignore[assignment]
    kind: Literal["WorkflowExecution"] = "WorkflowExecution"
    spec: WorkflowSpec = Field(
        description="What is to be done. Once the workflow has started only suspend, cancel and "
        "approvals may change; once it is settled nothing may."
    )
    status: WorkflowStatus = Field(
        default=WorkflowStatus(), description="What has been done; written by the reconciler."
    )

    def with_status(self, status: WorkflowStatus) -> Self:
        return self.model_copy(update={"status": status})


class KubernetesExecution(Kind):
    """One attempt of one step; spec from the reconciler, status from an executor."""

    API: ClassVar[str] = CHILD_API
    PLURAL: ClassVar[str] = "kubernetesexecutions"

    api_version: Literal["kubernetesexecution.kubernaut.ai/v1alpha1"] = CHILD_API  # type: ignore[assignment]
    kind: Literal["KubernetesExecution"] = "KubernetesExecution"
    spec: ChildSpec = Field(
        description="What is to be done, once: immutable but for cancelRequested."
    )
    status: ChildStatus = Field(
        default=ChildStatus(), description="What has been done; written by the executor."
    )


class WorkflowRecord(Kind):
    """Which contents of one document ran, when, with which result; it outlives the runs."""

    API: ClassVar[str] = WORKFLOW_API
    PLURAL: ClassVar[str] = "workflowrecords"

    api_version: Literal["workflowexecution.kubernaut.ai/v1alpha1"] = WORKFLOW_API  # type: ignore[assignment]
    kind: Literal["WorkflowRecord"] = "WorkflowRecord"
    spec: RecordSpec = Field(
        default=RecordSpec(), description="The document whose contents are recorded."
    )
    status: RecordStatus = Field(
        default=RecordStatus(), description="Which of its contents ran; written by the reconciler."
    )

    @property
    def contents(self) -> tuple[RecordEntry, ...]:
        """The last contents, newest first; before any status the one that it was made for."""
        first = self.spec.first
        if self.status.observed_generation >= 0 or first is None or self.forgetful:
            return self.status.contents
        return (
            RecordEntry(
                content=first.content,
                state=RecordState.INTENDED,
                run=first.run,
                commit=first.commit,
                blob=first.blob,
            ),
        )

    @property
    def reading(self) -> Reading | None:
        """What the document said; before any status when the record was made for it."""
        first = self.spec.first
        if self.status.observed_generation >= 0 or first is None or self.forgetful:
            return self.status.reading
        return first.reading

    @property
    def forgetful(self) -> bool:
        """Made again without its status, as from a backup: what it held nobody knows any more.

        Told by its age: it was made for its first content at another time.
        """
        first, made = self.spec.first, self.metadata.creation_timestamp
        if self.status.observed_generation >= 0 or first is None or made is None:
            return False
        return abs(made - first.intended_at) > _MADE_WITHIN
