"""What `kubectl apply -k` would send: deploy/k8s rendered by kustomize itself."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "deploy/k8s"
HOW_TO_GET_IT = "neither kubectl nor kustomize is here: `make .venv/bin/kubectl` fetches one"

Resource = dict[str, Any]


def renderer() -> list[str]:
    """The command that renders a folder. Raises AssertionError when there is none."""
    ours = Path(sys.executable).parent / "kubectl"
    kubectl = str(ours) if ours.exists() else shutil.which("kubectl")
    if kubectl:
        return [kubectl, "kustomize"]
    kustomize = shutil.which("kustomize")
    assert kustomize, HOW_TO_GET_IT
    return [kustomize, "build"]


@cache
def rendered(overlay: str) -> tuple[Resource, ...]:
    """The resources of deploy/k8s/<overlay>; `.` is all of it."""
    done = subprocess.run([*renderer(), FOLDER / overlay], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> list[Resource]:
    """Those of these kinds."""
    return [one for one in rendered(overlay) if one["kind"] in kinds]


def pods(overlay: str) -> dict[str, Resource]:
    """By kind and name of whoever makes them, the pods' specification with their labels."""
    makers = of_kind(overlay, "Deployment", "StatefulSet", "Job")
    return {
        f"{one['kind']} {one['metadata']['name']}": one["spec"]["template"]["spec"]
        | {"labels": one["spec"]["template"]["metadata"].get("labels", {})}
        for one in makers
    }
