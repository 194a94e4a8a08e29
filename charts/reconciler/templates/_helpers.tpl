{{/*
Names. A CronJob's is at most 52 characters: the controller appends 11 to it. What is too long is
cut and ends in a hash, so that two long names that differ at their end stay two.
*/}}
{{- define "reconciler.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "reconciler.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
{{- $full = ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- end -}}
{{- if gt (len $full) 52 -}}
{{- printf "%s-%s" ($full | trunc 41 | trimSuffix "-" | trimSuffix ".") ($full | sha256sum | trunc 10) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{/* Names of what no namespace holds: releases of one name in two namespaces stay two. */}}
{{- define "reconciler.clusterName" -}}
{{- printf "%s.%s" (include "reconciler.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "reconciler.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "reconciler.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "reconciler.sourceName" -}}
{{- default (.Release.Name | replace "." "-") .Values.source.name -}}
{{- end -}}

{{- define "reconciler.leaseName" -}}
{{- default (printf "reconciler-%s" (include "reconciler.sourceName" .)) .Values.lease.name -}}
{{- end -}}

{{/* One Lease a shard, as the reconciler names them. */}}
{{- define "reconciler.leaseNames" -}}
{{- $name := include "reconciler.leaseName" . -}}
{{- $names := list $name -}}
{{- if gt (int .Values.shards) 1 -}}
{{- $names = list -}}
{{- range $index := until (int .Values.shards) -}}
{{- $names = append $names (printf "%s.%d" $name $index) -}}
{{- end -}}
{{- end -}}
{{- join ", " $names -}}
{{- end -}}

{{/* The one namespace whose workflows are carried out. */}}
{{- define "reconciler.namespace" -}}
{{- default .Release.Namespace .Values.scope.namespace -}}
{{- end -}}

{{- define "reconciler.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Labels. */}}
{{- define "reconciler.selectorLabels" -}}
app.kubernetes.io/name: {{ include "reconciler.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "reconciler.labels" -}}
{{- include "reconciler.labelsAnd" (dict "root" . "more" dict) -}}
{{- end -}}

{{/* The labels of every object, and more; where both have one, that of every object stays. */}}
{{- define "reconciler.labelsAnd" -}}
{{- $root := .root -}}
{{- $labels := include "reconciler.selectorLabels" $root | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/version" $root.Chart.AppVersion -}}
{{- $_ := set $labels "app.kubernetes.io/component" "reconciler" -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "reconciler" -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- merge $labels .more $root.Values.commonLabels | toYaml -}}
{{- end -}}

{{/* Seconds of a Go duration such as 1m30s. */}}
{{- define "reconciler.seconds" -}}
{{- $hours := regexFind "[0-9]+h" . | trimSuffix "h" | default "0" | int -}}
{{- $minutes := regexFind "[0-9]+m" . | trimSuffix "m" | default "0" | int -}}
{{- $seconds := regexFind "[0-9]+s" . | trimSuffix "s" | default "0" | int -}}
{{- add (mul 3600 $hours) (mul 60 $minutes) $seconds -}}
{{- end -}}

{{- define "reconciler.activeDeadlineSeconds" -}}
{{- if kindIs "invalid" .Values.activeDeadlineSeconds -}}
{{- add 130 (include "reconciler.seconds" .Values.deadline | int) -}}
{{- else -}}
{{- .Values.activeDeadlineSeconds | int -}}
{{- end -}}
{{- end -}}

{{/* Where the admission policies hold: where this release carries out workflows. */}}
{{- define "reconciler.where" -}}
{{- if not .Values.scope.allNamespaces -}}
matchResources:
  namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ include "reconciler.namespace" . }}
{{- end -}}
{{- end -}}

{{/* One rule of egress: to addresses, to pods, or, where neither is known, by port alone. */}}
{{- define "reconciler.egress" -}}
{{- $peer := .peer -}}
- ports:
    {{- range $protocol := default (list "TCP") .protocols }}
    {{- range $peer.ports }}
    - {port: {{ . }}, protocol: {{ $protocol }}}
    {{- end }}
    {{- end }}
  {{- if $peer.cidrs }}
  to:
    {{- range $peer.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  {{- else if or $peer.namespaceLabels $peer.podLabels }}
  to:
    - namespaceSelector: {{ if $peer.namespaceLabels }}{matchLabels: {{ $peer.namespaceLabels | toJson }}}{{ else }}{}{{ end }}
      {{- with $peer.podLabels }}
      podSelector: {matchLabels: {{ . | toJson }}}
      {{- end }}
  {{- end }}
{{- end -}}
