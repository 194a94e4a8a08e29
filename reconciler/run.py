"""One run: the nine stages of contract 1, in their order, and the order of effects within them.

    lease -> source -> apply -> observe -> decide -> reserve -> create -> report -> push

Every effect of a run is ordered here and nowhere else. A run keeps nothing for the next one, and
a pass nothing for the next pass: what each knows it has read. A crash between any two calls is
healed by the next run; where it matters, a comment says what is left behind.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import TypeVar

from reconciler.core.names import PAUSE
from reconciler.core.outcome import Documents, Outcome, Stage
from reconciler.core.source import SourceSettings, SourceView
from reconciler.core.tally import tally
from reconciler.errors import ClusterError, DeadlinePassed, Refused, SourceError
from reconciler.reconcile import Pass, glance, handle, room, survive
from reconciler.seams import Scope, World
from reconciler.settings import Settings
from reconciler.stages import lease, records
from reconciler.stages.apply import Applied, apply_source
from reconciler.stages.observe import Seen, observe
from reconciler.stages.push import push
from reconciler.stages.report import announce
from reconciler.stages.source import at_the_fence, read_source
from reconciler.stopwatch import Stopwatch
from reconciler.version import version

_log = logging.getLogger(__name__)
T = TypeVar("T")

_WORKERS = 16  # as many as there are connections; more bought nothing (measured)


def run(world: World, settings: Settings, workers: int = _WORKERS) -> Outcome:
    """Stage 1 around the passes: one, or with --interval as many as fit before the deadline.

    Raises:
        UsageError: the source's head names another URL or other paths; exit 2.
    """
    held = lease.Held()
    if settings.lease_name and not settings.dry_run:
        try:
            held = lease.take(world, settings.lease_name)
        except (ClusterError, DeadlinePassed) as error:
            return _unreached(world, settings, error)
    if held.elsewhere:
        _log.info("nothing done: the Lease is held by %s", held.elsewhere)
        return replace(_outcome(world, settings, Stopwatch(world.clock)), held_elsewhere=True)
    try:
        outcome = _pass(world, settings, workers)
        while _another(world, settings):
            outcome = _pass(world, settings, workers).after(outcome)
        return outcome
    finally:
        if held.ours:
            lease.release(world, held.ours)


def _pass(world: World, settings: Settings, workers: int) -> Outcome:
    """Stages 2 to 9 once."""
    watch = Stopwatch(world.clock)
    outcome = _outcome(world, settings, watch)
    try:
        paused = _paused(world)
        outcome = replace(outcome, paused=paused)
        outcome = survive(
            "the source",
            functools.partial(_source, world, settings, outcome, watch, workers),
            functools.partial(replace, outcome, bug=True, admits=False),
        )
        with watch.time(Stage.OBSERVE):
            observed = observe(world, _scope(settings))
        this = Pass(world, settings, observed, watch, paused, outcome.admits, outcome.unanswered)
        outcome = _workflows(replace(this, room=room(this)), outcome, workers)
    except DeadlinePassed:
        outcome = replace(outcome, truncated=True)
    except ClusterError as error:
        _log.error("%s", error)
        outcome = replace(outcome, cluster_failed=True)
    outcome = _finished(world, outcome, watch)
    if not settings.dry_run:
        push(world, settings, outcome)
    return outcome


# --- stages 2 and 3: the source ----------------------------------------------------------------


def _source(
    world: World, settings: Settings, outcome: Outcome, watch: Stopwatch, workers: int
) -> Outcome:
    """A source that fails, in git or in the cluster, ends its own stages: what runs goes on."""
    if world.source is None:
        return outcome
    untouched = True
    try:
        with watch.time(Stage.SOURCE):
            told = _source_settings(settings)
            if not settings.shard.first:
                return replace(outcome, admits=not at_the_fence(world, told))
            view = read_source(world, told)
        untouched = False
        with watch.time(Stage.APPLY):
            applied = apply_source(
                world, view, paused=outcome.paused, dry_run=settings.dry_run, workers=workers
            )
            if view.due and not settings.dry_run:
                records.settle_records(world.cluster, view)
    except SourceError as error:
        _log.error("the source was not read: %s", error)
        return replace(outcome, source_ready=False, admits=untouched)
    except ClusterError as error:  # a record that nobody can read, a list that a role lacks
        _log.error("the source was not applied: %s", error)
        return replace(outcome, source_ready=False, cluster_failed=True, admits=untouched)
    for problem in applied.problems:
        _log.warning("%s", problem.text, extra={"commit": applied.commit})
    for event in applied.events:
        announce(world, event)
    return replace(
        outcome,
        source_ready=True,
        admits=not applied.lost,
        unanswered=applied.unanswered,
        documents=_documents(settings, view, applied),
        reported=outcome.reported + len(applied.problems),
    )


def _documents(settings: Settings, view: SourceView, applied: Applied) -> Documents | None:
    if view.idle or view.committed_at is None:
        return None
    return Documents(
        settings.source_ref, view.commit, view.committed_at, applied.results, applied.deleted
    )


# --- stages 5 to 8: the workflows --------------------------------------------------------------


def _workflows(this: Pass, outcome: Outcome, workers: int) -> Outcome:
    for unreadable in this.observed.unreadable:
        _log.warning("%s/%s: %s", unreadable.namespace, unreadable.name, unreadable.why)
    at_rest, rest = [], []
    with this.watch.time(Stage.DECIDE):
        for seen in this.observed.seen:
            done = glance(this, seen)
            if done is None:
                rest.append(seen)
            else:
                at_rest.append(done)
    handled = _spread(functools.partial(handle, this), rest, workers)
    total = tally([*at_rest, *handled], this.observed.now)
    return replace(
        outcome,
        observed=True,
        work=total.work,
        reported=outcome.reported + total.reported + len(this.observed.unreadable),
        truncated=total.truncated,
        bug=outcome.bug or total.bug,
    )


def _spread(act: Callable[[Seen], T], seen: Sequence[Seen], workers: int) -> list[T]:
    """In threads, in the order seen; with one worker without any, so that a test can replay it."""
    if workers == 1:
        return [act(each) for each in seen]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(act, seen))


# --- around the stages -------------------------------------------------------------------------


def _paused(world: World) -> bool:
    """While the ConfigMap exists nothing is applied and nothing new starts."""
    try:
        found = world.cluster.config_map(PAUSE)
    except Refused as error:
        if error.status == HTTPStatus.UNAUTHORIZED:
            raise
        _log.warning("whether the reconciler is paused could not be read: %s", error)
        return False
    if found is not None:
        _log.warning("paused: %s", found.data.get("why", "no reason is given"))
    return found is not None


def _another(world: World, settings: Settings) -> bool:
    """Waits for the next pass; False when none fits before the deadline."""
    if settings.interval <= 0 or world.deadline.remaining <= settings.interval:
        return False
    world.clock.sleep(settings.interval)
    return not world.deadline.passed


def _scope(settings: Settings) -> Scope:
    source = settings.source_name if settings.source_url else None
    return Scope(settings.namespace, source, settings.selector, settings.shard)


def _source_settings(settings: Settings) -> SourceSettings:
    return SourceSettings(
        name=settings.source_name,
        url=settings.source_url or "",
        paths=settings.source_paths,
        namespace=settings.namespace,
        state_namespace=settings.state_namespace,
        release=version(),
        moved=settings.source_moved,
        record=settings.first_run == "record",
        adopt=settings.adopt,
        cluster=settings.cluster,
        prune=settings.prune,
    )


def _outcome(world: World, settings: Settings, watch: Stopwatch) -> Outcome:
    return _finished(
        world, Outcome(ended=world.clock.now(), seconds=0.0, strict=settings.strict), watch
    )


def _finished(world: World, outcome: Outcome, watch: Stopwatch) -> Outcome:
    return replace(
        outcome,
        ended=world.clock.now(),
        seconds=world.deadline.elapsed,
        stage_seconds=watch.seconds,
        requests=world.cluster.requests(),
    )


def _unreached(world: World, settings: Settings, error: Exception) -> Outcome:
    """No answer to the first call: there is nothing else for this run to do."""
    _log.error("%s", error)
    outcome = replace(
        _outcome(world, settings, Stopwatch(world.clock)),
        cluster_failed=isinstance(error, ClusterError),
        truncated=isinstance(error, DeadlinePassed),
    )
    push(world, settings, outcome)
    return outcome
