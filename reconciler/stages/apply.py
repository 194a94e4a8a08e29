"""Stage 3: records, then the fence, then applies and deletions, then `whole` (contract 5).

A run that loses the fence applies and deletes nothing. One document harms itself alone. Nothing is
applied that its record does not hold, and nothing is touched that was not read before the fence.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from reconciler.applying.entries import entered, record_of, tidied
from reconciler.applying.head import write_head
from reconciler.applying.leaving import (
    Leaver,
    Sent,
    deleted,
    looked_at,
    make_way,
    tell_dry,
    tell_held,
)
from reconciler.core.api import RecordState
from reconciler.core.bodies import Json, Origin, adopting, steering, touching, whole
from reconciler.core.definitions import Definition, Outline
from reconciler.core.names import SOURCE_LABEL
from reconciler.core.orders import DocumentOutcome, Order, outcomes
from reconciler.core.outcome import DocumentResult, Rule
from reconciler.core.records import entry_of
from reconciler.core.retention import Records, departures
from reconciler.core.source import Head, HeadState, Key, SourceView
from reconciler.core.transitions import note
from reconciler.core.verdicts import (
    LASTING,
    Claim,
    Todo,
    as_listed,
    live,
    looked,
    name_taken,
    recorded,
    verdict,
)
from reconciler.errors import AlreadyExists, ClusterError, Conflict, Refused
from reconciler.seams import Cluster, Event, Precondition, Regarding, World

_log = logging.getLogger(__name__)
T = TypeVar("T")
U = TypeVar("U")

_TOLD_IN_EVENTS: Mapping[DocumentResult, str] = {
    DocumentResult.ALREADY_RAN: "AlreadyRan",
    DocumentResult.SPEC_IMMUTABLE: "SpecImmutable",
    DocumentResult.NAME_TAKEN: "NameTaken",
}


@dataclass(frozen=True, slots=True)
class Applied:
    """What stage 3 did.

    `results` counts every document once; empty when the source stood still (nothing was read).
    `events` regard the head and are due only now, after the writes they speak of.
    `lost`: another run was faster and nothing was applied. `whole`: the commit is done with.
    `deleted` counts the runs that went. `unanswered`: objects that something which was sent
    may still reach.
    """

    commit: str
    results: Mapping[DocumentResult, int]
    outcomes: tuple[DocumentOutcome, ...] = ()
    events: tuple[Event, ...] = ()
    lost: bool = False
    whole: bool = False
    deleted: Mapping[Rule, int] = field(default_factory=dict)
    unanswered: frozenset[Key] = frozenset()

    @property
    def problems(self) -> tuple[DocumentOutcome, ...]:
        """What somebody should hear of; one that was not reached is only late."""
        return tuple(
            each
            for each in self.outcomes
            if each.message and each.result is not DocumentResult.NOT_REACHED
        )


_Touch = tuple[Key, Mapping[str, object]]  # an object as it was read before the fence


class _Spread:
    """One act over many, in threads and in their order; with one worker without any."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def __call__(self, act: Callable[[T], U], items: Sequence[T]) -> list[U]:
        if self._workers == 1 or len(items) <= 1:
            return [act(each) for each in items]
        with ThreadPoolExecutor(self._workers) as pool:
            return list(pool.map(act, items))


def apply_source(
    world: World,
    view: SourceView,
    *,
    paused: bool = False,
    dry_run: bool = False,
    workers: int = 1,
) -> Applied:
    """Applies what changed. Paused: nothing is written. Dry run: the server's, and no other write.

    `workers`: documents that are on their way at once; the records of all come before the fence,
    and their applies after it, however many there are.

    Raises:
        SourceError: the head could not be written; nothing was applied.
        ClusterError: no answer to the fence; nothing was applied.
        DeadlinePassed: what is left is the next run's.
    """
    if view.idle:
        return Applied(view.commit, {}, whole=True)
    cluster, spread = world.cluster, _Spread(workers)
    orders = spread(partial(_ordered, cluster, view), view.definitions.outlines)
    if paused:
        return _applied(view, [_held_back(each) for each in orders])
    if dry_run:
        for leaver in _leavers(cluster, view, view.records, spread)[0]:
            tell_dry(leaver)
        return _applied(view, spread(partial(_sent, cluster, view, dry_run=True), orders))
    return _carried_out(cluster, view, orders, spread)


