"""Which Python `make setup` takes (docs/decisions/0033)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from deploy import quickest_python
from deploy.quickest_python import Python, choose, measured, names_to_try, probe, suitable

ROOT = Path(__file__).parents[3]
MAKE = shutil.which("make") or "make"

OURS = Python("python3", "/opt/py/bin/python3.11", (3, 11, 7))
SYSTEM = Python("/usr/bin/python3.11", "/usr/bin/python3.11", (3, 11, 2))
NEWER = Python("/usr/bin/python3.13", "/usr/bin/python3.13", (3, 13, 1))
OLDEST = Python("/opt/bin/python3.11", "/opt/bin/python3.11", (3, 11, 9))


class Clock:
    """Measures by rote: for each executable the seconds of each turn; the last ones again when they are used up."""

    def __init__(self, seconds: dict[str, list[float]]) -> None:
        self._seconds = seconds
        self.asked: list[str] = []

    def __call__(self, executable: str) -> float:
        turn = self.asked.count(executable)
        self.asked.append(executable)
        return self._seconds[executable][min(turn, len(self._seconds[executable]) - 1)]


def test_the_quickest_is_taken_and_the_reason_told() -> None:
    clock = Clock({OURS.executable: [0.16], SYSTEM.executable: [0.1]})
    assert choose([OURS, SYSTEM], clock) == (SYSTEM, "1.6 times as quick as python3 (3.11.7)")
    assert clock.asked == [OURS.executable, SYSTEM.executable] * quickest_python.TURNS  # in turns


def test_they_are_compared_within_a_turn() -> None:
    """The machine was twice as quick for one measure, and half as quick from then on."""
    clock = Clock({OURS.executable: [0.1, 0.3], SYSTEM.executable: [0.1, 0.2]})
    assert choose([OURS, SYSTEM], clock) == (SYSTEM, "1.5 times as quick as python3 (3.11.7)")


@pytest.mark.parametrize(("seconds", "taken"), [(0.100, OURS), (0.092, OURS), (0.090, SYSTEM)])
def test_equals_do_not_change_places(seconds: float, taken: Python) -> None:
    python, reason = choose([OURS, SYSTEM], Clock({OURS.executable: [0.1], SYSTEM.executable: [seconds]}))
    assert python is taken
    assert reason == ("no other one here is much quicker" if taken is OURS else "1.1 times as quick as python3 (3.11.7)")


def test_a_newer_version_than_the_default_ones_is_never_taken() -> None:
    assert choose([OURS, NEWER], Clock({})) == (OURS, "")  # nor is anything measured
    default = NEWER._replace(name="python3")
    assert choose([default, SYSTEM], Clock({default.executable: [0.2], SYSTEM.executable: [0.1]}))[0] is SYSTEM


def test_without_a_suitable_default_one_the_oldest_is_it() -> None:
    assert choose([NEWER], Clock({})) == (NEWER, "python3 is not suitable")
    clock = Clock({OLDEST.executable: [0.1], SYSTEM.executable: [0.1]})
    assert choose([NEWER, OLDEST, SYSTEM], clock) == (OLDEST, "python3 is not suitable")
    assert NEWER.executable not in clock.asked


def test_one_with_several_names_counts_once_under_the_first_and_is_asked_once_a_name() -> None:
    asked: list[str] = []
    known = {"python3": OURS, "/venv/bin/python3.11": OURS._replace(name="/venv/bin/python3.11"), SYSTEM.name: SYSTEM}

    def ask(name: str) -> Python | None:
        asked.append(name)
        return known.get(name)

    names = ["python3", "/venv/bin/python3.11", "/usr/bin/python3.9", SYSTEM.name, SYSTEM.name]
    assert suitable(names, ask) == [OURS, SYSTEM]
    assert asked == names[:4]


def executable(path: Path, script: str = "exit 1") -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_what_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = executable(tmp_path / "shims" / "python3.12")
    fixed = executable(tmp_path / "bin" / "python3")
    (tmp_path / "bin" / "python3.11").write_text("cannot be run")
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    assert list(names_to_try((str(tmp_path / "bin"),))) == ["python3", on_path, fixed]


def test_a_virtual_environments_python_is_the_one_that_it_was_made_with() -> None:
    python = probe(sys.executable)
    assert python is not None
    assert python.version == sys.version_info[:3]
    assert sys.prefix == sys.base_prefix or not Path(python.name).is_relative_to(sys.prefix)
    assert probe(python.name) == python
    assert python.executable == str(Path(python.name).resolve())


def test_a_shim_is_the_one_that_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = f'exec {sys.executable} "$@"'
    assert probe(executable(tmp_path / "python3.11", started)) == probe(sys.executable)
    executable(tmp_path / "python3", started)
    monkeypatch.setenv("PATH", str(tmp_path))
    default = probe("python3")
    assert default is not None
    assert default.name == "python3"  # the default one keeps its name, whatever is behind it


@pytest.mark.parametrize(
    "told",
    [
        "exit 1",
        "echo one line",
        "echo /a; echo /a; echo no version",
        "echo /a; echo /a; echo 3.x",
        "echo /a; echo /a; echo 3.11.2; echo more",
        "echo '/a;b'; echo /a; echo 3.11.2",  # make and the shell would take it apart
        "echo '/a b'; echo /a; echo 3.11.2",
    ],
)
def test_what_cannot_be_asked_or_called_is_not_suitable(tmp_path: Path, told: str) -> None:
    assert probe(executable(tmp_path / "python3.11", told)) is None
    assert probe(str(tmp_path / "absent")) is None


@pytest.mark.parametrize(
    "made_so",
    [
        "sys.version_info = (3, 10, 13)",
        "sys.implementation.name = 'pypy'",
        "sys.gettotalrefcount = lambda: 0",
        "import sysconfig; sysconfig.get_config_var = {'Py_GIL_DISABLED': 1}.get",
        "sys.modules['ensurepip'] = None",
        "sys.modules['ssl'] = None",
    ],
)
def test_what_a_suitable_one_must_be(made_so: str) -> None:
    """The question as it is asked, of this Python made to look otherwise."""
    question = f"import sys; {made_so}\n{quickest_python.PROBE}"
    asked = subprocess.run([sys.executable, "-I", "-c", question], capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stdout) == (1, "")


def test_a_measure_is_taken_in_a_process_of_its_own() -> None:
    assert 0 < measured(sys.executable) < 30
    with pytest.raises(subprocess.CalledProcessError):
        measured("false")


@pytest.mark.parametrize(
    ("found", "printed"),
    [([], ""), ([OURS], "python3 \n"), ([OURS, SYSTEM], "python3 measuring failed with FileNotFoundError\n")],
)
def test_what_is_printed(
    found: list[Python], printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(_: str) -> float:
        raise FileNotFoundError

    def known(_: Iterable[str]) -> list[Python]:
        return found

    monkeypatch.setattr(quickest_python, "suitable", known)
    monkeypatch.setattr(quickest_python, "measured", away)
    assert quickest_python.main([]) == 0
    assert capsys.readouterr().out == printed


class MakeFile:
    """Our Makefile in a folder without a virtual environment; its programs are those of `bin` there alone."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self._folder = folder

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [MAKE, *arguments, ".venv/stamps/venv"],
            cwd=self._folder,
            env={"PATH": str(self.bin), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def make(tmp_path: Path) -> MakeFile:
    shutil.copy(ROOT / "Makefile", tmp_path)
    return MakeFile(tmp_path)


ANSWERS = 'case "$*" in *quickest_python.py) echo "/opt/python3.11 1.6 times as quick as python3 (3.11.7)";; esac'


def test_make_takes_what_was_found_and_says_why(make: MakeFile) -> None:
    executable(make.bin / "python3", ANSWERS)
    told = make("--dry-run").stdout
    assert "setting up .venv with /opt/python3.11 (once): 1.6 times as quick as python3 (3.11.7)" in told
    assert "/opt/python3.11 -m venv .venv" in told


def test_make_looks_with_what_there_is(make: MakeFile) -> None:
    assert f" {' '.join(quickest_python.NAMES)};" in (ROOT / "Makefile").read_text()
    executable(make.bin / "python3", "exit 1")  # too old
    executable(make.bin / "python3.12", ANSWERS)
    assert "/opt/python3.11 -m venv .venv" in make("--dry-run").stdout


def test_make_takes_the_one_that_is_named_as_it_is(make: MakeFile) -> None:
    executable(make.bin / "python3", ANSWERS)
    told = make("--dry-run", "PYTHON=python3.12").stdout
    assert 'setting up .venv with python3.12 (once)"' in told
    assert "python3.12 -m venv .venv" in told


def test_errors_are_those_of_python3_when_none_is_suitable(make: MakeFile) -> None:
    assert "error: python3 not found: install Python 3.11 or newer" in make().stderr
    executable(make.bin / "python3", 'case "$*" in -V) echo Python 3.9.2;; *"3, 11"*) exit 1;; esac')
    assert "error: Python 3.9.2 is too old: install Python 3.11 or newer" in make().stderr
    executable(make.bin / "python3", 'case "$*" in *ensurepip*) exit 1;; esac')
    assert "error: this Python lacks venv: install it" in make().stderr
    assert "error: python3.12 not found" in make("PYTHON=python3.12").stderr
