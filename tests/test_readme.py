"""The README's tree is the tree."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_module_stands_in_the_tree_and_every_line_of_the_tree_exists():
    readme = (ROOT / "README.md").read_text()
    tree = readme.split("## The tree")[1].split("```")[1].strip().splitlines()
    listed, folder = set(), ""
    for line in tree:
        name = line.split()[0]
        if name.endswith("/"):
            folder = name
            assert (ROOT / folder).is_dir(), f"{folder} stands in the README only"
        else:
            listed.add(folder + name)
    command = ["git", "ls-files", "app/*.py", "worker/*.py"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert listed == {path for path in tracked if not path.endswith("__init__.py")}
