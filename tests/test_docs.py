"""What the documents quote is what the program says."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
VARIABLE = (
    r"; |cudaError\w+|\.\.\.|\(.*?\)|[0-9][0-9x.]*|NAME\S*|"
    r"TensorRT(-RTX)?|tensorrt_rtx|fp16|SM90"
)
FEWEST_LETTERS = 12  # of a quoted piece between figures and names


def said() -> list[str]:
    """Return every constant piece of text in the sources."""
    return [
        node.value
        for folder in ("drsformer", "export", "calibration", "runtime")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_troubleshooting_quotes_messages_as_they_are() -> None:
    table = (ROOT / "docs/tensorrt.md").read_text().split("## When it fails")[1]
    messages = re.findall(r"^\| `(.*?)`", table, re.MULTILINE)
    assert len(messages) > 10
    pieces = said()
    for message in messages:
        quoted = [part or "" for part in re.split(VARIABLE, message)]
        for part in quoted:
            if len(part.strip(" ,;")) >= FEWEST_LETTERS:
                assert any(part.strip(" ,;") in piece for piece in pieces), (message, part)
