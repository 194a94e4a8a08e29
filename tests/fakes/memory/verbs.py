"""What the in-memory API server does with a request: kube-apiserver's verbs over the storage."""

from collections.abc import Callable, Mapping, Sequence

from pydantic_core import from_json, to_json

from reconciler.kube.requests import METADATA_ONLY, Request, Verb
from tests.fakes.memory import fieldsets, metadata, selectors
from tests.fakes.memory.fieldsets import NONE, Fields
from tests.fakes.memory.refusals import Refusal, status_response
from tests.fakes.memory.schemas import Found, Json, Problem
from tests.fakes.memory.served import Served
from tests.fakes.memory.storage import Draft, Manager, Managers, Storage, Stored

_MERGE = "application/merge-patch+json"
_CONTINUED = "after-"
_Answer = tuple[int, bytes]
_Rest = tuple[int, Sequence[Stored]]  # version of the first page, and what is left
_Carried = Callable[[Served, Request], _Answer]

_OF_READS = frozenset(("limit", "continue", "labelSelector", "fieldSelector"))
_OF_WRITES = frozenset(("fieldManager", "fieldValidation", "force", "dryRun"))
_NO_LABELS: Mapping[str, str] = {}
_ALWAYS_SELECTABLE = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
}


class Verbs:
    """One request at a time; every answer that is not what was asked is a Refusal."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lists: dict[str, _Rest] = {}
        self._table: Mapping[Verb, _Carried] = {
            Verb.GET: self._get,
            Verb.LIST: self._list,
            Verb.CREATE: self._create,
            Verb.UPDATE: self._update,
            Verb.PATCH: self._patch,
            Verb.APPLY: self._apply,
            Verb.DELETE: self._delete,
        }

    def forget_lists(self) -> None:
        self._lists.clear()

    def answer(self, served: Served, request: Request) -> _Answer:
        unheard = {key for key, _ in request.query} - _OF_READS - _OF_WRITES
        if unheard:
            raise NotImplementedError(f"what {', '.join(unheard)} means is not known here")
        return self._table[request.verb](served, request)

    # --- reads ------------------------------------------------------------------------------

    def _get(self, _: Served, request: Request) -> _Answer:
        return 200, self._storage.existing(request.target).raw

    def _list(self, served: Served, request: Request) -> _Answer:
        query = dict(request.query)
        version, matching = (
            self._continued(query["continue"])
            if query.get("continue")
            else (self._storage.version, self._matching(served, request.target.namespace, query))
        )
        limit = int(query.get("limit", 0)) or len(matching)
        page, rest = matching[:limit], matching[limit:]
        about: Json = {"resourceVersion": str(version)}
        if rest:
            token = f"{_CONTINUED}{version}-{len(self._lists)}"
            self._lists[token] = (version, rest)
            about["continue"] = token
            if not {"labelSelector", "fieldSelector"} & query.keys():
                about["remainingItemCount"] = len(rest)
        return 200, _list_body(served, request, about, page)

    def _continued(self, token: str) -> _Rest:
        """The moment of the first page, whatever has happened since."""
        if token in self._lists:
            return self._lists[token]
        if token.startswith(_CONTINUED):
            raise Refusal(410, "Expired", "The provided continue parameter is too old")
        raise Refusal(400, "BadRequest", "invalid continue token")

    def _matching(
        self, served: Served, namespace: str | None, query: Mapping[str, str]
    ) -> Sequence[Stored]:
        try:
            labelled = selectors.labels(query.get("labelSelector", ""))
            terms = selectors.fields(query.get("fieldSelector", ""))
        except ValueError as error:
            raise Refusal(400, "BadRequest", str(error)) from None
        paths = {**_ALWAYS_SELECTABLE, **served.selectable}
        for field, _, _ in terms:
            if field not in paths:
                raise Refusal(400, "BadRequest", f"field label not supported: {field}")
        return [
            stored
            for stored in self._storage.all(served.resource)
            if namespace in (None, stored.meta["namespace"])
            and labelled(stored.meta.get("labels", _NO_LABELS))
            and all(
                (_selected(stored.body, paths[field]) == value) is wanted
                for field, wanted, value in terms
            )
        ]

    # --- writes -----------------------------------------------------------------------------

    def _create(self, served: Served, request: Request) -> _Answer:
        body = _decoded(request)
        if "resourceVersion" in body["metadata"]:
            raise Refusal(500, "", "resourceVersion should not be set on objects to be created")
        return 201, self._made(served, request, body, Manager(_manager(request), "Update"))

    def _made(self, served: Served, request: Request, body: Json, manager: Manager) -> bytes:
        """A new object, by a create or by the apply of one that is not there."""
        namespace = request.target.namespace or ""
        if namespace not in self._storage.namespaces:
            raise Refusal.no_namespace(namespace)
        about = _named(body["metadata"], request, self._storage.next_suffix())
        if served.custom and "status" in body:
            _found(served, request, {"metadata": about, "status": body.pop("status")}, None)
        made = _judged(served, request, {**body, "metadata": about}, None)
        self._free(request, about["name"])
        name = {"name": about["name"], "namespace": namespace}
        made = {**made, "metadata": {**name, **metadata.peoples(about)}}
        fields = (
            fieldsets.stated(served.tops, body)
            if manager.operation == "Apply"
            else fieldsets.changes(served.tops, {"metadata": {}}, made)[0]
        )
        if served.default_status is not None:
            made["status"] = served.default_status
        draft = Draft(made, {manager: fields}, defaulted=not served.custom, dry=_dry(request))
        return self._storage.create(served, draft).raw

    def _free(self, request: Request, name: str) -> None:
        target = request.target
        held = self._storage.find(target.resource, target.namespace or "", name)
        if held:
            deleting = "deletionTimestamp" in held.meta
            raise Refusal.already_exists(target.resource, name, deleting=deleting)

    def _update(self, served: Served, request: Request) -> _Answer:
        body = _decoded(request)
        old = self._storage.existing(request.target)
        given = body["metadata"]
        if "resourceVersion" not in given and not served.unconditional:
            problem = Problem("metadata.resourceVersion", "must be specified for an update")
            raise Refusal.invalid(request.target.resource, request.target.name, [problem])
        _same_version(request, given, old)
        if given.get("uid", old.meta["uid"]) != old.meta["uid"]:
            raise Refusal.conflict(request.target, "Precondition failed: UID in precondition")
        return 200, self._replaced(served, request, old, body)

    def _patch(self, served: Served, request: Request) -> _Answer:
        if request.content_type != _MERGE:
            raise Refusal(415, "UnsupportedMediaType", "the body was in an unknown format")
        old = self._storage.existing(request.target)
        body = _merge_patched(old.body, from_json(request.body))
        _same_version(request, body["metadata"], old)
        return 200, self._replaced(served, request, old, body)

    def _replaced(self, served: Served, request: Request, old: Stored, body: Json) -> bytes:
        """What was sent, whole or as a patch, in place of what is there."""
        _known(served, request, body, old)
        new = _judged(served, request, _assembled(served, request, old, body), old)
        _same_uid(request, body["metadata"], old)
        altered, removed = fieldsets.changes(served.tops, old.body, new)
        own = Manager(_manager(request), "Update", request.target.subresource)
        managers = {
            manager: fields - removed if manager == own else fields - altered - removed
            for manager, fields in old.managers.items()
        }
        if altered:
            managers[own] = managers.get(own, NONE) | altered
        draft = Draft(new, _held(managers), dry=_dry(request))
        return self._storage.replace(served, old, draft).raw

    def _apply(self, served: Served, request: Request) -> _Answer:
        body, target = _decoded(request), request.target
        _appliable(request, body)
        manager = Manager(_manager(request), "Apply", target.subresource)
        _found(served, request, body, None)
        old = self._storage.find(target.resource, target.namespace or "", target.name)
        if old is None:
            if body["metadata"].get("uid"):
                raise Refusal.conflict(target, "uid mismatch: no existing object was found")
            return 201, self._made(served, request, body, manager)
        _same_version(request, body["metadata"], old)
        over = fieldsets.merged(served.tops, old.body, body)
        new = _assembled(served, request, old, over)
        fields = fieldsets.stated(served.tops, body)
        others = _overruled(served, request, old, new)
        still = fields.union(*others.values())
        new = fieldsets.without(served.tops, new, old.managers.get(manager, NONE) - still)
        new = _judged(served, request, new, old)
        _same_uid(request, body["metadata"], old)
        draft = Draft(new, {**_held(others), manager: fields}, dry=_dry(request))
        return 200, self._storage.replace(served, old, draft).raw

    def _delete(self, served: Served, request: Request) -> _Answer:
        target, old = request.target, self._storage.existing(request.target)
        options: Json = from_json(request.body) if request.body else {}
        if options.get("propagationPolicy", "Background") != "Background":
            raise NotImplementedError("only background deletion is known here")
        for field, wanted in options.get("preconditions", {}).items():
            if wanted != old.meta[field]:
                message = f"the {field} in the precondition ({wanted}) does not match"
                raise Refusal.conflict(target, message)
        left = self._storage.delete(served, old)
        if left:
            return 200, left.raw
        details = {"name": target.name, "kind": target.resource.plural, "uid": old.meta["uid"]}
        return 200, status_response(200, "", "", details).body


# --- parts of a write -----------------------------------------------------------------------


def _decoded(request: Request) -> Json:
    """The body, when it is an object of the kind, namespace and name of the path."""
    target, resource = request.target, request.target.resource
    try:
        body: Json = from_json(request.body)
    except ValueError:
        raise Refusal(400, "BadRequest", "the object provided is unrecognized") from None
    if body.get("apiVersion") != resource.api_version:
        raise Refusal(400, "BadRequest", "the API version does not match the request")
    if body.get("kind") != resource.kind:
        problem = Problem("kind", f"must be {resource.kind}")
        raise Refusal.invalid(resource, "", [problem])
    about: Json = body.setdefault("metadata", {})
    if about.get("namespace", target.namespace) != target.namespace:
        raise Refusal(400, "BadRequest", "the namespace of the object does not match the request")
    if request.verb is not Verb.CREATE and about.get("name", target.name) != target.name:
        raise Refusal(400, "BadRequest", "the name of the object does not match the URL")
    return body


def _appliable(request: Request, body: Json) -> None:
    if not dict(request.query).get("fieldManager"):
        problem = Problem("fieldManager", "Required value: is required for apply patch")
        raise Refusal.invalid(request.target.resource, "", [problem])
    if body["metadata"].get("managedFields"):
        raise Refusal(400, "BadRequest", "metadata.managedFields must be nil")


def _named(given: Json, request: Request, suffix: str) -> Json:
    if given.get("name"):
        return given
    if given.get("generateName"):
        return {**given, "name": f"{given['generateName']}{suffix}"}
    return {**given, "name": "" if request.verb is Verb.CREATE else request.target.name}


def _assembled(served: Served, request: Request, old: Stored, body: Json) -> Json:
    """What this write may change, and all else as it is."""
    if request.target.subresource == "status":
        return {**old.body, "status": body.get("status", served.default_status)}
    status = {"status": old.body["status"]} if "status" in old.body else {}
    parts = {key: each for key, each in body.items() if key != "status"}
    return {**parts, "metadata": metadata.updated(old.meta, body["metadata"]), **status}


def _overruled(served: Served, request: Request, old: Stored, new: Json) -> dict[Manager, Fields]:
    """The other managers, without the fields that an apply takes from them; or a conflict."""
    own = Manager(_manager(request), "Apply", request.target.subresource)
    others = {key: fields for key, fields in old.managers.items() if key != own}
    altered, _ = fieldsets.changes(served.tops, old.body, new)
    taken = [(key.name, path) for key, fields in others.items() for path in fields & altered]
    if taken and dict(request.query).get("force") != "true":
        raise Refusal.apply_conflict(taken)
    return {key: fields - altered for key, fields in others.items()}


def _known(served: Served, request: Request, body: Json, old: Stored) -> None:
    """Strict validation sees what is then not used: the spec beside a status, and the reverse."""
    unused = "spec" if request.target.subresource == "status" else "status"
    if unused in body and body[unused] != old.body.get(unused):
        _found(served, request, {"metadata": body["metadata"], unused: body[unused]}, None)


def _judged(served: Served, request: Request, body: Json, old: Stored | None) -> Json:
    """The body without unknown fields, when it may be stored."""
    found = _found(served, request, body, old)
    about = body["metadata"]
    problems = [*found.problems, *metadata.problems(about, old.meta if old else None)]
    if old and not problems:
        problems += [
            Problem(rule.field, f"Forbidden: {rule.message}", "FieldValueForbidden")
            for rule in served.rules
            if not rule.holds(body, old.body)
        ]
    if problems:
        raise Refusal.invalid(request.target.resource, about.get("name", ""), problems)
    return served.root.pruned(body) if found.unknown else body


def _found(served: Served, request: Request, body: Json, old: Stored | None) -> Found:
    """Raises Refusal for unknown fields and wrong types, each in the way of its verb."""
    found = Found(unknown=metadata.unknown(body["metadata"]))
    served.root.look_object(body, "", found, old.body if old else None)
    if request.verb is Verb.APPLY and (found.unknown or found.mistyped):
        why = [f".{field}: field not declared in schema" for field in found.unknown]
        raise Refusal.untyped(request.target, [*why, *map(str, found.mistyped)][0])
    if found.unknown and dict(request.query).get("fieldValidation") == "Strict":
        raise Refusal.unknown(request, found.unknown)
    if found.mistyped and not served.custom:
        raise Refusal(400, "BadRequest", found.mistyped[0].message)
    if found.mistyped:
        name = body["metadata"].get("name", "")
        raise Refusal.invalid(request.target.resource, name, found.mistyped)
    return found


def _same_version(request: Request, given: Json, old: Stored) -> None:
    if given.get("resourceVersion", old.meta["resourceVersion"]) != old.meta["resourceVersion"]:
        raise Refusal.conflict(
            request.target,
            "the object has been modified; please apply your changes to the latest version",
        )


def _same_uid(request: Request, given: Json, old: Stored) -> None:
    """Of a patch or an apply; a PUT is answered 409 before it comes here."""
    if given.get("uid", old.meta["uid"]) != old.meta["uid"]:
        problem = Problem("metadata.uid", "Invalid value: field is immutable")
        raise Refusal.invalid(request.target.resource, request.target.name, [problem])


def _manager(request: Request) -> str:
    return dict(request.query).get("fieldManager", "unknown")


def _dry(request: Request) -> bool:
    return ("dryRun", "All") in request.query


def _held(managers: Mapping[Manager, Fields]) -> Managers:
    return {manager: fields for manager, fields in managers.items() if fields}


def _selected(body: Json, path: Sequence[str]) -> str:
    """A selectable field as text; what is not there is empty."""
    value: object = body
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _merge_patched(value: Json, patch: Json) -> Json:
    """RFC 7386: null removes."""
    merged = dict(value)
    for key, each in patch.items():
        if each is None:
            merged.pop(key, None)
        elif isinstance(each, dict):
            inner = merged.get(key)
            merged[key] = _merge_patched(inner if isinstance(inner, dict) else {}, each)
        else:
            merged[key] = each
    return merged


def _list_body(served: Served, request: Request, about: Json, page: Sequence[Stored]) -> bytes:
    """Joined from what is stored as bytes already."""
    resource = served.resource
    api_version, kind = resource.api_version, f"{resource.kind}List"
    items = b",".join(stored.raw for stored in page)
    if request.accept == METADATA_ONLY:
        api_version, kind = "meta.k8s.io/v1", "PartialObjectMetadataList"
        partial = {"apiVersion": api_version, "kind": "PartialObjectMetadata"}
        items = b",".join(to_json({**partial, "metadata": stored.meta}) for stored in page)
    head = to_json({"apiVersion": api_version, "kind": kind, "metadata": about})
    if request.accept == METADATA_ONLY and not page:
        return b'%b,"items":null}' % head[:-1]  # of metadata alone, and of nothing else
    return b'%b,"items":[%b]}' % (head[:-1], items)
