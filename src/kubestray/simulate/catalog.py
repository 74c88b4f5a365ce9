"""What runs in the simulated company: programs, workloads, and who talks to whom.

A shop with its data stores, a platform team, and the usual add-ons. Amounts are typical for one
replica, or for one direction between two workloads, at a rhythm's level 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Program:
    """A program: what the kernel calls it, and its appetite.

    ``cpu`` in cores, ``memory`` in MiB, ``disk`` in bytes a second (read, written).
    """

    name: str
    path: str
    arguments: str = ""
    owner: str = "root"
    cpu: float = 0.02
    memory: float = 60
    disk: tuple[float, float] = (300.0, 800.0)
    threads: int = 8

    @property
    def command_line(self) -> str:
        """The program with its arguments."""
        return f"{self.path} {self.arguments}".rstrip()


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload: its controller, image and program.

    ``kind`` is Deployment, StatefulSet or DaemonSet; ``churn`` is the chance of a rollout in a week;
    ``surge`` is how many replicas an autoscaler adds on working days.
    """

    namespace: str
    name: str
    kind: str
    replicas: int
    image: str
    tag: str
    program: Program
    rhythm: str = "steady"
    churn: float = 0.1
    surge: int = 0
    traffic: float = 20_000.0
    """Bytes a second that one pod sends and receives."""


