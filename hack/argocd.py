"""The patch of ConfigMap argocd-cm, made of the Lua files in gitops/argocd/resource_customizations.

The files lie as Argo CD keeps its own; this writes the keys that do the same in a running one.
"""

from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

ARGOCD = Path(__file__).resolve().parents[1] / "gitops" / "argocd"
CUSTOMIZATIONS = ARGOCD / "resource_customizations"
PATCH = ARGOCD / "argocd-cm-patch.yaml"

_HEAD = """\
# Made of resource_customizations by `make generate`; do not edit. It adds keys and takes none away:
#   kubectl -n argocd patch configmap argocd-cm --patch-file gitops/argocd/argocd-cm-patch.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
  labels:
    app.kubernetes.io/name: argocd-cm
    app.kubernetes.io/part-of: argocd
data:
"""

# A run writes the status of what is at work. Argo CD compares its Applications again only where the
# health changed with it.
_IGNORED = "jsonPointers:\n- /status\n"


def patch() -> str:
    """The whole file."""
    kinds = sorted(folder for folder in CUSTOMIZATIONS.glob("*/*") if folder.is_dir())
    return _HEAD + "".join(
        f"  resource.customizations.{about}.{folder.parent.name}_{folder.name}: |\n"
        + indent(text, "    ")
        for folder in kinds
        for about, text in _keys(folder)
    )


def _keys(folder: Path) -> Iterator[tuple[str, str]]:
    """What stands under each kind of key."""
    yield "health", (folder / "health.lua").read_text(encoding="utf-8")
    yield "ignoreResourceUpdates", _IGNORED
    if (folder / "actions").is_dir():
        yield "actions", _actions(folder / "actions")


def _actions(folder: Path) -> str:
    scripts = sorted(folder.glob("*/action.lua"))
    return (
        "discovery.lua: |\n"
        + indent((folder / "discovery.lua").read_text(encoding="utf-8"), "  ")
        + "definitions:\n"
        + "".join(
            f"- name: {script.parent.name}\n  action.lua: |\n"
            + indent(script.read_text(encoding="utf-8"), "    ")
            for script in scripts
        )
    )


def generate(*, check: bool) -> list[str]:
    """Writes the file, or with `check` writes nothing; names what is out of date."""
    made = patch()
    if PATCH.is_file() and PATCH.read_text(encoding="utf-8") == made:
        return []
    if not check:
        PATCH.write_text(made, encoding="utf-8")
    return [f"gitops/argocd/{PATCH.name}"]
