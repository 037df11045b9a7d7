"""Every policy in the documentation is checked, every test of them passes, and every command that a
guide shows prints what it shows.

A block ```cedar NAME or ```yaml NAME is a file; a block ```console has commands after "$ " and what
they print, where a line "..." stands for any number of lines."""

import pathlib
import re
import shlex
import subprocess

import pytest
from conftest import BINARY, ROOT

GUIDE = ROOT / "docs/guides/policies.md"
COOKBOOK = ROOT / "docs/guides/policy-cookbook.md"
BLOCK = re.compile(r"^```(\w+) ?([\w./-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sallyport(folder, *arguments):
    return subprocess.run([BINARY, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(folder, command):
    words = shlex.split(command)
    if words[0] == "rm":
        (folder / words[1]).unlink()
        return ""
    assert words[0] == "sallyport", command
    done = sallyport(folder, *words[1:])
    assert done.returncode in (0, 1, 2, 3), done.stderr
    return done.stdout + done.stderr


def prints(output, shown):
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in shown)
    return re.fullmatch(pattern, output) is not None


def console(folder, text):
    """Runs the commands of a block; how many there were."""
    steps = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    for step in steps:
        command, *shown = step.rstrip("\n").split("\n")
        output = run(folder, command)
        assert prints(output, shown), f"$ {command}\n{output}"
    return len(steps)


def test_every_step_of_the_guide_runs_and_prints_what_it_shows(tmp_path):
    steps = 0
    for kind, name, text in BLOCK.findall(GUIDE.read_text()):
        if kind == "console":
            steps += console(tmp_path, text)
        else:
            assert name, text
            write(tmp_path, name, text)
    assert steps >= 14


def recipes():
    parts = re.split(r"^## (.+)$", COOKBOOK.read_text(), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2]))


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe[0].replace(" ", "-"))
def test_every_recipe_of_the_cookbook_is_checked_and_tested(tmp_path, recipe):
    blocks = BLOCK.findall(recipe[1])
    assert {kind for kind, _, _ in blocks} == {"cedar", "yaml"}
    for _, name, text in blocks:
        write(tmp_path, name, text)
    checked = sallyport(tmp_path, "policy", "check", "policies")
    assert checked.returncode == 0 and "all good" in checked.stdout, checked.stdout + checked.stderr
    tested = sallyport(tmp_path, "policy", "test", "policies")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    # A test file has one tenant, so that nothing of another one can be asked for.
    said = tested.stdout.replace("no test reaches: tenant-separation\n", "")
    assert re.fullmatch(r"\d+ passed, 0 failed\n", said), tested.stdout


def test_no_policy_in_the_documentation_is_left_out(tmp_path):
    """Policies elsewhere in docs/ and in the README are at least valid."""
    pages = [page for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "policies/README.md"]
             if page not in (GUIDE, COOKBOOK)]
    assert len(pages) > 10
    for page in pages:
        for number, (kind, _, text) in enumerate(BLOCK.findall(page.read_text())):
            if kind != "cedar":
                continue
            folder = tmp_path / f"{page.stem}-{number}"
            write(folder, "policies/a.cedar", text)
            checked = sallyport(folder, "policy", "check", "policies")
            assert checked.returncode == 0, f"{page}: {checked.stderr}"


def test_the_starter_policies_pass_their_tests_and_are_laid_out():
    for arguments in (("check",), ("test",), ("format", "--check")):
        done = sallyport(ROOT, "policy", *arguments, "policies")
        assert done.returncode == 0, done.stdout + done.stderr
    # Votes are not something that a test file can ask about yet.
    tested = sallyport(ROOT, "policy", "test", "policies").stdout
    unreached = re.search(r"no test reaches: (.*)\n", tested)
    known = {"chain-depth", "dynamic-sql-is-dba-only", "tenant-separation", "dba-approves",
             "sre-approves", "no-self-approval", "no-approval-through-an-agent"}
    assert set(unreached.group(1).split(", ")) <= known, tested
