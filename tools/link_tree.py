"""Link the packages under their import names, for tools that do not read setuptools' settings.

    python tools/link_tree.py build/link_tree

The folder `export/` is the package `drsformer.export`, and so on, by the `package-dir` of
pyproject.toml.
"""

import shutil
import sys
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[1]


def main(tree: Path) -> None:
    """Remove the tree and make it again."""
    shutil.rmtree(tree, ignore_errors=True)
    package = tree / "drsformer"
    package.mkdir(parents=True)
    for path in (ROOT / "drsformer").iterdir():
        (package / path.name).symlink_to(path)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for name, folder in settings["package-dir"].items():
        (tree / name.replace(".", "/")).symlink_to(ROOT / folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
