{{/*
What a run may do with workflows, by the table of rights of the reconciler. Nobody may delete a
KubernetesExecution: an action whose child is gone could not be told from one that never ran.
*/}}
{{- define "reconciler.workflowRules" -}}
{{- $source := .Values.source.url -}}
{{- $writes := not .Values.dryRun -}}
- apiGroups: [workflowexecution.kubernaut.ai]
  resources: [workflowexecutions]
  {{- if and $source $writes }}
  verbs: [create, delete, get, list, patch]
  {{- else if $source }}
  verbs: [create, get, list, patch]
  {{- else }}
  verbs: [list]
  {{- end }}
{{- if $source }}
- apiGroups: [workflowexecution.kubernaut.ai]
  resources: [workflowrecords]
  verbs: [{{ ternary "create, get, list" "list" $writes }}]
{{- end }}
{{- if $writes }}
- apiGroups: [workflowexecution.kubernaut.ai]
  resources: [workflowexecutions/status{{ if $source }}, workflowrecords/status{{ end }}]
  verbs: [update]
{{- end }}
- apiGroups: [kubernetesexecution.kubernaut.ai]
  resources: [kubernetesexecutions]
  verbs: [{{ ternary "create, get, list, patch" "get, list" $writes }}]
{{- if $writes }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
{{- if and $source .Values.approvals.fromGit }}
# Asked by the admission policy alone: the source may state who approved what.
- apiGroups: [workflowexecution.kubernaut.ai]
  resources: [workflowexecutions]
  verbs: [approve, approve-for-others]
{{- end }}
{{- end -}}

{{/* Lease, pause and head: by name, but for a create, whose name RBAC cannot restrict. */}}
{{- define "reconciler.stateRules" -}}
{{- $source := .Values.source.url -}}
{{- $writes := not .Values.dryRun -}}
{{- $head := printf "reconciler-source-%s" (include "reconciler.sourceName" .) -}}
{{- if and .Values.lease.enabled $writes }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "reconciler.leaseNames" . }}]
  verbs: [get, update]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end }}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [reconciler-paused{{ if $source }}, {{ $head }}{{ end }}]
  verbs: [get]
{{- if and $source $writes }}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ $head }}]
  verbs: [update]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
{{- end -}}
