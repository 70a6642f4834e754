"""`python -m tests.deploy.scaling` writes deploy/k8s/autoscaling/scaled.yaml from what the services declare."""

from collections.abc import Iterator
from pathlib import Path

from deskstream.messaging import Declaration
from deskstream.messaging.topology import topology
from deskstream.runtime.schemas import installed_services

FILE = Path(__file__).parents[2] / "deploy/k8s/autoscaling/scaled.yaml"

_HEAD = """\
# Written by `make kubernetes` from what the services declare: a trigger for each place that a service has in a stream.
"""

# Twenty batches behind is more than load; two replicas survive the loss of a node.
_OBJECT = """\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: deskstream-{name}
spec:
  scaleTargetRef:
    name: deskstream-{name}
  minReplicaCount: 2
  maxReplicaCount: 6
  pollingInterval: 15
  cooldownPeriod: 300
  triggers:
"""

_TRIGGER = """\
    - type: nats-jetstream
      metadata:
        natsServerMonitoringEndpoint: nats.deskstream.svc.cluster.local:8222
        account: DESK
        stream: {stream}
        consumer: {consumer}
        lagThreshold: "4000"
"""


def scaled(services: dict[str, Declaration]) -> list[Declaration]:
    """Those of which every replica works, and that hear something."""
    return [service for service in services.values() if service.hears and not service.exclusive]


def written(services: dict[str, Declaration]) -> str:
    """The file's content."""
    return _HEAD + "---\n".join("".join(_object(service, services)) for service in scaled(services))


def _object(service: Declaration, services: dict[str, Declaration]) -> Iterator[str]:
    yield _OBJECT.format(name=service.name.replace("_", "-"))
    for durable in topology(list(services.values())).durables:
        if durable.reader == service.name:
            yield _TRIGGER.format(stream=durable.stream, consumer=durable.reader)


if __name__ == "__main__":
    FILE.write_text(written(installed_services()))
