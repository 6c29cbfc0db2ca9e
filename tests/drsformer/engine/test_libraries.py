"""A library that cannot be imported is refused with the reason and the remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from drsformer.engine.libraries import LIBRARIES, module_of
from drsformer.errors import ProviderError

LEAN = LIBRARIES["tensorrt_lean"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("import no_such_part", "runtime is installed but needs no_such_part; pip install"),
        ("raise OSError('libnvinfer.so')", r"libraries cannot be loaded \(libnvinfer.so\); pip"),
        ("raise ImportError('old glibc')", r"libraries cannot be loaded \(old glibc\); pip"),
    ],
)
def test_a_broken_installation_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str
) -> None:
    (tmp_path / "tensorrt_lean.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ProviderError, match=message):
        module_of(LEAN)


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LEAN.modules:
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails then
    with pytest.raises(ProviderError, match="lean runtime is not installed; pip install"):
        module_of(LEAN)
