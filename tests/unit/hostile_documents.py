"""Hostile and mistaken documents, each with the line and the words of its first finding.

Each is a document that is fine but for one thing. What is wrong with how it is written comes first,
then what it means: scalars that two readers take differently, what stands around the spec, the
spec, the plan.
"""

from collections.abc import Iterator
from typing import NamedTuple

API = "workflowexecution.kubernaut.ai/v1alpha1"
_GOOD = f"""\
apiVersion: {API}
kind: WorkflowDefinition
metadata:
  name: restart
  labels: {{team: shop}}
spec:
  timeout: 5m
  workflowDefinition:
    steps:
      - name: a
        action: ScaleDeployment
        parameters: {{scaleDeployment: {{deploymentName: checkout, replicas: 3}}}}
        timeout: 5m
      - name: b
        action: RolloutStatus
        targetResource: {{apiVersion: apps/v1, kind: Deployment, name: checkout}}
        dependsOn: [a]
"""
GOOD = _GOOD.replace("restart", "good").encode()


class Hostile(NamedTuple):
    name: str
    data: bytes
    line: int
    words: str


def _with(number: int, text: str) -> bytes:
    """The good document with another text in place of that line."""
    lines = _GOOD.splitlines()
    return "\n".join((*lines[: number - 1], text, *lines[number:], "")).encode()


# --- text that two readers take for two things ----------------------------------------------

_BOOLEAN = "kubectl reads this as true or false"
_NUMBER = "kubectl reads this as a number"
_OCTAL = "kubectl reads a leading 0 as octal"
_NO_NUMBER = "JSON has no such number"
_TWO_THINGS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO"), _BOOLEAN),
    **dict.fromkeys(("on", "On", "ON", "off", "Off", "OFF"), _BOOLEAN),
    **dict.fromkeys(("010", "-010", "+07", "00", "08", "0777"), _OCTAL),
    **dict.fromkeys(("0x1F", "0X1f", "-0xA", "0o17", "0b101", "+0b1"), _NUMBER),
    **dict.fromkeys(("1_000", "1_0.5", "0x_1", "1__0", "-1_0"), _NUMBER),
    **dict.fromkeys((".nan", ".NaN", ".inf", "+.inf", "-.inf", ".INF"), _NO_NUMBER),
    **dict.fromkeys(("1e999", "-1e400"), "the number is too large"),
    **dict.fromkeys(("9223372036854775808", "9" * 30), "does not fit 64 bits"),
}
# One value to every reader, and no text, where text is asked for.
_NO_TEXT = ("1", "-1", "1.5", "1e3", "true", "False", "null", "~", "{}", "[]", "[a]", "{a: b}")

# --- what is written ------------------------------------------------------------------------

