"""What of the chart is made from the comments of its values.yaml, which say it once.

The table of the README, and the descriptions of values.schema.json. Each key has one line of
comment above it, which begins with the key's full name.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHART = Path(__file__).resolve().parents[1] / "charts" / "reconciler"

_BEGIN, _END = "<!-- values: begin (make generate) -->\n", "<!-- values: end -->\n"
_KEY = re.compile(r"( *)([A-Za-z_-]+):(?: +(.*))?$")


@dataclass(frozen=True)
class Value:
    """One key of values.yaml; `default` is empty for one that holds others."""

    path: tuple[str, ...]
    comment: str
    default: str

    @property
    def name(self) -> str:
        return ".".join(self.path)


def generate(*, check: bool) -> list[str]:
    """Writes the files, or with `check` nothing; the names of those that were out of date."""
    stale = []
    for path, text in made().items():
        if path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    return stale


def made() -> Mapping[Path, str]:
    """Every file as it should be."""
    known = list(values())
    readme, schema = CHART / "README.md", CHART / "values.schema.json"
    return {
        readme: _with_table(readme.read_text(encoding="utf-8"), known),
        schema: _described(schema.read_text(encoding="utf-8"), known),
    }


def values() -> Iterator[Value]:
    """The keys of values.yaml, in their order.

    Raises:
        ValueError: a key without a comment of its own name above it.
    """
    path: tuple[str, ...] = ()
    comment = ""
    for number, line in enumerate((CHART / "values.yaml").read_text().splitlines(), start=1):
        found = _KEY.match(line)
        if found:
            path = (*path[: len(found[1]) // 2], found[2])
            name = ".".join(path)
            if not comment.startswith((f"{name} ", f"{name}:", f"{name},")):
                raise ValueError(f"values.yaml:{number}: the line above {name} must begin with it")
            yield Value(path, comment, found[3] or "")
        comment = line.strip().removeprefix("# ") if line.lstrip().startswith("# ") else ""


def _with_table(readme: str, known: list[Value]) -> str:
    before, _, rest = readme.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = ["| value | default | |", "|---|---|---|", *map(_row, known)]
    return "".join((before, _BEGIN, "\n".join(rows), "\n", _END, after))


def _row(value: Value) -> str:
    told = re.sub(r"^[ ,:]*((is|are) )?", "", value.comment.removeprefix(value.name), count=1)
    told = told.replace("|", "\\|")
    if not value.default:
        return f"| **{value.name}** | | {told} |"
    return f"| `{value.name}` | `{value.default}` | {told} |"


def _described(schema: str, known: list[Value]) -> str:
    whole = json.loads(schema)
    for value in known:
        node: dict[str, Any] = whole
        for part in value.path:
            node = node["properties"].setdefault(part, {})
        node["description"] = value.comment
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