def _carried_out(
    cluster: Cluster, view: SourceView, orders: list[Order], spread: _Spread
) -> Applied:
    """The order of effects. Each may be the last one of a run that dies or falls asleep."""
    orders = spread(partial(entered, cluster, view), orders)
    records, believed = tidied(cluster, view)
    leavers, seen = _leavers(cluster, view, records, spread)
    # Only now: a document that its record held back is not sent, so its object must be moved.
    touches, unknown = _touches(cluster, view, _moving(orders, leavers), spread)
    # a crash here: contents are intended and nothing is applied. The next run applies them, or
    # drops them when git says something else by then.
    head = view.head
    if touches or leavers or any(each.sends or each.asks for each in orders):
        try:
            head = write_head(cluster, head.fenced(view.settings, view.commit, view.now))
        except (Conflict, AlreadyExists):
            return _lost(view, orders)
    # a crash here, or between any two of what follows: the head says `applying`, so the next run
    # sends again what has not settled; what this one still holds then meets another
    # resourceVersion, or a record that has dropped its content.
    orders = spread(partial(_sent, cluster, view), orders)
    moved = spread(partial(_touch, cluster, view, head), touches)
    asked = spread(partial(make_way, cluster), [each for each in orders if each.asks])
    gone = spread(partial(deleted, cluster), leavers)
    late = {key for (key, _), done in zip(touches, moved, strict=True) if not done}
    late |= {seen.key for each in asked if not each.answered for seen in each.seen}
    late |= {seen.key for each in gone if not each.answered for seen in each.seen}
    late |= {each.key for each in orders if each.unanswered} | unknown
    applied = replace(_applied(view, orders), deleted=_counted(gone))
    if late:
        # An apply of ours may land any time. The head still says so, and the next run sends
        # again what it could overwrite.
        return _announced(view, head, replace(applied, unanswered=frozenset(late)))
    told = head.closed(view.settings, view.commit, view.now, _state(view, orders, applied))
    # Who could not be looked at, or settled too late, may have to go: the next run looks as though
    # flags had changed.
    return _closed(cluster, view, head, told if believed and seen else told.doubted(), applied)


# --- before the fence -----------------------------------------------------------------------


def _ordered(cluster: Cluster, view: SourceView, definition: Outline) -> Order:
    """What one document calls for; its object is read whole only where that decides."""
    meta = view.objects.get((definition.namespace, definition.run))
    entry = entry_of(record_of(view, definition), definition.content)
    uid = meta.uid if meta else ""
    order = Order(definition, verdict(definition, entry, meta), uid=uid)
    if not isinstance(definition, Definition):
        # It was not parsed since nothing is to be done about it; nothing is, whatever this says.
        idle = order.verdict.todo is Todo.LEAVE
        return order if idle else order.postponed("its file is parsed by the next run")
    if order.verdict.todo is Todo.LOOK or (meta is None and view.settings.adopt):
        try:
            raw = cluster.raw_workflow(definition.namespace, definition.run)
        except ClusterError as error:
            return order.postponed(str(error))
        seen = live(raw) if raw else None
        claim = Claim(view.settings.name, view.settings.adopt)
        found = looked(definition, entry, meta, seen, claim)
        order = replace(order, verdict=found, raw=raw, uid=seen.uid if seen else uid)
    return order.ruled(recorded(order.verdict, entry)) if view.recording else order


def _held_back(order: Order) -> Order:
    return order.postponed("paused: nothing is applied") if order.sends else order


