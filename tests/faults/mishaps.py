"""What can befall one call of a run: the faults, one name each (contract 7, and worse).

A fault carries the call out in its own way and lets the run go on, or die. `heals` says what is
owed afterwards: the state without the fault at once, later, or only a sound one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from reconciler.errors import SourceError
from reconciler.kube.answers import Response
from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    EVENTS,
    RECORDS,
    Request,
    Verb,
    create,
    patch,
)
from reconciler.kube.transport import TimedOut
from reconciler.retry import Transient
from tests.fakes.memory.refusals import status_response
from tests.faults.play import NAMESPACE, Play, Sticky
from tests.faults.process import REF, Answer, Process

Fits = Callable[[Request], bool]
CarryOut = Callable[[Play, Process], None]

_LATE = 70.0  # seconds: past the deadline of a run that was at work when they began
_REST_OF_THE_RUN = 1_000


class Heals(IntEnum):
    """What a run after it owes."""

    NEVER = 0  # the workflow stands otherwise from now on, and soundly
    LATER = 1  # the same end; meanwhile a backoff holds it back, or time has passed
    NOW = 2  # the same state, within two clean runs


class Pointless(Exception):  # noqa: N818  # no error: the schedule is none
    """A fault or a deed that can do nothing there."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`alone`: it harms the workflow that the call is about and no other (I11).

    `retried`: the same run tries again, and nobody notices anything (contract 7).
    """

    name: str
    fits: Fits
    carry_out: CarryOut
    heals: Heals = Heals.NOW
    alone: bool = False
    retried: bool = False


# --- which calls --------------------------------------------------------------------------------


def any_call(_: Request) -> bool:
    return True


def api_call(request: Request) -> bool:
    return request is not REF


def write(request: Request) -> bool:
    return request.verb not in (Verb.GET, Verb.LIST)


def of_state(request: Request) -> bool:
    """A write of something that a later run reads."""
    return write(request) and request.target.resource is not EVENTS


def a_list(request: Request) -> bool:
    return request.verb is Verb.LIST


def next_page(request: Request) -> bool:
    return a_list(request) and "continue" in dict(request.query)


def conditional(request: Request) -> bool:
    """A write by what was read."""
    return request.verb in (Verb.UPDATE, Verb.PATCH, Verb.APPLY) and of_state(request)


def child_made(request: Request) -> bool:
    return request.verb is Verb.CREATE and request.target.resource is CHILDREN


def made(request: Request) -> bool:
    return request.verb is Verb.CREATE and of_state(request)


# --- how a call goes wrong ----------------------------------------------------------------------


def crash_before(_: Play, run: Process) -> None:
    run.kill()


def crash_after(play: Play, run: Process) -> None:
    play.perform(run)
    run.kill()


def answered(response: Response) -> CarryOut:
    """Not applied."""
    return lambda play, run: play.proceed(run, response)


def applied_then(answer: Callable[[Process], Answer]) -> CarryOut:
    def carry_out(play: Play, run: Process) -> None:
        play.perform(run)
        play.proceed(run, answer(run))

    return carry_out


def spoilt(spoil: Callable[[bytes], bytes]) -> CarryOut:
    """What the server said, spoilt on the way."""

    def carry_out(play: Play, run: Process) -> None:
        response = play.perform(run)
        play.proceed(run, replace(response, body=spoil(response.body)))

    return carry_out


def repeated(fault: CarryOut, after: CarryOut, times: int) -> CarryOut:
    """Again for each further attempt at the same call."""

    def carry_out(play: Play, run: Process) -> None:
        request = run.pending
        assert request is not None
        same = (request.verb, request.target)
        play.sticky[run] = Sticky(lambda each: (each.verb, each.target) == same, after, times)
        fault(play, run)

    return carry_out


def from_now_on(fault: CarryOut, fits: Fits) -> CarryOut:
    """Again for every further call of this run that it fits."""

    def carry_out(play: Play, run: Process) -> None:
        play.sticky[run] = Sticky(fits, fault, _REST_OF_THE_RUN)
        fault(play, run)

    return carry_out


def _reset(_: Process) -> Answer:
    return Transient("the connection broke off")


def no_answer(play: Play, run: Process) -> None:
    play.proceed(run, _reset(run))


def hangs(play: Play, run: Process) -> None:
    play.time.sleep(run.timeout)
    play.proceed(run, TimedOut(f"no answer within {run.timeout:.3g} s"))


def applied_hangs(play: Play, run: Process) -> None:
    play.perform(run)
    hangs(play, run)


def outdated(play: Play, run: Process) -> None:
    """Somebody writes the object between this run's read and its write."""
    assert run.pending is not None
    target = replace(run.pending.target, subresource="")
    note = {"metadata": {"annotations": {"example.com/touched": str(play.time.passed)}}}
    seen = play.server.object(target.resource, target.namespace or "", target.name)
    if seen is not None:
        count = int(seen["metadata"].get("annotations", {}).get("example.com/count", "0"))
        note["metadata"]["annotations"]["example.com/count"] = str(count + 1)
        play.hand(patch(target, note))
    play.proceed(run, play.perform(run))


