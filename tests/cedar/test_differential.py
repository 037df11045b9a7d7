"""Ours and the reference implementation of Cedar on generated worlds; README.md says what is asked."""

import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import BINARY, ROOT

JUDGE = pathlib.Path(BINARY).parents[2] / "tests/cedar/cedar-judge"
REQUESTS = os.environ.get("SALLYPORT_DIFFERENTIAL_REQUESTS", "20000")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A folder with the reference, so that a test run leaves nothing in the tree."""
    folder = tmp_path_factory.mktemp("cedar")
    for file in (ROOT / "tests/cedar").glob("*.mjs"):
        shutil.copy(file, folder)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "tests/cedar" / name, folder)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True,
                   timeout=300)
    return folder


@pytest.mark.skipif(not JUDGE.exists(), reason=f"{JUDGE} is not built: ninja cedar-judge")
def test_agrees_with_the_reference(reference):
    done = subprocess.run(
        ["node", "--no-opt", "differential.mjs", "--judge", str(JUDGE), "--requests", REQUESTS],
        cwd=reference, capture_output=True, text=True, timeout=1800)
    print(done.stdout[-4000:])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert done.stdout.rstrip().endswith(" 0 disagreements")