_ANCHORS = "anchors and aliases are not read"
_TAGS = "tags (!, !!) are not read"
_KEYS = "a key must be text"
_CONTROL = "a control character or byte order mark"
_WRITTEN: tuple[tuple[str, int, str, int, str], ...] = (
    ("anchor", 5, "  labels: &x {team: shop}", 5, _ANCHORS),
    ("alias", 7, "  timeout: *x", 7, _ANCHORS),
    ("alias-to-nothing-in-a-list", 17, "        dependsOn: [*a]", 17, _ANCHORS),
    ("anchor-on-a-key", 7, "  &k timeout: 5m", 7, _ANCHORS),
    ("anchor-on-the-step", 10, "      - &s", 10, _ANCHORS),
    ("merge-key", 5, "  <<: {labels: {team: shop}}", 5, "merge keys"),
    ("merge-key-in-a-flow", 5, "  labels: {<<: {a: b}}", 5, "merge keys"),
    ("tag-of-a-text", 10, "      - name: !!str a", 10, _TAGS),
    ("tag-of-a-number", 10, "      - name: !!int 1", 10, _TAGS),
    ("tag-of-nobody", 10, "      - name: ! a", 10, _TAGS),
    ("tag-of-python", 10, "      - name: !!python/object/apply:os.system [id]", 10, _TAGS),
    ("tag-of-ruby", 10, "      - name: !ruby/object:Gem::Installer x", 10, _TAGS),
    ("tag-verbatim", 10, "      - name: !<tag:yaml.org,2002:str> a", 10, _TAGS),
    ("tag-binary", 10, "      - name: !!binary YQ==", 10, _TAGS),
    ("tag-set", 5, "  labels: !!set {team}", 5, _TAGS),
    ("tag-ordered", 5, "  labels: !!omap [team: shop]", 5, _TAGS),
    (
        "key-twice",
        7,
        "  timeout: 5m\n  timeout: 5m",
        8,
        "the key stands here twice, first in line 7",
    ),
    ("key-twice-quoted", 7, "  timeout: 5m\n  'timeout': 1h", 8, "twice, first in line 7"),
    ("key-twice-in-a-flow", 5, "  labels: {team: a, team: b}", 5, "twice, first in line 5"),
    ("key-number", 5, "  labels: {1: a}", 5, _KEYS),
    ("key-true", 5, "  labels: {true: a}", 5, _KEYS),
    ("key-null", 5, "  labels: {~: a}", 5, _KEYS),
    ("key-nothing", 5, "  labels: {: a}", 5, "not YAML"),
    ("key-list", 5, "  labels:\n    ? [a]\n    : b", 6, _KEYS),
    ("key-mapping", 5, "  labels:\n    ? {a: b}\n    : c", 6, _KEYS),
    ("key-yes", 5, "  labels: {yes: a}", 5, _BOOLEAN),
    ("directive-of-1.1", 1, f"%YAML 1.1\n---\napiVersion: {API}", 1, "directives"),
    ("directive-tag", 1, f"%TAG ! tag:x,2026:\n---\napiVersion: {API}", 1, "directives"),
    ("directive-of-nobody", 17, "        dependsOn: [a]\n...\n%FOO bar\n---", 19, "directives"),
    ("nul", 10, "      - name: a\x00", 10, _CONTROL),
    ("terminal-escape", 10, "      - name: a # \x1b]0;x\x07", 10, _CONTROL),
    ("delete", 10, "      - name: 'a\x7f'", 10, _CONTROL),
    ("c1-control", 10, "      - name: a\x9b2J", 10, _CONTROL),
    ("no-character", 10, "      - name: a\uffff", 10, _CONTROL),
    ("byte-order-mark-within", 10, "      - name: \ufeffa", 10, _CONTROL),
    ("escaped-nul", 10, '      - name: "a\\0"', 10, "a control character is escaped"),
    ("escaped-terminal", 10, '      - name: "\\e[2J"', 10, "a control character is escaped"),
    ("escaped-newline-in-a-name", 10, '      - name: "a\\nb"', 10, "name"),
    ("escaped-half", 10, '      - name: "\\ud83d"', 10, "not YAML"),
    ("escape-of-nobody", 10, '      - name: "\\q"', 10, "not YAML"),
    ("tab", 7, "\ttimeout: 5m", 7, "with spaces, not tabs"),
    ("tab-within", 10, "      -\tname: a\n\taction: X", 10, "with spaces, not tabs"),
    ("colon", 7, "  timeout: 5m: 6m", 7, "a ':' cannot stand here"),
    ("open-quote", 17, "        dependsOn: ['a]", 18, "opened and never closed"),
    ("open-bracket", 17, "        dependsOn: [a", 18, "not YAML"),
    ("open-brace", 5, "  labels: {team: shop", 6, "not YAML"),
    ("closed-twice", 17, "        dependsOn: [a]]", 17, "not YAML"),
    ("comma-twice", 17, "        dependsOn: [a,, b]", 17, "not YAML"),
    ("at", 10, "      - name: @a", 10, "quote text that begins with @"),
    ("backtick", 10, "      - name: `a`", 10, "quote text that begins with @"),
    ("percent", 10, "      - name: %a", 10, "quote text that begins with @"),
    ("indentation", 7, "   timeout: 5m", 8, "the indentation"),
    ("block-that-is-none", 7, "  timeout: |x\n    5m", 7, "not YAML"),
    ("deep", 5, f"  labels: {'[' * 40}{']' * 40}", 5, "nested deeper than 32 levels"),
    ("deep-mappings", 5, f"  labels: {'{a: ' * 40}{'}' * 40}", 5, "nested deeper than 32 levels"),
    ("deep-blocks", 5, f"  labels:\n    {'- ' * 40}a", 6, "nested deeper than 32 levels"),
)
_FILES: tuple[Hostile, ...] = (
    Hostile("latin-1", _with(10, "      - name: caf").replace(b"caf", b"caf\xe9"), 10, "not UTF-8"),
    Hostile("utf-16", _GOOD.encode("utf-16"), 1, "not UTF-8"),
    Hostile("utf-32", _GOOD.encode("utf-32"), 1, "not UTF-8"),
    Hostile("overlong", _with(10, "      - name: X").replace(b"X", b"\xc0\xaf"), 10, "not UTF-8"),
    Hostile("surrogate", _with(4, "  name: X").replace(b"X", b"\xed\xa0\x80"), 4, "not UTF-8"),
    Hostile("cut-in-a-character", _GOOD.encode() + b"# \xe2\x82", 18, "not UTF-8"),
    Hostile("zip", b"PK\x03\x04\x14\x00", 1, _CONTROL),
    Hostile("gzip", b"\x1f\x8b\x08\x00", 1, "not UTF-8"),
    Hostile("program", b"\x7fELF\x02\x01\x01", 1, _CONTROL),
    Hostile("json-lines", b'{"a": 1}\n{"b": 2}\n', 2, "not YAML"),
    Hostile("aliases-that-double", b"a: &a [x, x]\n" + b"b: &b [*a, *a]\n" * 30, 1, _ANCHORS),
    Hostile("merges-that-double", b"a: &a {b: 1}\n" + b"c: {<<: [*a]}\n" * 30, 1, _ANCHORS),
    Hostile("itself", b"a: &a [*a]\n", 1, _ANCHORS),
    Hostile("open-lists", b"[" * 100_000, 1, "nested deeper"),
    Hostile("open-mappings", b"{a: " * 60_000, 1, "nested deeper"),
    Hostile("open-blocks", b"- " * 100_000, 1, "nested deeper"),
    Hostile("open-keys", b"? " * 100_000, 1, _KEYS),
    Hostile("long-list", b"[" + b"a," * 120_000 + b"]", 1, "more than 20,000 keys and values"),
    Hostile("many-documents", b"a: 1\n---\n" * 60, 1, "more than 50 documents"),
    Hostile("long-number", b"a: " + b"9" * 200_000, 1, "does not fit 64 bits"),
    Hostile("long-key", b"k" * 200_000 + b": 1\n", 1, "not YAML"),
    Hostile("helm-template", _with(4, "  name: {{ .Release.Name }}"), 4, _KEYS),
    Hostile("conflict", _with(7, "<<<<<<< HEAD\n  timeout: 5m\n======="), 8, "not YAML"),
)

