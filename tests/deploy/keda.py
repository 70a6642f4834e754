"""What KEDA takes: its ScaledObject as far as ours uses it, and the question by which it learns of a lag.

Written from KEDA 2.14 to 2.19: the resource's own definition (group keda.sh, version v1alpha1), and the parameters that
the trigger `nats-jetstream` reads. Both are strict here: KEDA passes over a field that it does not know, and so would
a slip be passed over.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.request import urlopen

from jsonschema import Draft202012Validator

_TEXT: Final = {"type": "string", "minLength": 1}
_NAME: Final = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
_COUNT: Final = {"type": "integer", "minimum": 0}


def _only(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """An object of these properties and no other."""
    return {
        "type": "object",
        "required": sorted(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


# A trigger's parameters are texts, numbers too: KEDA reads them itself.
_TRIGGER: Final = _only(
    {
        "type": {"const": "nats-jetstream"},
        "metadata": _only(
            {
                "natsServerMonitoringEndpoint": {"type": "string", "pattern": r"^[a-z0-9.-]+:\d+$"},
                "account": _TEXT,
                "stream": _TEXT,
                "consumer": _TEXT,
            },
            lagThreshold={"type": "string", "pattern": "^[1-9][0-9]*$"},
            activationLagThreshold={"type": "string", "pattern": "^[0-9]+$"},
            useHttps={"enum": ["true", "false"]},
        ),
    },
    name=_TEXT,
    metricType={"enum": ["AverageValue", "Value"]},
)

SCALED_OBJECT: Final = _only(
    {
        "apiVersion": {"const": "keda.sh/v1alpha1"},
        "kind": {"const": "ScaledObject"},
        "metadata": _only(
            {"name": _NAME},
            namespace=_NAME,
            labels={"type": "object", "additionalProperties": {"type": "string"}},
            annotations={"type": "object", "additionalProperties": {"type": "string"}},
        ),
        "spec": _only(
            {
                "scaleTargetRef": _only({"name": _NAME}, apiVersion=_TEXT, kind=_TEXT, envSourceContainerName=_TEXT),
                "triggers": {"type": "array", "minItems": 1, "items": _TRIGGER},
            },
            pollingInterval=_COUNT,
            cooldownPeriod=_COUNT,
            initialCooldownPeriod=_COUNT,
            idleReplicaCount=_COUNT,
            minReplicaCount=_COUNT,
            maxReplicaCount=_COUNT,
            fallback=_only(
                {"failureThreshold": _COUNT, "replicas": _COUNT},
                behavior={
                    "enum": ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"],
                },
            ),
        ),
    }
)


def slips(resource: dict[str, Any]) -> list[str]:
    """What KEDA would refuse or pass over, in words."""
    found = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(SCALED_OBJECT).iter_errors(resource)
    ]
    return found or _bounds(resource["spec"])


def _bounds(spec: dict[str, Any]) -> list[str]:
    """Which no schema says; the defaults are KEDA's."""
    least, most = spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100)
    found = [] if least <= most else [f"minReplicaCount {least} is more than maxReplicaCount {most}"]
    if spec.get("idleReplicaCount", -1) >= least:
        found.append(f"idleReplicaCount {spec['idleReplicaCount']} is not less than minReplicaCount {least}")
    return found


def consumers_seen(endpoint: str, account: str) -> set[tuple[str, str]]:
    """What KEDA finds at the broker's monitoring when it asks for this account: streams and their consumers."""
    with urlopen(f"http://{endpoint}/jsz?acc={account}&consumers=true&config=true", timeout=5) as answer:
        accounts = json.load(answer).get("account_details") or []
    return {
        (stream["name"], consumer["name"])
        for one in accounts
        if one["name"] == account
        for stream in one.get("stream_detail") or []
        for consumer in stream.get("consumer_detail") or []
    }