def _leavers(
    cluster: Cluster, view: SourceView, records: Records, spread: _Spread
) -> tuple[list[Leaver], bool]:
    """Who is deleted at the end of the stage, each looked at whole; whether all could be."""
    found = departures(view, records)
    tell_held(found)
    seen = spread(partial(looked_at, cluster, view), found.items)
    return [leaver for leaver, _ in seen if leaver is not None], all(known for _, known in seen)


def _moving(orders: Sequence[Order], leavers: Sequence[Leaver]) -> frozenset[Key]:
    """What this run moves anyway."""
    sent = {each.key for each in orders if each.sends}
    asked = {seen.key for each in orders for seen in each.asks}
    return frozenset(sent | asked | {each.seen.key for each in leavers})


def _touches(
    cluster: Cluster, view: SourceView, moving: frozenset[Key], spread: _Spread
) -> tuple[list[_Touch], frozenset[Key]]:
    """After a fence that was left unfinished: every unsettled object that is not moved anyway.

    The run that left it may be asleep before an apply that git has taken back since. Once the
    object has moved, that apply is refused. Also those that are not as they were judged by.
    """
    if not view.head.unfinished:
        return [], frozenset()
    ours = [
        each.key
        for each in view.unsettled
        if each.metadata.labels.get(SOURCE_LABEL) == view.settings.name and each.key not in moving
    ]
    read = spread(partial(_looked_at, cluster, view), ours)
    found = list(zip(ours, read, strict=True))
    unknown = frozenset(key for key, (_, known) in found if not known)
    return [(key, raw) for key, (raw, _) in found if raw], unknown


def _looked_at(
    cluster: Cluster, view: SourceView, key: Key
) -> tuple[Mapping[str, object] | None, bool]:
    """The object, and whether it is as it was listed; one that is gone needs nothing."""
    try:
        raw = cluster.raw_workflow(*key)
    except ClusterError as error:
        _log.info("%s/%s is sent again by the next run: %s", *key, error)
        return None, False
    if raw is None:
        return None, True
    # Not so when an apply has landed since: the next run judges the object by that.
    same = as_listed(live(raw), view.objects.get(key))
    return (raw, True) if same else (None, False)


def _read_as(raw: Mapping[str, object] | None) -> Precondition:
    seen = live(raw) if raw else None
    return Precondition(seen.uid, seen.version) if seen else Precondition()


# --- the end ----------------------------------------------------------------------------------


def _closed(
    cluster: Cluster, view: SourceView, head: Head, told: Head, applied: Applied
) -> Applied:
    """The last write of the head: how far the commit came."""
    done = told.state is HeadState.WHOLE
    if told == replace(head, checked=view.now) and not view.due:
        return replace(applied, whole=done)
    try:
        head = write_head(cluster, told)
    except (Conflict, AlreadyExists):
        # Another run has fenced since. What was applied is applied, and it goes on from there.
        return _announced(view, head, applied)
    return _announced(view, head, replace(applied, whole=done))


def _state(view: SourceView, orders: Sequence[Order], applied: Applied) -> HeadState:
    if all(result in LASTING for result in applied.results):
        return HeadState.WHOLE
    if view.recording and any(_not_entered(view, each) for each in orders):
        return HeadState.RECORDING
    return HeadState.REACHED


def _not_entered(view: SourceView, order: Order) -> bool:
    """Left by a run of a source that is new: whoever comes next must not start it either."""
    entry = entry_of(record_of(view, order.definition), order.definition.content)
    created = entry is not None and entry.state is RecordState.CREATED
    return not created and order.result is not DocumentResult.RECORDED


def _counted(gone: Sequence[Sent]) -> Mapping[Rule, int]:
    return Counter(each.rule for each in gone if each.rule is not None)


# --- the applies ----------------------------------------------------------------------------