# --- what it says ---------------------------------------------------------------------------

_KIND = "is not read here"
_META = "is not taken from git"
_SAID: tuple[tuple[str, int, str, int, str], ...] = (
    ("no-kind", 2, "", 1, "kind is required"),
    ("kind-of-kubernetes", 2, "kind: Deployment", 2, f"kind Deployment {_KIND}"),
    ("kind-of-a-child", 2, "kind: KubernetesExecution", 2, _KIND),
    ("kind-of-a-record", 2, "kind: WorkflowRecord", 2, _KIND),
    ("kind-in-lower-case", 2, "kind: workflowdefinition", 2, _KIND),
    ("kind-a-list", 2, "kind: [WorkflowDefinition]", 2, _KIND),
    ("kind-that-draws", 2, 'kind: "\u202eDeployment"', 2, _KIND),
    ("api-of-another-version", 1, API.join(("apiVersion: ", "x")), 1, "apiVersion must be"),
    ("api-missing", 1, "# nothing", 2, "apiVersion must be"),
    ("status", 6, "status: {phase: Completed, settled: true}\nspec:", 6, "is never read from git"),
    ("field-of-nobody", 6, "data: {a: b}\nspec:", 6, "data is no field that is known here"),
    ("no-name", 4, "  # nothing", 3, "metadata.name is required"),
    ("name-empty", 4, "  name: ''", 4, "metadata.name is required"),
    ("name-in-upper-case", 4, "  name: Restart", 4, "metadata.name is required"),
    ("name-of-a-path", 4, "  name: ../../etc/passwd", 4, "metadata.name is required"),
    ("name-with-a-query", 4, "  name: a?fieldManager=x", 4, "metadata.name is required"),
    ("name-with-an-escape", 4, "  name: a%2f..%2fb", 4, "metadata.name is required"),
    ("name-too-long", 4, f"  name: {'a' * 254}", 4, "at most 253 characters"),
    ("name-with-a-line", 4, '  name: "a\\nb"', 4, "metadata.name is required"),
    ("namespace-of-another", 4, "  name: restart\n  namespace: kube-system", 5, "is for namespace"),
    ("namespace-of-a-path", 4, "  name: restart\n  namespace: ../x", 5, "metadata.namespace must"),
    ("owner", 5, "  ownerReferences: [{kind: Node, name: x, uid: z}]", 5, _META),
    ("uid", 5, "  uid: 1-2-3", 5, _META),
    ("finalizer", 5, "  finalizers: [a.b/c]", 5, _META),
    ("resource-version", 5, "  resourceVersion: '1'", 5, _META),
    ("generated-name", 5, "  generateName: x-", 5, _META),
    ("managed-fields", 5, "  managedFields: []", 5, _META),
    ("label-of-ours", 5, "  labels: {kubernaut.ai/source: other}", 5, "is set by the reconciler"),
    ("label-too-long", 5, f"  labels: {{team: {'a' * 64}}}", 5, "at most 63 characters"),
    ("label-of-spaces", 5, "  labels: {team: a b}", 5, "must be text of letters"),
    ("label-name", 5, "  labels: {a/b/c: d}", 5, "must be a mapping of label names"),
    ("labels-a-list", 5, "  labels: [team]", 5, "must be a mapping of label names"),
    (
        "annotation-of-ours",
        5,
        "  annotations: {kubernaut.ai/spec-hash: v1}",
        5,
        "is not known here",
    ),
    (
        "annotation-of-provenance",
        5,
        "  annotations: {kubernaut.ai/signed-by: D}",
        5,
        "is not known",
    ),
    ("annotation-number", 5, "  annotations: {a.b/c: 1}", 5, "needs quotes to be text"),
    ("rerun-number", 5, "  annotations: {kubernaut.ai/rerun: 2}", 5, "needs quotes to be text"),
    ("clusters-a-list", 5, "  annotations: {kubernaut.ai/clusters: [a]}", 5, "needs quotes"),
    ("spec-a-list", 6, "spec: []\nx:", 6, "spec is required, a mapping"),
    ("policy-of-nobody", 7, "  runPolicy: {concurrency: Parallel}", 7, "runPolicy"),
    ("history-negative", 7, "  runPolicy: {history: -1}", 7, "runPolicy"),
    ("spec-field-of-nobody", 7, "  parallelism: 5", 7, "parallelism"),
    ("spec-field-misspelt", 7, "  timeOut: 5m", 7, "timeOut"),
    ("timeout-of-nothing", 7, "  timeout: 0s", 7, "timeout"),
    ("timeout-of-a-year", 7, "  timeout: 9000h", 7, "timeout"),
    ("timeout-of-words", 7, "  timeout: five minutes", 7, "timeout"),
    ("timeout-negative", 7, "  timeout: -5m", 7, "timeout"),
    ("slots-none", 7, "  maxConcurrentSteps: 0", 7, "maxConcurrentSteps"),
    ("slots-too-many", 7, "  maxConcurrentSteps: 1000", 7, "maxConcurrentSteps"),
    ("slots-text", 7, "  maxConcurrentSteps: '5'", 7, "maxConcurrentSteps"),
    ("policy-misspelt", 7, "  failurePolicy: failfast", 7, "failurePolicy"),
    ("suspend-text", 7, "  suspend: 'true'", 7, "suspend"),
    ("cancel-number", 7, "  cancel: 1", 7, "cancel"),
    ("account-of-a-path", 7, "  serviceAccountName: ../admin", 7, "name of a ServiceAccount"),
    ("account-in-upper-case", 7, "  serviceAccountName: Admin", 7, "name of a ServiceAccount"),
    ("account-with-a-query", 7, "  serviceAccountName: a?dryRun=All", 7, "of a ServiceAccount"),
    ("time-without-zone", 7, "  notBefore: 2026-01-02T03:04:05", 7, "notBefore"),
    ("time-date", 7, "  notAfter: 2026-01-02", 7, "notAfter"),
    ("approval-of-nobody", 7, "  approvals: [{step: z, by: d}]", 7, "approvals"),
    ("approval-twice", 7, "  approvals: [{step: a, by: d}, {step: a, by: e}]", 7, "approvals"),
    ("assumed-of-nobody", 7, "  assumeCompleted: [z]", 7, "assumeCompleted"),
    ("step-without-action", 11, "        retries: 0", 10, "action"),
    ("step-name-of-a-path", 10, "      - name: ../a", 10, "name"),
    ("step-name-too-long", 10, f"      - name: {'a' * 64}", 10, "name"),
    ("step-twice", 14, "      - name: a", 14, "a"),
    ("step-of-nobody", 17, "        dependsOn: [z]", 17, "z"),
    ("step-itself", 17, "        dependsOn: [b]", 17, "b -> b"),
    ("cycle", 13, "        dependsOn: [b]", 13, "a -> b -> a"),
    ("depends-on-text", 17, "        dependsOn: a", 17, "dependsOn"),
    ("action-of-a-shell", 11, "        action: 'sh -c id'", 11, "action"),
    ("action-in-lower-case", 11, "        action: scaleDeployment", 11, "action"),
    ("action-without-parameters", 12, "        retries: 0", 10, "a"),
    ("retries-many", 13, "        retries: 6", 13, "retries"),
    ("retries-negative", 13, "        retries: -1", 13, "retries"),
    ("retries-decimal", 13, "        retries: 1.5", 13, "retries"),
    ("step-timeout-of-days", 13, "        timeout: 25h", 13, "timeout"),
    ("step-field-of-nobody", 13, "        command: [sh]", 13, "command"),
    (
        "two-parameters",
        12,
        "        parameters: {scaleDeployment: {deploymentName: a, replicas: 1}, custom: {a: b}}",
        12,
        "parameters",
    ),
    (
        "replicas-many",
        12,
        "        parameters: {scaleDeployment: {deploymentName: a, replicas: 1001}}",
        12,
        "replicas",
    ),
    (
        "replicas-negative",
        12,
        "        parameters: {scaleDeployment: {deploymentName: a, replicas: -1}}",
        12,
        "replicas",
    ),
    (
        "secret-value",
        12,
        "        parameters: {patchSecret: {name: a, data: {password: x}}}",
        12,
        "patchSecret",
    ),
    ("parameter-of-nobody", 12, "        parameters: {runShell: {script: id}}", 12, "runShell"),
    ("parameter-long", 12, f"        parameters: {{custom: {{a: {'x' * 4097}}}}}", 12, "custom"),
    ("target-of-nobody", 16, "        targetResource: {kind: Deployment}", 16, "targetResource"),
    ("target-text", 16, "        targetResource: checkout", 16, "targetResource"),
)


def corpus() -> Iterator[Hostile]:
    """All of them; names are unique."""
    for text, words in _TWO_THINGS.items():
        shown = text if len(text) < 25 else f"{len(text)}-digits"
        yield Hostile(f"scalar-{shown}", _with(10, f"      - name: {text}"), 10, words)
    for text in _NO_TEXT:
        yield Hostile(f"no-text-{text}", _with(10, f"      - name: {text}"), 10, "name")
    for name, number, text, line, words in (*_WRITTEN, *_SAID):
        yield Hostile(name, _with(number, text), line, words)
    yield from _FILES
