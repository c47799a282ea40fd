#!/usr/bin/env python3
"""Compiles the sans-IO part of the engine (sipengine/sip, sipengine/services) with mypyc, and the
scanner of messages (sipengine/sip/scanner.pyx) with Cython.

    compile.py wanted   exit 0 if there is something to compile and all it takes but the tools
    compile.py TOOLS    compile, with what is installed in the folder TOOLS; exit 0 if done

The result is a whole package in the folder that `pbx.supervisor.compiled` names. What went wrong is
one line on stderr and the compiler's words in a file there; it is not tried again with the same
sources. The engine runs in pure Python then (docs/decisions/0005-compiled-engine.md).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pbx.environment import BadEnvironment, current
from pbx.supervisor import compiled
from pbx.supervisor.death import dies_with_parent

GROUPS = (
    "sip",
    "services/proxy",
    "services/ua services/events services/messages",
    "services",
)
"""Folders of one shared library each, a module belonging to the first that has it. A compiler takes
more than twice as long for twice as much, and these are compiled side by side: on two processors
65 s instead of the 146 of two libraries, and no slower then. One for each module makes calls slow."""

INTERPRETED = {Path("sipengine/sip/flow.py"), Path("sipengine/sip/message.py")}
"""The shell's flows inherit from the one, and it is referred to weakly; the other's place is taken
by the scanner's twin of it for most messages, which mypyc's own classes do not allow."""

OPTIONS = ("--config-file=", "--strict", "--no-incremental")
"""mypy's. The checkout's own settings name plugins that only a developer's environment has."""

SCANNER = "sipengine/sip/scanner.pyx"

MEMORY = 400_000_000
"""Bytes that one C compiler takes at most (350 MB, measured): what is not there starts none."""

PATIENCE = 600.0  # seconds; a slow machine takes minutes


class Failed(Exception):
    """It could not be compiled; the text says why."""


def main(words: list[str]) -> int:
    if words == ["wanted"]:
        return 0 if is_wanted() else 1
    if len(words) == 2 and words[0] == "build":
        build(Path(words[1]))
        return 0
    return 0 if make(Path(words[0])) else 1


def is_wanted() -> bool:
    try:
        if not current().compile:
            return False
    except BadEnvironment:  # the start itself will tell
        return False
    if compiled.present():
        return False
    if failure().exists():
        say(
            f"The engine is not compiled and takes three times as long for its own work: {failure()} tells why."
        )
        return False
    if missing := what_is_missing():
        say(
            f"The engine is not compiled and takes three times as long for its own work: {missing}."
        )
        return False
    return True


def what_is_missing() -> str:
    if not c_compiler():
        return "no C compiler is installed (Debian: apt-get install gcc libc6-dev python3-dev)"
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.exists():
        return f"{header} is not there (Debian: apt-get install python3-dev)"
    if not processes():
        return f"it takes {MEMORY // 1_000_000} MB of free memory"
    return ""


def c_compiler() -> str:
    """The command of the compiler, "" if there is none: CC, the one that made Python, any."""
    makers = (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc", "gcc", "clang")
    return next((name for name in makers if name and shutil.which(name.split()[0])), "")


def processes() -> int:
    """How many compilers may run at once: one a processor, as far as the memory goes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return min(os.cpu_count() or 1, free // MEMORY)


def failure() -> Path:
    return compiled.HOME / f"{compiled.digest()}.failed"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def make(tools: Path) -> bool:
    """Build in a folder of its own and rename it when it is whole; older ones go."""
    place = compiled.HOME / compiled.digest()
    unfinished = place.with_suffix(".new")
    try:
        compiled.HOME.mkdir(exist_ok=True)
        with (compiled.HOME.with_suffix(".lock")).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if place.is_dir():  # another one was quicker
                return True
            shutil.rmtree(unfinished, ignore_errors=True)
            copy_package(unfinished)
            if compiled.digest() != place.name:
                raise Failed("its sources were changed meanwhile")
            run_build(tools, unfinished)
            prove(unfinished)
            finish(unfinished, place)
    except (OSError, Failed) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        say(
            f"The engine could not be compiled and takes three times as long for its own work: {error}."
        )
        return False
    return True


def copy_package(place: Path) -> None:
    shutil.copytree(
        compiled.PACKAGE, place / "sipengine", ignore=shutil.ignore_patterns("__pycache__", "*.so")
    )


def run_build(tools: Path, unfinished: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(tools.resolve()), "CC": c_compiler()}
    run_told([__file__, "build", str(unfinished)], unfinished, environment)


def prove(unfinished: Path) -> None:
    """Import it as the engine does."""
    path = os.pathsep.join((str(unfinished), str(compiled.PROJECT)))
    proof = (
        "from sipengine.services import core\n"
        f"assert core.__file__.startswith({str(unfinished)!r}), core.__file__\n"
        "assert not core.__file__.endswith('.py'), core.__file__"
    )
    run_told(["-c", proof], unfinished, {**os.environ, "PYTHONPATH": path})


def run_told(words: list[str], place: Path, environment: dict[str, str]) -> None:
    """Run Python with what it says in a file, which stays if it fails; raises `Failed` then."""
    told = place.with_suffix(".log")
    try:
        with told.open("w") as log:
            subprocess.run(
                [sys.executable, "-P", *words],
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=PATIENCE,
                preexec_fn=dies_with_parent(signal.SIGKILL),
                check=True,
            )
    except subprocess.SubprocessError as error:
        with told.open("a") as log:
            log.write(f"{error}\n")
        told.rename(failure())
        raise Failed(f"{failure()} tells why") from None


def build(place: Path) -> None:
    """In a process of its own, in `place`: put machine code beside the sources."""
    from Cython.Build import cythonize
    from mypyc.build import mypycify
    from setuptools import setup

    groups = grouped()
    modules = [file for files, _ in groups for file in files]
    extensions = mypycify(
        [*OPTIONS, *modules],
        opt_level="3",
        debug_level="0",
        separate=groups,
    )
    extensions += cythonize([SCANNER], quiet=True)
    workers = str(max(1, processes()))
    setup(
        name="sipengine",
        packages=[],
        ext_modules=extensions,
        script_args=["--quiet", "build_ext", "--inplace", "--parallel", workers],
    )


def grouped() -> list[tuple[list[str], str]]:
    """The modules of each group and the name of its library."""
    groups = []
    taken = set(INTERPRETED)
    for folders in GROUPS:
        found = {f for folder in folders.split() for f in Path("sipengine", folder).rglob("*.py")}
        modules = sorted(str(file) for file in found - taken if file.name != "__init__.py")
        taken |= found
        groups.append((modules, "sipengine_" + folders.split()[0].replace("/", "_")))
    return groups


def finish(unfinished: Path, place: Path) -> None:
    """Open it to the user that the engine runs as and put it in its place."""
    shutil.rmtree(unfinished / "build")
    shutil.rmtree(unfinished / ".mypy_cache", ignore_errors=True)
    (unfinished / SCANNER).with_suffix(".c").unlink()
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "-s", str(unfinished), "-p", str(place), "."],
        cwd=unfinished,
        check=False,
    )
    for entry in (compiled.HOME, unfinished, *unfinished.rglob("*")):
        entry.chmod(0o755 if entry.is_dir() or entry.suffix == ".so" else 0o644)
    unfinished.rename(place)
    for old in compiled.HOME.iterdir():
        if old != place:
            shutil.rmtree(old) if old.is_dir() else old.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
