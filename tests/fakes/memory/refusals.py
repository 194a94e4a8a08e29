"""What the in-memory API server says when it does not do what was asked: kube-apiserver's words."""

from collections.abc import Iterable, Sequence

from pydantic_core import to_json

from reconciler.kube.answers import Response
from reconciler.kube.requests import Request, Resource, Target, Verb
from tests.fakes.memory.fieldsets import Path
from tests.fakes.memory.schemas import Json, Problem


def status_response(code: int, reason: str, message: str, details: Json | None = None) -> Response:
    """A Status, as every refusal of Kubernetes is one."""
    body: Json = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success" if code < 400 else "Failure",
        "code": code,
    }
    said = {"message": message, "reason": reason, "details": details}
    return Response(code, to_json(body | {key: value for key, value in said.items() if value}))


class Refusal(Exception):  # noqa: N818  # an answer, not an error of the server
    """Carries the response; raised anywhere in the server, answered at its door."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.response = status_response(code, reason, message, details)

    @classmethod
    def no_such_path(cls) -> "Refusal":
        refusal = cls(404, "", "404 page not found")
        refusal.response = Response(404, b"404 page not found\n")
        return refusal

    @classmethod
    def too_large(cls, limit: int) -> "Refusal":
        message = f"Request entity too large: limit is {limit}"
        return cls(413, "RequestEntityTooLarge", message)

    @classmethod
    def not_found(cls, target: Target) -> "Refusal":
        resource, name = target.resource, target.name
        return cls(404, "NotFound", f'{resource.text} "{name}" not found', _object(resource, name))

    @classmethod
    def no_namespace(cls, name: str) -> "Refusal":
        details = {"name": name, "kind": "namespaces"}
        return cls(404, "NotFound", f'namespaces "{name}" not found', details)

    @classmethod
    def already_exists(cls, resource: Resource, name: str, *, deleting: bool) -> "Refusal":
        being = "object is being deleted: " if deleting else ""
        message = f'{being}{resource.text} "{name}" already exists'
        return cls(409, "AlreadyExists", message, _object(resource, name))

    @classmethod
    def conflict(cls, target: Target, why: str) -> "Refusal":
        resource, name = target.resource, target.name
        message = f'Operation cannot be fulfilled on {resource.text} "{name}": {why}'
        return cls(409, "Conflict", message, _object(resource, name))

    @classmethod
    def apply_conflict(cls, fields: Iterable[tuple[str, Path]]) -> "Refusal":
        causes = [
            {
                "reason": "FieldManagerConflict",
                "message": f'conflict with "{manager}"',
                "field": "".join(f".{word[2:]}" for word in path),
            }
            for manager, path in sorted(fields)
        ]
        message = f"Apply failed with {len(causes)} conflicts"
        return cls(409, "Conflict", message, {"causes": causes})

    @classmethod
    def invalid(cls, resource: Resource, name: str, problems: Sequence[Problem]) -> "Refusal":
        found = [f"{problem.field}: {problem.message}" for problem in problems]
        words = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
        causes = [
            {"reason": problem.reason, "message": problem.message, "field": problem.field}
            for problem in problems
        ]
        about = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
        details = {"name": name, "group": resource.group, "kind": resource.kind, "causes": causes}
        return cls(422, "Invalid", f'{about} "{name}" is invalid: {words}', details)

    @classmethod
    def unknown(cls, request: Request, fields: Iterable[str]) -> "Refusal":
        """Of strict field validation; a patch is told in another way than a whole object."""
        kind = request.target.resource.kind
        words = ", ".join(f'unknown field "{field}"' for field in sorted(fields))
        if request.verb is Verb.PATCH:
            problem = Problem("patch", f"Invalid value: strict decoding error: {words}")
            return cls.invalid(request.target.resource, "", [problem])
        message = (
            f'{kind} in version "{request.target.resource.version}" cannot be handled as a {kind}: '
            f"strict decoding error: {words}"
        )
        return cls(400, "BadRequest", message)

    @classmethod
    def untyped(cls, target: Target, why: str) -> "Refusal":
        """Of an apply that does not fit the schema: a 500, though it will never fit."""
        where = f"{target.namespace}/{target.name}; {target.resource.api_version}"
        kind = f"Kind={target.resource.kind}"
        return cls(500, "", f"failed to create typed patch object ({where}, {kind}): {why}")


def _object(resource: Resource, name: str) -> Json:
    group = {"group": resource.group} if resource.group else {}
    return {"name": name, "kind": resource.plural, **group}
