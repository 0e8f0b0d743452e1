{{- define "labels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .part }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "metadata" -}}
name: {{ .root.Release.Name }}-{{ .part }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "labels" . | nindent 2 }}
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{- end }}

{{- /* Page and worker differ in their container: its command, ports and probes are given as `container`. */}}
{{- define "deployment" -}}
{{- $values := get .root.Values .part }}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "metadata" . | nindent 2 }}
spec:
  {{- /* Who scales decides how many there are. */}}
  {{- if not $values.maxReplicas }}
  replicas: {{ $values.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "labels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "labels" . | nindent 8 }}
      annotations:
        # New settings need new pods.
        checksum/settings: {{ toYaml .root.Values.settings | sha256sum }}
    spec:
      serviceAccountName: {{ .root.Values.serviceAccountName }}
      automountServiceAccountToken: false
      # In a release "rag", the Service of the page would give each pod a RAG_PAGE_PORT.
      enableServiceLinks: false
      {{- with .root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 50000
        runAsGroup: 0
        fsGroup: 0
        seccompProfile: {type: RuntimeDefault}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "labels" . | nindent 14 }}
      containers:
        - name: {{ .part }}
          image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          {{- .container | nindent 10 }}
          envFrom:
            - configMapRef: {name: {{ .root.Release.Name }}}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: tmp, mountPath: /tmp}
            - {name: secrets, mountPath: /etc/contextual-rag, readOnly: true}
      volumes:
        - name: data
          emptyDir: {sizeLimit: {{ .root.Values.dataSize }}}
        - name: tmp
          emptyDir: {}
        - name: secrets
          projected:
            defaultMode: 0440
            sources:
              - secret:
                  name: {{ .root.Values.secret }}
                  # A pod does not start without them, and its events name the one that is missing.
                  items:
                    {{- range list "RAG_CONVERSATIONS_URL" "RAG_OIDC_CLIENT_SECRET" "RAG_OIDC_COOKIE_SECRET" }}
                    - {key: {{ . }}, path: {{ . }}}
                    {{- end }}
              - secret:
                  name: {{ .root.Values.secret }}
                  optional: true
                  items:
                    {{- range list "aws_credentials" "MILVUS_TOKEN" "RAG_AIRFLOW_PASSWORD" "RAG_API_KEYS" "TOGETHER_API_KEY" "RAG_CHAT_KEY" "RAG_CONTEXT_KEY" "RAG_EMBEDDING_KEY" "RAG_RERANK_KEY" }}
                    - {key: {{ . }}, path: {{ . }}}
                    {{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "metadata" . | nindent 2 }}
spec:
  # One at a time; one that does not work need not be waited for.
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "labels" . | nindent 6 }}
{{- with $values.maxReplicas }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "metadata" $ | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $.root.Release.Name }}-{{ $.part }}}
  minReplicas: {{ $values.replicas }}
  maxReplicas: {{ max . $values.replicas }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
{{- end }}
{{- end }}
