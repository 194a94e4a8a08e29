{{/*
What no schema says: values that exclude each other. Told at installation, not by a pod that fails.
*/}}
{{- define "reconciler.validate" -}}
{{- $source := .Values.source -}}
{{- $git := .Values.git -}}
{{- $verify := .Values.verify -}}
{{- $deadline := include "reconciler.seconds" .Values.deadline | int -}}
{{- if lt $deadline 1 -}}
{{- fail "deadline must be at least 1s" -}}
{{- end -}}
{{- if ge (include "reconciler.seconds" .Values.interval | int) $deadline -}}
{{- fail (printf "interval (%s) must be shorter than deadline (%s), or no run looks twice" .Values.interval .Values.deadline) -}}
{{- end -}}
{{- if lt (include "reconciler.activeDeadlineSeconds" . | int) (add 10 $deadline | int) -}}
{{- fail (printf "activeDeadlineSeconds (%s) must be 10 seconds or more over deadline (%s): a run needs 5 to end, and some to start" (include "reconciler.activeDeadlineSeconds" .) .Values.deadline) -}}
{{- end -}}
{{- if and .Values.scope.allNamespaces .Values.scope.namespace -}}
{{- fail "scope.allNamespaces and scope.namespace exclude each other: give one of them" -}}
{{- end -}}
{{- if eq (include "reconciler.sourceName" .) "none" -}}
{{- fail "source.name must be another one than none, which stands for a release without a source" -}}
{{- end -}}
{{- if and .Values.pushgateway.url .Values.pushgateway.urlSecret.name -}}
{{- fail "pushgateway.url and pushgateway.urlSecret exclude each other: give one of them" -}}
{{- end -}}
{{- if and $verify.commit (not $source.url) -}}
{{- fail "verify.commit needs source.url" -}}
{{- end -}}
{{- if and $verify.commit (not (or $verify.allowedSigners.secretName $verify.gpgKeyring.secretName)) -}}
{{- fail "verify.commit needs verify.allowedSigners.secretName (ssh) or verify.gpgKeyring.secretName (gpg): who may sign" -}}
{{- end -}}
{{- if and (not $verify.commit) (or $verify.allowedSigners.secretName $verify.gpgKeyring.secretName) -}}
{{- fail "verify.allowedSigners and verify.gpgKeyring need verify.commit: without it no signature is looked at" -}}
{{- end -}}
{{- if hasPrefix "ssh://" $source.url -}}
{{- if not (and $git.ssh.secretName $git.knownHosts.configMapName) -}}
{{- fail "a source.url that begins with ssh:// needs git.ssh.secretName (the private key) and git.knownHosts.configMapName (the host keys): an unknown host is never trusted" -}}
{{- end -}}
{{- else if or $git.ssh.secretName $git.knownHosts.configMapName -}}
{{- fail "git.ssh and git.knownHosts need a source.url that begins with ssh://" -}}
{{- end -}}
{{- if and (or $git.https.secretName $git.ca.configMapName) (not (hasPrefix "https://" $source.url)) -}}
{{- fail "git.https and git.ca need a source.url that begins with https://" -}}
{{- end -}}
{{- if and (not $source.url) (or $source.paths $source.moved $source.adopt $source.prune $source.cluster) -}}
{{- fail "source.paths, moved, adopt, prune and cluster need source.url" -}}
{{- end -}}
{{- end -}}
