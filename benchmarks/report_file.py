"""How every measurement of a model is written down: what was measured, with what, on what."""

import json
from pathlib import Path
from typing import Any

from drsformer.files import sha256_of, written_whole
from drsformer.measuring.bench.report import machine, versions


def write_report(path: Path, script: str, model: Path, **figures: Any) -> None:
    """Write a JSON file, whole or not at all.

    Args:
        path: the file to write.
        script: `__file__` of the script that measured.
        model: what was measured.
        figures: the rest, in order.
    """
    report = {
        "script": f"benchmarks/{Path(script).name}",
        "model": model.name,
        "model_sha256": sha256_of(model),
        **figures,
        "machine": machine(),
        "versions": versions(),
    }
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")