def _sent(cluster: Cluster, view: SourceView, order: Order, *, dry_run: bool = False) -> Order:
    """The order after its apply; one that calls for none as it is."""
    stated = order.definition
    if not order.sends or not isinstance(stated, Definition):
        return order
    made = order.verdict.todo is Todo.MAKE
    known = Precondition() if made else _read_as(order.raw)
    try:
        cluster.apply_workflow(_body(view, order, stated), known, dry_run=dry_run)
    except (Conflict, AlreadyExists) as error:
        late = order.postponed(f"it changed since it was read: {error}")
        return _met(cluster, view, order) if made else late
    except Refused as error:
        return order.refused(str(error))
    except ClusterError as error:
        return order.postponed(str(error), unanswered=True)
    return order


def _body(view: SourceView, order: Order, stated: Definition) -> Json:
    origin = _origin(view)
    if order.raw is not None and order.verdict.todo is Todo.STEER:
        return steering(order.raw, stated, origin)
    if order.raw is not None and order.verdict.todo is Todo.ADOPT:
        return adopting(stated, origin, settled=live(order.raw).settled)
    return whole(stated, origin)


def _met(cluster: Cluster, view: SourceView, order: Order) -> Order:
    """A create met an object of that name: ours when an answer of this run, or a run, was lost."""
    definition = order.definition
    try:
        raw = cluster.raw_workflow(definition.namespace, definition.run)
    except ClusterError as error:
        return order.postponed(str(error))
    seen = live(raw) if raw else None
    if seen is not None and seen.source != view.settings.name:
        return order.ruled(name_taken(definition, seen))
    if seen is not None and seen.content == definition.content:
        return order
    return order.postponed("an object of that name came and is looked at by the next run")


def _touch(cluster: Cluster, view: SourceView, head: Head, touch: _Touch) -> bool:
    """Whether no older apply of this object can land any more."""
    key, raw = touch
    body = touching(raw, _origin(view), head.version)
    if body is None:
        return True  # nothing of it was ever applied by us
    try:
        cluster.apply_workflow(body, _read_as(raw))
    except Refused as error:
        _log.info("%s/%s was not sent again: %s", *key, error)
        return True  # what the server refuses us it refuses the other run too
    except ClusterError as error:
        _log.info("%s/%s is sent again by the next run: %s", *key, error)
        return False
    return True


def _origin(view: SourceView) -> Origin:
    return Origin(view.settings.name, view.commit, view.committed_at, view.signer)


# --- what is told ---------------------------------------------------------------------------


def _applied(view: SourceView, orders: Sequence[Order]) -> Applied:
    results = Counter(each.result for each in orders)
    results[DocumentResult.INVALID] = view.invalid
    results[DocumentResult.ELSEWHERE] = len(view.definitions.elsewhere)
    told = tuple(outcomes(view, orders))
    for outcome in told:
        if outcome.result is DocumentResult.NOT_REACHED:
            _log.info("left to the next run: %s", outcome.text)
    return Applied(view.commit, +results, told)


def _lost(view: SourceView, orders: Sequence[Order]) -> Applied:
    """Another run fenced first. What this one left intended, it or the next drops or applies."""
    _log.info(
        "another run applies the source %s: nothing is applied by this one", view.settings.name
    )
    late = [each.postponed("another run was faster") if each.sends else each for each in orders]
    return replace(_applied(view, late), lost=True)


def _announced(view: SourceView, head: Head, applied: Applied) -> Applied:
    """With the Events of a commit that this run's head write is the first to name."""
    if not view.first or head.commit != view.commit:
        return applied
    told = {
        reason: [each.text for each in applied.outcomes if each.result is result]
        for result, reason in _TOLD_IN_EVENTS.items()
    }
    if view.rewritten:
        why = (
            f"the commit {view.commit} does not descend from {view.head.commit}, which was read "
            "before: history was rewritten or the ref was moved. What the ref says now is applied"
        )
        _log.warning("%s", why)
        told["SourceRewritten"] = [why]
    regarding = Regarding("v1", "ConfigMap", view.settings.state_namespace, head.name, head.uid)
    return replace(
        applied,
        events=tuple(
            Event(regarding, reason, note(lines), warning=True)
            for reason, lines in told.items()
            if lines
        ),
    )
