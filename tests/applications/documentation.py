"""The programs and commands of a page of the manual."""

import pathlib
import re
import shlex
import shutil
import sysconfig

DOCS = pathlib.Path(__file__).parents[2] / "docs"

# A block of Python whose first line is no file's name.
PROGRAM = "program.py"


class Section:
    """What is under a heading: files, and commands."""

    def __init__(self, text):
        self.title, self.text = text.split("\n", 1)
        self.files = dict(map(named, self.blocks("python")))
        self.commands = re.findall(r"^\$ (.*)$", "\n".join(self.blocks("console")), re.MULTILINE)

    def blocks(self, language):
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)

    def needs(self):
        """The oldest Python that the section is for."""
        version = re.search(r"^Python (\d+)\.(\d+) and later", self.text, re.MULTILINE)
        return tuple(map(int, version.groups())) if version else (3, 11)

    def write(self, directory):
        for name, source in self.files.items():
            (directory / name).write_text(source)


def named(source):
    name = re.match(r"# ([\w.]+\.py)\n", source)
    return name.group(1) if name else PROGRAM, source


def sections(page):
    """What is above the first heading of a page, and its sections by title."""
    introduction, *others = re.split(r"^## ", (DOCS / page).read_text(), flags=re.MULTILINE)
    return Section(introduction), {section.title: section for section in map(Section, others)}


def installed(command):
    """The words of a command, which is that of the environment that runs the tests."""
    name, *arguments = shlex.split(command)
    return [shutil.which(name, path=sysconfig.get_path("scripts")), *arguments]