def made_before(play: Play, run: Process) -> None:
    """Another run makes the very same object first."""
    assert run.pending is not None
    play.act_as(run, run.pending)
    play.proceed(run, play.perform(run))


def taken(**metadata: object) -> CarryOut:
    """The name belongs to an object of somebody else."""

    def carry_out(play: Play, run: Process) -> None:
        foreign(play, run.pending, metadata)
        play.proceed(run, play.perform(run))

    return carry_out


def foreign(play: Play, request: Request | None, metadata: Mapping[str, object]) -> None:
    """Makes an object of the name that the request is about to create."""
    assert request is not None
    resource = request.target.resource
    spec: dict[str, object] = {}
    if resource is CHILDREN:
        reference = {"name": "somebody", "uid": "0badc0de-0000-4000-8000-000000000000"}
        spec = {"spec": {
            "workflowExecutionRef": reference, "stepName": "a", "attempt": 0, "action": "Notify",
            "timeout": "5m",
        }}  # fmt: skip
    if resource is RECORDS:
        spec = {"spec": {"kind": "WorkflowDefinition"}}
    if resource is CONFIG_MAPS:
        spec = {"data": {}}
    about = {"name": request.target.name, "namespace": NAMESPACE, **metadata}
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": about, **spec}
    if not play.hand(create(resource, NAMESPACE, body)).ok:
        raise Pointless


def lagging(writes: int) -> CarryOut:
    def carry_out(play: Play, run: Process) -> None:
        play.proceed(run, play.perform_late(run, writes))

    return carry_out


def forgotten(play: Play, run: Process) -> None:
    """Compaction: the moment of the list is gone when its next page is asked for."""
    play.server.expire_lists()
    play.proceed(run, play.perform(run))


def stopped_before(play: Play, run: Process) -> None:
    run.deadline.stop()
    play.proceed(run, play.perform(run))


def stopped_after(play: Play, run: Process) -> None:
    response = play.perform(run)
    run.deadline.stop()
    play.proceed(run, response)


def late_before(play: Play, run: Process) -> None:
    """The process, or the request on its way, sleeps until after the run's deadline."""
    run.slept = True
    play.time.sleep(_LATE)
    play.proceed(run, play.perform(run))


def late_after(play: Play, run: Process) -> None:
    run.slept = True
    response = play.perform(run)
    play.time.sleep(_LATE)
    play.proceed(run, response)


def unread(play: Play, run: Process) -> None:
    play.proceed(run, SourceError("the repository does not answer"))


# --- the table ----------------------------------------------------------------------------------

_PROXY = Response(504, b"<html>a proxy</html>")


def _status(code: int, reason: str, message: str = "no", **headers: str) -> Response:
    told = status_response(code, reason, message)
    return replace(told, headers={key.replace("_", "-"): each for key, each in headers.items()})


_500 = _status(500, "InternalError")
_BUSY = (429, "TooManyRequests", "too many requests")

