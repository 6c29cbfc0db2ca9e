"""What the documents quote is what the program says, and what they name exists."""

import ast
import re
from pathlib import Path

import pytest

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
        for folder in ("drsformer", "export", "calibration", "runtime", "measuring", "commands")
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


DOCUMENTS = sorted(path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_files_that_a_document_names_exist(document: Path) -> None:
    text = (ROOT / document).read_text()
    named = re.findall(r"`((?:\w+/)+\w+\.(?:py|json|md))`", text)
    assert not [name for name in named if not (ROOT / name).is_file()]
    linked = re.findall(r"\]\(([^)#]+)", text)
    folder = (ROOT / document).parent
    assert not [one for one in linked if "://" not in one and not (folder / one).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_into_a_document_find_their_heading(document: Path) -> None:
    text = (ROOT / document).read_text()
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
