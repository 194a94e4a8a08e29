{{/*
What a run and the test have in common. Flags stand in the environment, so that
`reconciler check` looks at what `reconciler run` would use.
*/}}
{{- define "reconciler.podSpec" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "reconciler.serviceAccountName" $root }}
automountServiceAccountToken: true
enableServiceLinks: false
restartPolicy: Never
terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
containers:
  - name: reconciler
    image: {{ include "reconciler.image" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: [{{ .command }}]
    env:
      {{- include "reconciler.env" $root | trim | nindent 6 }}
      {{- with include "reconciler.shard" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
    {{- with $root.Values.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    resources:
      {{- toYaml $root.Values.resources | nindent 6 }}
    securityContext:
      {{- toYaml $root.Values.securityContext | nindent 6 }}
    volumeMounts:
      - name: tmp
        mountPath: /tmp
      {{- with include "reconciler.mounts" $root | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with $root.Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: {{ $root.Values.tmp.sizeLimit }}
      {{- with $root.Values.tmp.medium }}
      medium: {{ . }}
      {{- end }}
  {{- with include "reconciler.volumes" $root | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $root.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Flags of `reconciler run`, as RECONCILER_<FLAG>. */}}
{{- define "reconciler.env" -}}
{{- $values := .Values -}}
{{- $flags := dict
  "SOURCE_NAME" (include "reconciler.sourceName" .)
  "MAX_CONCURRENT_STEPS" $values.maxConcurrentSteps
  "MAX_ACTIVE_STEPS" $values.maxActiveSteps
  "DEADLINE" $values.deadline
  "INTERVAL" $values.interval
  "REQUEST_TIMEOUT" $values.requestTimeout
  "LOG_FORMAT" $values.logFormat
  "VERBOSE" $values.verbosity
  "SELECTOR" $values.scope.selector
-}}
{{- if $values.dryRun }}{{ $_ := set $flags "DRY_RUN" true }}{{ end -}}
{{- if $values.strict }}{{ $_ := set $flags "STRICT" true }}{{ end -}}
{{- if $values.scope.allNamespaces }}{{ $_ := set $flags "ALL_NAMESPACES" true }}
{{- else }}{{ $_ := set $flags "NAMESPACE" (include "reconciler.namespace" .) }}
{{- end -}}
{{- if $values.lease.enabled }}{{ $_ := set $flags "LEASE_NAME" (include "reconciler.leaseName" .) }}
{{- else }}{{ $_ := set $flags "NO_LEASE" true }}
{{- end -}}
{{- if or $values.pushgateway.url $values.pushgateway.urlSecret.name }}{{ $_ := set $flags "PUSHGATEWAY_JOB" $values.pushgateway.job }}{{ end -}}
{{- $_ := set $flags "PUSHGATEWAY_URL" $values.pushgateway.url -}}
{{- if $values.source.url }}{{ $_ := merge $flags (include "reconciler.sourceFlags" . | fromYaml) }}{{ end -}}
{{- range $flag, $value := $flags }}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "")) }}
- name: RECONCILER_{{ $flag }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- with $values.pushgateway.urlSecret }}
{{- if .name }}
- name: RECONCILER_PUSHGATEWAY_URL
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Which shard a pod is: a run by its place in the Job; the test, which is in none, the first. */}}
{{- define "reconciler.shard" -}}
{{- $shards := int .root.Values.shards -}}
{{- if and (gt $shards 1) (eq .command "run") -}}
- name: SHARD
  valueFrom:
    fieldRef:
      fieldPath: metadata.annotations['batch.kubernetes.io/job-completion-index']
- name: RECONCILER_SHARD
  value: $(SHARD)/{{ $shards }}
{{- else if gt $shards 1 -}}
- name: RECONCILER_SHARD
  value: 0/{{ $shards }}
{{- end -}}
{{- end -}}

{{- define "reconciler.sourceFlags" -}}
{{- with .Values.source }}
SOURCE_URL: {{ .url | quote }}
SOURCE_REF: {{ .ref | quote }}
SOURCE_PATH: {{ join "," .paths | quote }}
SOURCE_MAX_FILES: {{ .maxFiles | toJson }}
SOURCE_MAX_FILE_SIZE: {{ .maxFileSize | quote }}
SOURCE_MAX_SIZE: {{ .maxSize | quote }}
SOURCE_MAX_FETCH: {{ .maxFetch | quote }}
FIRST_RUN: {{ .firstRun | quote }}
CLUSTER: {{ .cluster | quote }}
{{- if .moved }}
SOURCE_MOVED: true
{{- end }}
{{- if .adopt }}
ADOPT: true
{{- end }}
{{- if .prune }}
PRUNE: true
{{- end }}
{{- end }}
{{- if .Values.verify.commit }}
VERIFY: commit
{{- end }}
{{- range include "reconciler.files" . | fromYamlArray }}
{{- $folder := .folder }}
{{- range .files }}
{{ .flag }}: {{ printf "%s/%s" $folder .path | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Credentials and signers: each Secret and ConfigMap, where it is mounted, and which flags its files are for. */}}
{{- define "reconciler.files" -}}
{{- $git := .Values.git -}}
{{- $verify := .Values.verify -}}
{{- if $git.ssh.secretName }}
- {name: git-ssh, secret: {{ $git.ssh.secretName | quote }}, folder: /etc/reconciler/git-ssh, files: [{flag: GIT_SSH_KEY, key: {{ $git.ssh.key | quote }}, path: key}]}
{{- end }}
{{- if $git.knownHosts.configMapName }}
- {name: git-known-hosts, configMap: {{ $git.knownHosts.configMapName | quote }}, folder: /etc/reconciler/git-known-hosts, files: [{flag: GIT_KNOWN_HOSTS, key: {{ $git.knownHosts.key | quote }}, path: known_hosts}]}
{{- end }}
{{- if $git.https.secretName }}
- name: git-https
  secret: {{ $git.https.secretName | quote }}
  folder: /etc/reconciler/git-https
  files:
    {{- if $git.https.usernameKey }}
    - {flag: GIT_USERNAME_FILE, key: {{ $git.https.usernameKey | quote }}, path: username}
    {{- end }}
    - {flag: GIT_TOKEN_FILE, key: {{ $git.https.tokenKey | quote }}, path: token}
{{- end }}
{{- if $git.ca.configMapName }}
- {name: git-ca, configMap: {{ $git.ca.configMapName | quote }}, folder: /etc/reconciler/git-ca, files: [{flag: GIT_CA_FILE, key: {{ $git.ca.key | quote }}, path: ca.crt}]}
{{- end }}
{{- if and $verify.commit $verify.allowedSigners.secretName }}
- {name: allowed-signers, secret: {{ $verify.allowedSigners.secretName | quote }}, folder: /etc/reconciler/allowed-signers, files: [{flag: ALLOWED_SIGNERS, key: {{ $verify.allowedSigners.key | quote }}, path: allowed_signers}]}
{{- end }}
{{- if and $verify.commit $verify.gpgKeyring.secretName }}
- {name: gpg-keyring, secret: {{ $verify.gpgKeyring.secretName | quote }}, folder: /etc/reconciler/gpg-keyring, files: [{flag: GPG_KEYRING, key: {{ $verify.gpgKeyring.key | quote }}, path: keyring.gpg}]}
{{- end }}
{{- end -}}

{{- define "reconciler.mounts" -}}
{{- if .Values.source.url }}
{{- range include "reconciler.files" . | fromYamlArray }}
- name: {{ .name }}
  mountPath: {{ .folder }}
  readOnly: true
{{- end }}
{{- end }}
{{- end -}}

{{/* 288 is mode 0440, 292 is 0444, as every reader of YAML reads them. The files are root's and of the
pod's group: ssh refuses a key that is its user's own and open to others. */}}
{{- define "reconciler.volumes" -}}
{{- if .Values.source.url }}
{{- range include "reconciler.files" . | fromYamlArray }}
- name: {{ .name }}
  {{- if .secret }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 288
  {{- else }}
  configMap:
    name: {{ .configMap }}
    defaultMode: 292
  {{- end }}
    items:
      {{- range .files }}
      - key: {{ .key }}
        path: {{ .path }}
      {{- end }}
{{- end }}
{{- end }}
{{- end -}}