_TABLE = (
    Fault("crash-before", any_call, crash_before),
    Fault("crash-after", api_call, crash_after),
    Fault("applied-500", write, applied_then(lambda _: _500), alone=True),
    Fault("applied-504", write, applied_then(lambda _: _PROXY), alone=True),
    Fault("applied-reset", write, applied_then(_reset), alone=True),
    Fault("applied-lost", write, repeated(applied_then(_reset), no_answer, 2), alone=True),
    Fault("applied-hangs", write, applied_hangs, Heals.LATER),
    Fault("500", api_call, answered(_500), alone=True, retried=True),
    Fault("500-always", api_call, repeated(answered(_500), answered(_500), 2), alone=True),
    Fault("503", api_call, answered(_status(503, "ServiceUnavailable")), alone=True, retried=True),
    Fault("429", api_call, answered(_status(*_BUSY, retry_after="1")), alone=True, retried=True),
    Fault(
        "429-garbage",
        api_call,
        answered(_status(*_BUSY, retry_after="soon")),
        alone=True,
        retried=True,
    ),
    Fault("429-30s", api_call, answered(_status(*_BUSY, retry_after="30")), Heals.LATER),
    Fault("429-1h", api_call, answered(_status(*_BUSY, retry_after="3600"))),
    Fault("reset", api_call, no_answer, alone=True, retried=True),
    Fault("reset-always", api_call, repeated(no_answer, no_answer, 2), alone=True),
    Fault("down", api_call, from_now_on(no_answer, api_call)),
    Fault("hangs", api_call, hangs, Heals.LATER),
    Fault("400", write, answered(_status(400, "BadRequest")), Heals.NEVER, alone=True),
    Fault("401", api_call, answered(_status(401, "Unauthorized")), Heals.LATER),
    Fault("403", api_call, answered(_status(403, "Forbidden")), Heals.LATER, alone=True),
    Fault("404", write, answered(_status(404, "NotFound")), Heals.LATER, alone=True),
    Fault("422", write, answered(_status(422, "Invalid")), Heals.NEVER, alone=True),
    Fault(
        "500-for-good",
        write,
        answered(_status(500, "", "failed to create typed patch object (…): .spec.x")),
        Heals.NEVER,
        alone=True,
    ),
    Fault("conflict", conditional, outdated, alone=True),
    Fault("conflict-3", conditional, repeated(outdated, outdated, 2), alone=True),
    Fault("conflict-always", of_state, from_now_on(outdated, conditional)),
    Fault("exists", child_made, made_before, alone=True),
    Fault("exists-nobodys", made, taken(), Heals.NEVER),
    Fault(
        "exists-anothers",
        child_made,
        taken(
            labels={"kubernaut.ai/workflow": "w", "kubernaut.ai/step": "a"},
            ownerReferences=[
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "name": "somebody",
                    "uid": "0badc0de-0000-4000-8000-000000000000",
                    "controller": True,
                }
            ],
        ),
        Heals.NEVER,
        alone=True,
    ),
    *(Fault(f"lag-{writes}", a_list, lagging(writes), Heals.LATER) for writes in range(1, 6)),
    *(
        Fault(f"stale-{writes}", a_list, from_now_on(lagging(writes), a_list), Heals.LATER)
        for writes in range(1, 6)
    ),
    Fault("gone", next_page, forgotten),
    Fault("gone-2", next_page, repeated(forgotten, forgotten, 1)),
    Fault("gone-always", next_page, from_now_on(forgotten, next_page)),
    Fault("cut", api_call, spoilt(lambda body: body[: len(body) // 2]), alone=True),
    Fault("empty", api_call, spoilt(lambda _: b""), alone=True),
    Fault("html", api_call, spoilt(lambda _: b"<html>a proxy</html>"), alone=True),
    Fault("stopped-before", api_call, stopped_before),
    Fault("stopped-after", api_call, stopped_after),
    Fault("late-before", any_call, late_before, Heals.LATER),
    Fault("late-after", api_call, late_after, Heals.LATER),
    Fault("unread", lambda request: request is REF, unread),
)

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _TABLE}
