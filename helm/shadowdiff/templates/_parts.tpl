{{/*
Names. 50 characters leave room for "-coordinator" in the 63 that a Service may have.
*/}}
{{- define "shadowdiff.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "shadowdiff.coordinator" -}}
{{ include "shadowdiff.fullname" . }}-coordinator
{{- end -}}

{{- define "shadowdiff.worker" -}}
{{ include "shadowdiff.fullname" . }}-worker
{{- end -}}

{{- define "shadowdiff.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "shadowdiff.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/*
The secret with the credentials: the one that exists, ours, or none.
*/}}
{{- define "shadowdiff.secret" -}}
{{- if .Values.objectStore.existingSecret -}}
{{- .Values.objectStore.existingSecret -}}
{{- else if .Values.objectStore.credentials -}}
{{- include "shadowdiff.fullname" . }}-object-store
{{- end -}}
{{- end -}}

{{/*
Where clients and workers find a coordinator.
*/}}
{{- define "shadowdiff.host" -}}
{{ include "shadowdiff.coordinator" . }}.{{ .Release.Namespace }}.svc:{{ int .Values.service.port }}
{{- end -}}

{{/*
Labels that never change: a Deployment's selector is immutable. Takes (list $ "worker").
*/}}
{{- define "shadowdiff.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "shadowdiff.labels" -}}
{{- $root := index . 0 -}}
{{ include "shadowdiff.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/*
Tasks to do for each worker, as the autoscalers see it.
*/}}
{{- define "shadowdiff.tasksPerWorker" -}}
{{ mul (int .Values.worker.slots) (int .Values.autoscaling.tasksPerSlot) }}
{{- end -}}

{{/*
The memory of a worker's container: what --memory is set to, and 200 MiB for the program itself.
*/}}
{{- define "shadowdiff.workerMemory" -}}
{{ add (int .Values.worker.memoryMiB) 200 }}Mi
{{- end -}}

{{/*
Reserved is what may be used, for memory and disk: a pod that fits its node is not evicted for its neighbours' sake.
The disk's limit has 1 GiB more than the scratch volume, for logs. Takes (list cpu memory scratchGiB).
*/}}
{{- define "shadowdiff.resources" -}}
requests:
  cpu: {{ index . 0 | quote }}
  memory: {{ index . 1 }}
  ephemeral-storage: {{ int (index . 2) }}Gi
limits:
  memory: {{ index . 1 }}
  ephemeral-storage: {{ add (int (index . 2)) 1 }}Gi
{{- end -}}

{{/*
Metadata of a pod. Whatever changes here replaces all pods, so the version of the chart is not here. A new secret of ours
is; what is in an existing secret is not.
*/}}
{{- define "shadowdiff.podMetadata" -}}
{{- $root := index . 0 -}}
{{- $annotations := dict "kubectl.kubernetes.io/default-container" (index . 1) -}}
{{- if and $root.Values.objectStore.credentials (not $root.Values.objectStore.existingSecret) -}}
{{- $_ := set $annotations "checksum/credentials" ($root.Values.objectStore.credentials | toJson | sha256sum) -}}
{{- end -}}
labels:
  {{- mustMergeOverwrite (deepCopy $root.Values.podLabels) (include "shadowdiff.selector" . | fromYaml) | toYaml | nindent 2 }}
annotations:
  {{- mustMergeOverwrite $annotations (deepCopy $root.Values.podAnnotations) | toYaml | nindent 2 }}
{{- end -}}

{{/*
What all pods have in common. Service links are off, because they are variables named SHADOWDIFF_…, as our settings are.
*/}}
{{- define "shadowdiff.pod" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $values := index $root.Values $component -}}
serviceAccountName: {{ include "shadowdiff.serviceAccount" $root | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ int $values.drainSeconds }}
securityContext:
  runAsNonRoot: true
  {{- with $root.Values.runAsUser }}
  runAsUser: {{ int64 . }}
  runAsGroup: {{ int64 . }}
  fsGroup: {{ int64 . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with $root.Values.spreadOver }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "shadowdiff.selector" (list $root $component) | nindent 8 }}
    matchLabelKeys:
      - pod-template-hash
  {{- end }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
volumes:
  - name: scratch
    emptyDir:
      sizeLimit: {{ int $values.scratchGiB }}Gi
{{- end -}}

{{- define "shadowdiff.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/*
What all containers have in common. Temporary files go to the scratch volume: nothing else can be written to.
*/}}
{{- define "shadowdiff.container" -}}
image: {{ include "shadowdiff.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop:
      - ALL
env:
  - name: SHADOWDIFF_LOG
    value: {{ .Values.log | quote }}
  - name: TMPDIR
    value: /scratch
  {{- range $name, $value := .Values.env }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
{{- with include "shadowdiff.secret" . }}
envFrom:
  - secretRef:
      name: {{ . | quote }}
{{- end }}
volumeMounts:
  - name: scratch
    mountPath: /scratch
{{- end -}}

{{/*
Probes by the gRPC health service on a port. "liveness" must depend on nothing but the process itself. A start may take
a minute; a process that answers nothing for a minute is started again.
*/}}
{{- define "shadowdiff.probes" -}}
startupProbe:
  grpc:
    port: {{ . }}
    service: liveness
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 30
livenessProbe:
  grpc:
    port: {{ . }}
    service: liveness
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  grpc:
    port: {{ . }}
    service: readiness
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}