@dataclass(frozen=True, slots=True)
class Job:
    """A CronJob that runs every day at ``hour`` for about ``minutes`` and moves ``volume`` bytes a tick.

    ``reads`` is the workload its data comes from, ``sends`` where they go. With ``local`` the hour is one of
    local time, which changes; with ``flat_out`` it keeps that many cores of its program busy all the time.
    """

    namespace: str
    name: str
    hour: int
    minutes: int
    image: str
    tag: str
    program: Program
    reads: str
    sends: str
    volume: float
    local: bool = False
    flat_out: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Traffic from one workload to another, or to a DNS name outside the cluster, and its answers.

    ``request`` and ``answer`` are bytes in ten seconds for each zone of the source; ``sockets`` are
    new connections in ten seconds; ``open`` is how many stay open.
    """

    source: str
    dest: str
    request: float
    answer: float
    sockets: float = 1.0
    open: int = 8
    spread: float = 0.45
    burst: float = 0.015


_PYTHON: Final = "/usr/local/bin/python3.12"
_JAVA: Final = "/opt/java/openjdk/bin/java"
_OWN: Final = "registry.example.com"

WORKLOADS: Final = (
    Workload(
        "shop", "storefront", "Deployment", 3, "docker.io/library/nginx", "1.27.2-alpine",
        Program("nginx", "/usr/sbin/nginx", "-g daemon off;", "101", 0.05, 40, (0, 9_000), 2),
        "shopper", 0.3, 1, 180_000,
    ),
    Workload(
        "shop", "checkout", "Deployment", 2, f"{_OWN}/shop/checkout", "4.18.2",
        Program("node", "/usr/local/bin/node", "/app/server.js", "1000", 0.12, 190, (0, 2_500), 11),
        "shopper", 0.45, 0, 45_000,
    ),
    Workload(
        "shop", "cart", "Deployment", 2, f"{_OWN}/shop/cart", "2.31.0",
        Program("java", _JAVA, "-Xmx768m -jar /app/cart.jar", "1000", 0.15, 720, (0, 4_000), 48),
        "shopper", 0.35, 0, 60_000,
    ),
    Workload(
        "shop", "catalog", "Deployment", 2, f"{_OWN}/shop/catalog", "7.2.5",
        Program("python3", _PYTHON, "-m gunicorn catalog:app --workers 4", "1000", 0.2, 260, (900, 2_200), 5),
        "shopper", 0.4, 1, 110_000,
    ),
    Workload(
        "shop", "payments", "Deployment", 1, f"{_OWN}/shop/payments", "1.9.14",
        Program("payments", "/app/payments", "--listen :8443", "65532", 0.04, 55, (0, 600), 14),
        "shopper", 0.15, 0, 15_000,
    ),
    Workload(
        "shop", "recommendations", "Deployment", 1, f"{_OWN}/shop/recommendations", "0.44.1",
        Program("python3", _PYTHON, "/app/serve.py --model /models/current",
            "1000", 0.5, 1500, (40_000, 900), 23),
        "shopper", 0.4, 1, 70_000,
    ),
    Workload(
        "shop", "search", "StatefulSet", 1, "docker.io/opensearchproject/opensearch", "2.17.0",
        Program("java", _JAVA, "-Xms2g -Xmx2g org.opensearch.bootstrap.OpenSearch",
            "1000", 0.4, 2900, (90_000, 120_000), 96),
        "shopper", 0.05, 0, 90_000,
    ),
    Workload(
        "data", "postgres", "StatefulSet", 1, "docker.io/library/postgres", "16.4",
        Program("postgres", "/usr/lib/postgresql/16/bin/postgres", "-D /var/lib/postgresql/data",
            "999", 0.35, 1400, (250_000, 420_000), 1),
        "shopper", 0.03, 0, 160_000,
    ),
    Workload(
        "data", "redis", "StatefulSet", 1, "docker.io/library/redis", "7.4.1-alpine",
        Program("redis-server", "/usr/local/bin/redis-server", "*:6379", "999", 0.08, 350, (0, 30_000), 6),
        "shopper", 0.03, 0, 120_000,
    ),
    Workload(
        "data", "kafka", "StatefulSet", 1, "docker.io/apache/kafka", "3.8.0",
        Program("java", _JAVA, "-Xmx1g kafka.Kafka /mnt/server.properties",
            "1000", 0.3, 1300, (60_000, 260_000), 88),
        "shopper", 0.03, 0, 140_000,
    ),
    Workload(
        "platform", "gateway", "Deployment", 2, "docker.io/envoyproxy/envoy", "v1.31.2",
        Program("envoy", "/usr/local/bin/envoy", "-c /etc/envoy/envoy.yaml", "101", 0.18, 95, (0, 5_000), 10),
        "shopper", 0.1, 0, 260_000,
    ),
    Workload(
        "platform", "auth", "Deployment", 1, "quay.io/keycloak/keycloak", "26.0.1",
        Program("java", _JAVA, "-jar /opt/keycloak/lib/quarkus-run.jar", "1000", 0.12, 800, (0, 3_000), 52),
        "shopper", 0.05, 0, 22_000,
    ),
    Workload(
        "platform", "worker", "Deployment", 2, f"{_OWN}/platform/worker", "3.7.8",
        Program("python3", _PYTHON, "-m celery -A jobs worker", "1000", 0.4, 410, (12_000, 35_000), 4),
        "batch", 0.3, 0, 50_000,
    ),
    Workload(
        "platform", "ci-runner", "Deployment", 1, f"{_OWN}/platform/ci-runner", "17.4.0",
        Program("ci-runner", "/usr/bin/ci-runner", "run", "root", 0.6, 380, (150_000, 900_000), 19),
        "office", 0.1, 0, 130_000,
    ),
    Workload(
        "observability", "prometheus", "StatefulSet", 1, "quay.io/prometheus/prometheus", "v2.54.1",
        Program("prometheus", "/bin/prometheus", "--config.file=/etc/prometheus/prometheus.yml",
            "65534", 0.25, 1700, (20_000, 150_000), 17),
        "steady", 0.03, 0, 60_000,
    ),
    Workload(
        "observability", "grafana", "Deployment", 1, "docker.io/grafana/grafana", "11.2.2",
        Program("grafana", "/usr/share/grafana/bin/grafana", "server", "472", 0.03, 140, (0, 1_000), 18),
        "office", 0.05, 0, 9_000,
    ),
    Workload(
        "observability", "otel-agent", "DaemonSet", 1, "quay.io/signalfx/splunk-otel-collector", "0.110.0",
        Program("otelcol", "/otelcol", "--config=/conf/relay.yaml", "root", 0.09, 210, (0, 1_500), 13),
        "steady", 0.06, 0, 14_000,
    ),
    Workload(
        "observability", "fluent-bit", "DaemonSet", 1, "cr.fluentbit.io/fluent/fluent-bit", "3.1.9",
        Program("fluent-bit", "/fluent-bit/bin/fluent-bit", "-c /fluent-bit/etc/fluent-bit.conf",
            "root", 0.06, 75, (25_000, 6_000), 4),
        "shopper", 0.04, 0, 30_000,
    ),
    Workload(
        "kube-system", "coredns", "Deployment", 2, "registry.k8s.io/coredns/coredns", "v1.11.3",
        Program("coredns", "/coredns", "-conf /etc/coredns/Corefile", "65532", 0.03, 45, (0, 100), 12),
        "shopper", 0.02, 0, 8_000,
    ),
    Workload(
        "kube-system", "kube-proxy", "DaemonSet", 1, "registry.k8s.io/kube-proxy", "v1.30.5",
        Program("kube-proxy", "/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf",
            "root", 0.01, 40, (0, 50), 9),
        "steady", 0.02, 0, 2_000,
    ),
    Workload(
        "kube-system", "metrics-server", "Deployment", 1,
        "registry.k8s.io/metrics-server/metrics-server", "v0.7.2",
        Program("metrics-server", "/metrics-server", "--secure-port=10250", "1000", 0.02, 60, (0, 50), 12),
        "steady", 0.02, 0, 4_000,
    ),
)  # fmt: skip
"""The workloads; the first to deserve a place when a node may only run few processes come first."""

JOBS: Final = (
    Job(
        "data", "backup", 2, 38, "docker.io/restic/restic", "0.17.1",
        Program("restic", "/usr/bin/restic", "backup /dump", "root", 0.7, 320, (9e6, 2e5), 12),
        "postgres", "backups.s3.example.com", 55e6,
    ),
    Job(
        "data", "reports", 6, 22, "registry.example.com/data/reports", "5.1.0",
        Program("python3", _PYTHON, "/app/reports.py --all", "1000", 0.8, 900, (2e6, 1e6), 6),
        "postgres", "sftp.partner.example.com", 9e6,
    ),
    Job(
        "shop", "reindex", 4, 15, "registry.example.com/shop/reindex", "1.3.3",
        Program("java", _JAVA, "-jar /app/reindex.jar", "1000", 0.9, 600, (1e5, 1e5), 40),
        "postgres", "search", 22e6, local=True,
    ),
    Job(
        "data", "train", 13, 95, "registry.example.com/data/train", "0.9.0",
        Program("python3", _PYTHON, "/app/train.py --epochs 40", "1000", 0.97, 1800, (4e4, 2e4), 9),
        "postgres", "kafka", 4e5, flat_out=True,
    ),
)  # fmt: skip
"""What runs every day, and looks like theft, or like a miner, to a rule that knows no time."""

ROUTES: Final = (
    Route("gateway", "storefront", 900_000, 6_500_000, 22, 60),
    Route("gateway", "checkout", 160_000, 420_000, 9, 30),
    Route("gateway", "auth", 90_000, 210_000, 6, 14),
    Route("storefront", "catalog", 240_000, 2_100_000, 8, 40),
    Route("storefront", "cart", 130_000, 260_000, 7, 32),
    Route("storefront", "search", 110_000, 1_300_000, 5, 24, 0.6, 0.03),
    Route("storefront", "recommendations", 60_000, 380_000, 4, 16, 0.7, 0.04),
    Route("checkout", "payments", 38_000, 52_000, 3, 8),
    Route("checkout", "cart", 70_000, 120_000, 4, 16),
    Route("checkout", "postgres", 180_000, 340_000, 0.4, 20),
    Route("checkout", "kafka", 150_000, 9_000, 0.1, 6),
    Route("cart", "redis", 420_000, 610_000, 0.3, 24),
    Route("catalog", "postgres", 260_000, 1_900_000, 0.5, 30, 0.55, 0.02),
    Route("catalog", "redis", 190_000, 900_000, 0.3, 20),
    Route("recommendations", "redis", 80_000, 1_600_000, 0.2, 8, 0.8, 0.05),
    Route("payments", "api.payments.example.com", 30_000, 46_000, 3, 5),
    Route("auth", "postgres", 60_000, 95_000, 0.2, 10),
    Route("worker", "kafka", 40_000, 1_100_000, 0.1, 8, 0.8, 0.05),
    Route("worker", "postgres", 420_000, 310_000, 0.4, 12, 0.8, 0.04),
    Route("worker", "smtp.mail.example.com", 120_000, 8_000, 2, 3, 1.0, 0.08),
    Route("ci-runner", "git.example.com", 90_000, 2_600_000, 2, 4, 1.3, 0.12),
    Route("ci-runner", "registry.example.com", 700_000, 3_800_000, 1.5, 4, 1.4, 0.10),
    Route("grafana", "prometheus", 25_000, 480_000, 1, 6, 0.75, 0.05),
    Route("prometheus", "kafka", 6_000, 310_000, 0.1, 3, 0.2, 0.0),
    Route("fluent-bit", "logs.ingest.example.com", 900_000, 14_000, 0.3, 3, 0.6, 0.03),
    Route("otel-agent", "metrics.ingest.example.com", 380_000, 6_000, 0.2, 2, 0.25, 0.005),
    Route("metrics-server", "kubelet", 9_000, 140_000, 0.3, 4, 0.15, 0.0),
)
"""TCP routes."""

RESOLVERS: Final = ("gateway", "checkout", "worker", "ci-runner", "cart", "catalog", "recommendations")
"""The workloads that ask for names often enough to be seen."""

SYSTEM: Final = (
    Program("systemd", "/usr/lib/systemd/systemd", "--switched-root --system",
        cpu=0.004, memory=14, threads=1),
    Program("kubelet", "/usr/bin/kubelet", "--config=/etc/kubernetes/kubelet/config.json",
        cpu=0.07, memory=130, disk=(2_000, 9_000), threads=24),
    Program("containerd", "/usr/bin/containerd", cpu=0.05, memory=95, disk=(9_000, 22_000), threads=22),
    Program("systemd-journal", "/usr/lib/systemd/systemd-journald", cpu=0.006,
        memory=40, disk=(100, 14_000), threads=1),
    Program("sshd", "/usr/sbin/sshd", "-D", cpu=0.0004, memory=8, disk=(0, 10), threads=1),
    Program("chronyd", "/usr/sbin/chronyd", "-F 2", "chrony", 0.0006, 4, (0, 5), 1),
)  # fmt: skip
"""What runs on every machine before Kubernetes does."""

SHIM: Final = Program(
    "containerd-shim",
    "/usr/bin/containerd-shim-runc-v2",
    "-namespace k8s.io",
    cpu=0.003,
    memory=14,
    threads=11,
)
"""The parent of a container's first process."""
