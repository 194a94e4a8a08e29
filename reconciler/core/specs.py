"""A spec as a document states it -> the model, or findings in sentences for people (contract 5).

Validation is strict: no text where a number is, no field that nobody knows, no field without a
value. A sentence names the field and the rule, never the value, which may be a secret.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reconciler.core.api import (
    ACCOUNT_NAME_PATTERN,
    ACTION_PATTERN,
    DURATION_PATTERN,
    OBJECT_NAME_PATTERN,
    STEP_NAME_PATTERN,
    Slotted,
    Wire,
    WorkflowSpec,
    fields,
)
from reconciler.core.plan import Finding, plan

INVALID = "InvalidDocument"

_PATTERNS: Mapping[str, str] = {
    DURATION_PATTERN: "must be a duration of h, m, s or ms, as in 90s, 5m or 1h30m",
    OBJECT_NAME_PATTERN: "must be the name of an object: a-z, 0-9, '-' and '.', "
    "beginning and ending with a letter or a digit",
    ACCOUNT_NAME_PATTERN: "must be the name of a ServiceAccount: a-z, 0-9, '-' and '.', "
    "beginning and ending with a letter or a digit",
    STEP_NAME_PATTERN: "must be letters, digits, '-', '_' and '.', "
    "beginning and ending with a letter or a digit",
    ACTION_PATTERN: "must be letters and digits and begin with a capital, as in ScaleDeployment",
}

# pydantic's word for what is wrong -> ours; the braces are filled from the error's context.
_SENTENCES: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be text; a number, true or false needs quotes to be text",
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false, without quotes",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "dataclass_type": "must be a mapping",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "too_long": "must have at most {max_length} items, not {actual_length}",
    "too_short": "must not be empty",
    "value_error": "{error}",
}


def read_spec(stated: Mapping[str, object]) -> tuple[WorkflowSpec | None, tuple[Finding, ...]]:
    """The model of a spec without runPolicy, or every reason why there is none, never both."""
    empty = tuple(_without_value(stated, "spec"))
    if empty:
        return None, empty
    try:
        # As JSON: only there does strict mean what it means to the API server, a list for a list.
        model = WorkflowSpec.model_validate_json(
            json.dumps(stated), strict=True, by_alias=True, by_name=False
        )
    except ValidationError as error:
        return None, tuple(_finding(each) for each in error.errors(include_url=False))
    findings = plan(model).findings
    return (None, findings) if findings else (model, ())


def printable(key: object) -> str:
    """A key of a document as part of a path; what is no plain word may be anything."""
    text = str(key)
    return text if re.fullmatch(r"[A-Za-z0-9._/-]{1,100}", text) else "?"


def _without_value(value: object, path: str) -> Iterator[Finding]:
    """The server drops or refuses a null, by field; here it is always a slip."""
    if value is None:
        yield Finding(path, f"{_short(path)} has no value: give it one or leave it out", INVALID)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _without_value(each, f"{path}.{printable(key)}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _without_value(each, f"{path}[{index}]")


def _finding(error: ErrorDetails) -> Finding:
    path = _path(error["loc"])
    return Finding(path, f"{_short(path)} {_sentence(error)}", INVALID)


def _sentence(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"is no field that is known here{_meant(error['loc'])}"
        case "string_pattern_mismatch":
            return _PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
        case known if known in _SENTENCES:
            return _SENTENCES[known].format(**context)
        case other:
            return f"is not valid ({other})"


def _path(location: tuple[int | str, ...]) -> str:
    """Pydantic's location as a field path; `[key]` marks a bad key of the mapping before it."""
    path = "spec"
    for part in location:
        if part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{printable(part)}"
    return path


def _short(path: str) -> str:
    """The path as people say it."""
    return path.removeprefix("spec.workflowDefinition.").removeprefix("spec.")


def _meant(location: tuple[int | str, ...]) -> str:
    """`: did you mean dependsOn?`, or nothing."""
    known = _fields(location[:-1])
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f": did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _fields(location: tuple[int | str, ...]) -> list[str]:
    """Wire names of the fields of the model at a location."""
    model: type[Slotted | Wire] = WorkflowSpec
    for part in location:
        if isinstance(part, str):
            model = next(
                found
                for name, field in fields(model).items()
                if (field.alias or name) == part and (found := _model_in(field.annotation))
            )
    return [field.alias or name for name, field in fields(model).items()]


def _model_in(annotation: object) -> type[Slotted | Wire] | None:
    """The model inside an annotation such as `tuple[Step, ...] | None`."""
    for base in (Slotted, Wire):
        if isinstance(annotation, type) and issubclass(annotation, base):
            return annotation
    for part in get_args(annotation):
        if found := _model_in(part):
            return found
    return None
