"""The programs of the manual end well, and print what it says.

A block of Python is a whole program. A block of text that follows it is what it prints. The
pages that need other projects' packages are tested in tests/applications.
"""

import os
import pathlib
import re
import subprocess
import sys

import pytest
from patience import patient

import everloop

DOCS = pathlib.Path(__file__).parents[1] / "docs"
ELSEWHERE = {"asyncio.md", "recipes.md"}
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def programs():
    for page in sorted([DOCS.parent / "README.md", *DOCS.rglob("*.md")]):
        name = page.relative_to(DOCS.parent).as_posix().removeprefix("docs/")
        if name not in ELSEWHERE:
            for number, block in enumerate(BLOCK.finditer(page.read_text()), 1):
                yield pytest.param(*block.groups(), id=f"{name}-{number}")


def test_each_watcher_has_a_page():
    watcher = everloop.Io.__base__
    kinds = {
        name.lower()
        for name, kind in vars(everloop).items()
        if isinstance(kind, type) and issubclass(kind, watcher) and kind is not watcher
    }
    assert kinds == {page.stem for page in DOCS.glob("watchers/*.md")} - {"index"}


@pytest.mark.parametrize(("program", "printed"), list(programs()))
def test_programs(tmp_path, program, printed):
    package = pathlib.Path(everloop.__file__).parent.parent
    path = f"{package}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    (tmp_path / "program.py").write_text(program)
    run = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        input="hello\n",
        capture_output=True,
        text=True,
        timeout=patient(60),
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert printed is None or run.stdout == printed
