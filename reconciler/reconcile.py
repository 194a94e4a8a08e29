"""Stages 5 to 8 for one workflow: decide, reserve, create, report (contract 1).

Whatever is wrong with a workflow stays with it (I11). The effects stand here in the one order that
neither a crash between two of them nor a second run can break.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from reconciler.core.api import Phase, WorkflowExecution
from reconciler.core.decide import Decision, decide
from reconciler.core.facts import Children, Facts, unlisted
from reconciler.core.names import SOURCE_LABEL
from reconciler.core.outcome import Stage
from reconciler.core.plan import plan_of
from reconciler.core.ready import slots_held
from reconciler.core.status import already_ran, refused
from reconciler.core.tally import Handled
from reconciler.errors import ClusterError, Conflict, DeadlinePassed, ReconcilerError
from reconciler.room import Room
from reconciler.seams import World
from reconciler.settings import Settings
from reconciler.stages import records
from reconciler.stages.create import Created, ask_to_stop, create
from reconciler.stages.observe import Observed, Seen, look_up
from reconciler.stages.report import report
from reconciler.stages.reserve import reserve
from reconciler.stopwatch import Stopwatch

_log = logging.getLogger(__name__)
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Pass:
    """What every workflow of a pass is handled with.

    `admits`: what the source has intended may begin. Not in a pass that was overtaken at the fence:
    what it intended may be about to be deleted by another run. Nor what is `unanswered`, which
    something of this pass may still reach.
    `room` is what its workflows may still start together, None for all that finds a slot.
    """

    world: World
    settings: Settings
    observed: Observed
    watch: Stopwatch
    paused: bool
    admits: bool = True
    unanswered: frozenset[tuple[str, str]] = frozenset()
    room: Room | None = None


def glance(this: Pass, seen: Seen) -> Handled | None:
    """A workflow that stays as it is, told without a call; None of one that `handle` must see to.

    Most active workflows of a pass have no news, and a thread for each would cost more than to
    decide about it. Raises nothing.
    """
    workflow = seen.workflow
    return _alone(lambda: _at_rest(this, seen), Handled(workflow, workflow.status))


def handle(this: Pass, seen: Seen) -> Handled:
    """One workflow, as it was left; raises nothing."""
    workflow = seen.workflow
    return _alone(lambda: _reconcile(this, seen), Handled(workflow, workflow.status))


def room(this: Pass) -> Room | None:
    """What --max-active-steps leaves to this pass; the shards divide what is left to all."""
    most = this.settings.max_active_steps
    if most is None:
        return None
    active = this.observed.elsewhere
    for seen in this.observed.seen:
        facts = _facts(this, seen.workflow, Children.of(seen.workflow, seen.listed))
        results = {result.step_name: result for result in seen.workflow.status.step_results}
        active += slots_held(facts, results)
    return Room(this.settings.shard.share(max(0, most - active)))


def _alone(act: Callable[[], T], done: Handled) -> T | Handled:
    """What `act` makes of the workflow; what ends it early stays here, beside what was `done`."""
    workflow = done.workflow
    try:
        return survive("{}/{}".format(*workflow.key), act, lambda: replace(done, bug=True))
    except Conflict as error:
        _log.info("left to the next run: %s", error)
        return replace(done, conflict=True)
    except DeadlinePassed:
        return replace(done, truncated=True)
    except ClusterError as error:
        _log.warning("%s/%s: %s", *workflow.key, error)
        return replace(done, problem=str(error))


def survive(met_at: str, act: Callable[[], T], instead: Callable[[], U]) -> T | U:
    """What `act` returns; after a bug of ours, told with its traceback, what `instead` does.

    The one place where anything is caught: the others go on, and the run exits 70.
    """
    try:
        return act()
    except ReconcilerError:
        raise
    except Exception:  # noqa: BLE001 - one workflow must never stop another (I11)
        _log.exception("a bug of ours, met at %s; please report it", met_at)
        return instead()


def _at_rest(this: Pass, seen: Seen) -> Handled | None:
    workflow = seen.workflow
    if not workflow.status.phase.started:
        return None  # its record is asked first
    children = Children.of(workflow, seen.listed)
    if unlisted(workflow, children):
        return None
    facts = _facts(this, workflow, children)
    decision = decide(facts)
    return _handled(facts, decision) if decision.idle and not decision.status.settled else None


def _reconcile(this: Pass, seen: Seen) -> Handled:
    """Stages 5 to 8 for one workflow. A crash between any two is healed by the next run."""
    world, workflow = this.world, seen.workflow
    if not workflow.status.phase.started:  # Pending too: git may have given it another content
        answer = _admission(this, workflow)
        if answer is records.Answer.WAITS:
            return Handled(workflow, workflow.status)
        if answer is records.Answer.ALREADY_RAN:
            return _end(this, workflow)
    with this.watch.time(Stage.DECIDE):
        facts = _facts(this, workflow, look_up(world.cluster, seen))
        decision = decide(facts)
        if decision.status.settled:  # the last look at it: nothing may still be on its way out
            facts = _facts(this, workflow, look_up(world.cluster, seen, settling=True))
            decision = decide(facts)
        if this.room is not None and decision.starts:
            decision = decide(replace(facts, room=this.room.take(decision.starts)))
    handled = _handled(facts, decision)
    if this.settings.dry_run or decision.idle:
        _tell_plan(workflow, decision)
        return handled
    return _carry_out(this, handled, decision)


def _carry_out(this: Pass, handled: Handled, decision: Decision) -> Handled:
    """The effects of a decision, in the one order that a crash or a second run cannot break."""
    world, workflow = this.world, handled.workflow
    written, created = workflow, Created()
    if decision.changed:
        with this.watch.time(Stage.RESERVE):
            written = reserve(world, workflow, decision.status)
        # a crash here: slots are reserved and no child is there; the next run creates them.
        with this.watch.time(Stage.CREATE):
            created = create(world, written, decision, this.observed.not_after)
    done = replace(
        handled,
        status=written.status,
        created=created.made,
        creation_errors=created.errors,
        truncated=created.truncated,
    )
    return _alone(lambda: _follow_up(this, done, decision, written, created), done)


def _follow_up(
    this: Pass, done: Handled, decision: Decision, written: WorkflowExecution, created: Created
) -> Handled:
    """What comes after the children; none of it takes back what was written and created."""
    world = this.world
    ask_to_stop(world, decision.stop)
    if created.refused:
        written = _refuse(world, written, created)
    with this.watch.time(Stage.REPORT):
        if decision.changed:
            report(world, done.workflow, written, created.made)
        if written.status.settled:
            records.conclude(world.cluster, written)
    return replace(done, status=written.status)


def _admission(this: Pass, workflow: WorkflowExecution) -> records.Answer:
    """Whether a workflow may be planned: of a source, only when its record says so (I12)."""
    held = not this.admits or workflow.key in this.unanswered
    if held and SOURCE_LABEL in workflow.metadata.labels:
        return records.Answer.WAITS
    if workflow.deleting or this.paused:
        # Nothing starts; what was planned before is still cancelled or timed out.
        planned = workflow.status.phase is not Phase.NEW
        return records.Answer.MAY_PLAN if planned else records.Answer.WAITS
    if this.settings.dry_run:
        return records.Answer.MAY_PLAN
    with this.watch.time(Stage.RESERVE):
        admission = records.admit(this.world.cluster, workflow)
    if admission.why:
        _log.info("%s/%s waits: %s", *workflow.key, admission.why)
    return admission.answer


def _end(this: Pass, workflow: WorkflowExecution) -> Handled:
    """One status write, and nothing of it runs."""
    status = already_ran(_facts(this, workflow, Children()))
    if not this.settings.dry_run:
        written = reserve(this.world, workflow, status)
        report(this.world, workflow, written, ())
    return Handled(workflow, status)


def _refuse(world: World, written: WorkflowExecution, created: Created) -> WorkflowExecution:
    """The one case of a second status write in a pass: the server refused a creation."""
    status = written.status
    for refusal in created.refused:
        _log.warning("%s/%s: step %s: %s", *written.key, refusal.step, refusal.error)
        status = refused(status, refusal.step, refusal.final, refusal.error)
    # a crash here: the step stays reserved and the next run is refused again.
    return reserve(world, written, status)


def _handled(facts: Facts, decision: Decision) -> Handled:
    """Before anything of the decision was done."""
    return Handled(facts.workflow, decision.status, limit=facts.limit, waiting=decision.waiting)


def _facts(this: Pass, workflow: WorkflowExecution, children: Children) -> Facts:
    return Facts(
        workflow=workflow,
        plan=plan_of(workflow),
        children=children,
        now=this.observed.now,
        cap=this.settings.max_concurrent_steps,
        timed=this.observed.timed,
        paused=this.paused,
    )


def _tell_plan(workflow: WorkflowExecution, decision: Decision) -> None:
    """A dry run says what it would have done; an idle one has nothing to say."""
    if decision.changed:
        steps = ", ".join(creation.result.step_name for creation in decision.create) or "no step"
        _log.info("%s/%s: would start %s: %s", *workflow.key, steps, decision.status.message)
