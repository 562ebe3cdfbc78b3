# A class under JupyterHub: KubeSpawner gives each learner a pod that runs `keywitness serve` behind the hub's own proxy.
# The image is that of scripts/image. The sandbox inside the pod needs no privilege.
import os

ORIGIN = os.environ.get("CLASS_ORIGIN", "https://hub.example.org")

c = get_config()  # noqa: F821

c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.KubeSpawner.image = os.environ.get("CLASS_IMAGE", "keywitness:latest")
c.KubeSpawner.port = 8888
c.KubeSpawner.cmd = [
    "sh",
    "-c",
    # serve's secret is the second lock behind the hub's login; the learner's link has it after the `#`.
    'mkdir -p "$HOME/handins" /tmp/labs && tar -C /tmp/labs -xf /labs/labs.tar && exec keywitness serve /tmp/labs --listen 0.0.0.0 --port 8888 '
    f'--base-path "$JUPYTERHUB_SERVICE_PREFIX" --origin {ORIGIN} --secret-file /run/secrets/keywitness/secret',
]
c.KubeSpawner.uid = 65532
c.KubeSpawner.fs_gid = 65532
c.KubeSpawner.allow_privilege_escalation = False
c.KubeSpawner.container_security_context = {
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
c.KubeSpawner.environment = {"HOME": "/home/lab", "KEYWITNESS_STATE": "/home/lab/state"}
c.KubeSpawner.cpu_guarantee = 0.25
c.KubeSpawner.cpu_limit = 2
c.KubeSpawner.mem_guarantee = "512M"
c.KubeSpawner.mem_limit = "1G"
c.KubeSpawner.automount_service_account_token = False

# Progress and hand-ins stay on the learner's own volume.
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.storage_capacity = "1Gi"
c.KubeSpawner.pvc_name_template = "lab-{username}"
c.KubeSpawner.volumes = [
    {"name": "home", "persistentVolumeClaim": {"claimName": "lab-{username}"}},
    {"name": "labs", "configMap": {"name": "labs"}},
    {"name": "secret", "secret": {"secretName": "keywitness-{username}"}},
    {"name": "tmp", "emptyDir": {}},
]
c.KubeSpawner.volume_mounts = [
    {"name": "home", "mountPath": "/home/lab"},
    {"name": "labs", "mountPath": "/labs", "readOnly": True},
    {"name": "secret", "mountPath": "/run/secrets/keywitness", "readOnly": True},
    {"name": "tmp", "mountPath": "/tmp"},
]
