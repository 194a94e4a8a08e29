"""Which cluster, as whom: a kubeconfig, or the service account of the pod (contract 9).

What is wrong with a kubeconfig is told without a word of what is in it: it holds credentials, and
the client's own messages repeat them.
"""

from dataclasses import dataclass
from pathlib import Path

from kubernetes.client.configuration import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import load_incluster_config
from kubernetes.config.kube_config import (
    KUBE_CONFIG_DEFAULT_LOCATION,
    KubeConfigLoader,
    KubeConfigMerger,
)

from reconciler.errors import UsageError

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a cluster; `namespace` is the pod's or the context's, empty when it says none.

    The configuration holds credentials: it has no place in a message or a log.
    """

    configuration: Configuration
    namespace: str
    in_pod: bool


def access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """The kubeconfig that is named, else the pod's own cluster, else the default kubeconfig.

    Raises:
        UsageError: there is none, or it cannot be used.
    """
    if kubeconfig is None and context is None:
        configuration = Configuration()
        try:
            load_incluster_config(configuration)
        except ConfigException:
            pass  # not in a pod
        else:
            return Access(configuration, _pod_namespace(), in_pod=True)
    return _from_file(kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION, context)


def _from_file(path: str, context: str | None) -> Access:
    if not any(Path(part).expanduser().is_file() for part in path.split(":") if part):
        raise UsageError(
            f"no kubeconfig at {path}: give --kubeconfig FILE, or set KUBECONFIG; "
            "in a pod mount its service account token"
        )
    configuration = Configuration(host="")
    contexts: list[str] = []
    try:
        merged = KubeConfigMerger(path).config
        contexts += [each["name"] for each in merged["contexts"].value]
        loader = KubeConfigLoader(merged, active_context=context, config_base_path=None)
        loader.load_and_set(configuration)
        chosen = loader.current_context["context"]
        plugged = "exec" in (merged["users"].get_with_name(chosen["user"]).value["user"] or {})
    except Exception:  # noqa: BLE001  # YAML, types, files, plugins: and every text may hold a token
        raise UsageError(_unusable(path, context, contexts)) from None
    if not configuration.host:
        raise UsageError(_unusable(path, context, contexts))  # the client would try localhost
    if plugged and not (configuration.api_key or configuration.cert_file):
        raise UsageError(
            f"the credential plugin of {path} gave no credentials: run the command of its user "
            f"by hand, or kubectl --kubeconfig {path} get --raw /version"
        )
    return Access(configuration, str(chosen.get("namespace") or ""), in_pod=False)


def _unusable(path: str, context: str | None, contexts: list[str]) -> str:
    if context is not None and context not in contexts:
        return (
            f"the kubeconfig {path} has no context {context!r}; "
            f"it has {', '.join(contexts) or 'none'}"
        )
    return (
        f"the kubeconfig {path} cannot be used: no current context, or a part of it is wrong or "
        f"missing; kubectl --kubeconfig {path} get --raw /version shows what"
    )


def _pod_namespace() -> str:
    try:
        return _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
