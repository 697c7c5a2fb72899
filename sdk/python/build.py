"""Makes a component of a connector in Python: `python3 build.py --project DIR --output RAW.wasm`.

`sangam plugin build` calls it. It needs nothing but Python 3.10 with venv, and installs what it uses into the project's `.venv`.
Progress is on standard error, one line a step; the last line of a failure begins with `error: `. Exit codes: 0 done, 1 it failed,
2 the project is not one.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

COMPILER = "componentize-py==0.25.1"
TOOLS = [COMPILER, "pytest==9.*"]
INSIDE = "3.14"
"""The Python within the component."""

SDK = Path(__file__).resolve().parent
WIT = SDK / "wit"


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--project", type=Path, default=Path("."), metavar="DIR")
    arguments.add_argument("--output", type=Path, required=True, metavar="RAW.wasm")
    arguments.add_argument("--venv", type=Path, metavar="DIR", help="where tools go instead of the project's .venv")
    given = arguments.parse_args()
    project = given.project.resolve()
    settings = read_settings(project)
    place = (given.venv or project / ".venv").resolve()
    python, pure = prepare(place, settings)
    found = look(python, project, settings)
    entry = write_entry(project / "build" / "entry", settings, found)
    componentize(python, project, pure, entry, found["world"], given.output.resolve())


def read_settings(project: Path) -> dict[str, Any]:
    """What pyproject.toml says."""
    file = project / "pyproject.toml"
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        fail(f"{file} can't be read: {error.strerror}. A connector in Python is a folder with a pyproject.toml", 2)
    try:
        document = toml().loads(text)
    except ValueError as error:
        fail(f"{file}: {error}", 2)
    told = document.get("project", {})
    own = document.get("tool", {}).get("sangam", {})
    missing = [key for key in ("name", "version") if not isinstance(told.get(key), str)]
    if missing:
        fail(f"{file}: [project] has no {' and no '.join(missing)}", 2)
    unknown = [key for key in own if key != "module"]
    if unknown:
        fail(f"{file}: [tool.sangam] knows `module`, and no `{unknown[0]}`", 2)
    return {"version": told["version"], "dependencies": told.get("dependencies", []), "module": own.get("module", "connector")}


def toml() -> Any:
    """The reader of TOML: in the standard library from 3.11 on, within pip before."""
    try:
        import tomllib  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from pip._vendor import tomli as tomllib  # type: ignore[no-redef]
    return tomllib


def prepare(place: Path, settings: dict[str, Any]) -> tuple[Path, Path]:
    """The Python of a virtual environment with the tools and the project's dependencies; and a folder with the latter once
    more, as the component needs them: in pure Python. Connectors may share an environment, and be built at the same time."""
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    dependencies = settings["dependencies"]
    wanted = hashlib.sha256(json.dumps([TOOLS, INSIDE, dependencies]).encode()).hexdigest()[:16]
    pure, stamp = place / f"component-{wanted}", place / f"sangam-tools-{wanted}"
    place.mkdir(parents=True, exist_ok=True)
    with alone(place / "sangam-lock"):
        if not python.exists():
            say(f"making a virtual environment in {place}")
            try:
                venv.create(place, with_pip=True)
            except (subprocess.CalledProcessError, OSError) as error:
                fail(f"no virtual environment could be made in {place} ({error}). On Debian and Ubuntu: apt install python3-venv")
        if stamp.exists():
            return python, pure
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        say(f"installing {', '.join(TOOLS + dependencies)} into {place}")
        run([*pip, *TOOLS, *dependencies], "the tools could not be installed; the lines above are those of pip")
        shutil.rmtree(pure, ignore_errors=True)
        if dependencies:
            only = ["--only-binary=:all:", "--platform", "any", "--implementation", "py", "--abi", "none", "--python-version", INSIDE]
            run(
                [*pip, "--target", str(pure), *only, *dependencies],
                "not every dependency is there in pure Python, and native code can't run inside a component; the lines above name it",
            )
        stamp.touch()
    return python, pure


@contextmanager
def alone(file: Path) -> Generator[None, None, None]:
    """Waits for other builds that install into the same place."""
    with file.open("w") as held:
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


LOOK = """
import importlib, json, sys, traceback
before = set(sys.modules)
from sangam_sdk.plugin import Plugin
try:
    module = importlib.import_module(sys.argv[1])
except Exception as error:
    trace = error.__traceback__
    while trace.tb_next and ("importlib" in trace.tb_frame.f_code.co_filename or trace.tb_frame.f_code.co_filename == "<string>"):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)
    sys.exit(1)
plugins = [value for value in vars(module).values() if isinstance(value, Plugin)]
plugins = list({id(plugin): plugin for plugin in plugins}.values())
if len(plugins) != 1:
    sys.exit(f"error: {module.__file__} has {len(plugins) or 'no'} sangam_sdk.Plugin; a connector is one")
plugins[0].descriptor()
files = {name: getattr(found, "__file__", None) for name, found in list(sys.modules.items()) if name not in before}
print(json.dumps({"world": plugins[0].world, "exports": plugins[0].exports, "http": "http.client" in sys.modules, "files": files}))
"""


def look(python: Path, project: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Imports the connector here first: a mistake shows in a second, with its traceback, rather than after the compiler's ten."""
    module = settings["module"]
    paths = [str(project / "src"), str(SDK / "src")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([str(python), "-c", LOOK, module], env=environment, capture_output=True, text=True, cwd=project, check=False)
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        if done.stderr.splitlines()[-1:] and done.stderr.splitlines()[-1].startswith("error: "):
            sys.exit(1)
        fail(f"the module `{module}` in {project / 'src'} could not be imported")
    found = json.loads(done.stdout.splitlines()[-1])
    found["late"] = late_imports(found["files"], [project / "src", *python.parent.parent.glob("lib*/**/site-packages")])
    return found


def late_imports(files: dict[str, str | None], places: list[Path]) -> list[str]:
    """Modules that the connector and its dependencies import within functions. There are no files in a component, so
    the build has to bring them."""
    late: set[str] = set()
    for name, file in files.items():
        if not file or not file.endswith(".py") or not any(place in Path(file).parents for place in places):
            continue
        package = name if file.endswith("__init__.py") else name.rpartition(".")[0]
        for node in within_functions(ast.parse(Path(file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                late.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                base = ".".join([*parts, *([node.module] if node.module else [])])
                late.add(base)
                late.update(f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
    return sorted(name for name in late if name and name.split(".")[0] not in NATIVE)


def within_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of all functions. What stands elsewhere in a module has run when it is imported."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from ast.walk(node)


NATIVE = ("__future__", "__main__", "ssl", "ctypes", "tkinter", "sangam_sdk")
"""What is not tried within the component: it is not there, or is there already."""


def write_entry(folder: Path, settings: dict[str, Any], found: dict[str, Any]) -> Path:
    """The module that componentize-py starts from."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ['"""Written by the build."""', "", "import importlib", "", "from sangam_sdk import _component", ""]
    if found["http"]:
        lines += ["from sangam_sdk import stdlib_http", "", "stdlib_http.install()"]
    if any(dependency.lower().startswith("tzdata") for dependency in settings["dependencies"]):
        lines += ["from sangam_sdk import zones", "", "zones.install()"]
    lines += [f"_component.load({settings['module']!r}, {settings['version']!r})"]
    if found["late"]:
        lines += [f"for name in {found['late']!r}:", "    try:", "        importlib.import_module(name)", "    except Exception:", "        pass"]
    if found["http"]:
        lines += ["stdlib_http.install_urllib3()"]
    lines += ["_component.finish()", "Plugin = _component.Plugin"]
    lines += [f"{name} = _component.{name}" for name in map(str.capitalize, found["exports"])]
    (folder / "sangam_entry.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def componentize(python: Path, project: Path, pure: Path, entry: Path, world: str, output: Path) -> None:
    """Imports everything within WebAssembly, and keeps what memory holds then."""
    say(f"compiling with {COMPILER.replace('==', ' ')}")
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-c", "import sys, componentize_py; sys.exit(componentize_py.script())"]
    command += ["--quiet", "--wit-path", str(WIT), "--world", world, "componentize", "sangam_entry", "--output", str(output)]
    for path in (project / "src", SDK / "src", pure, entry):
        if path.exists():
            command += ["--python-path", str(path)]
    # The compiler takes what VIRTUAL_ENV names into the component too: tests and tools have no place there.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    failure = "componentize-py failed; the lines above are its own"
    if pure.exists() and next(pure.rglob(f"*.cpython-{INSIDE.replace('.', '')}.pyc"), None) is None:
        # Whatever is compiled on the way leaves its litter in the image, megabytes of it. The first time makes the `.pyc` that the second reads.
        say("compiling the dependencies, once")
        run(command, failure, environment)
    run(command, failure, environment)


def run(command: list[str], sentence: str, environment: dict[str, str] | None = None) -> None:
    """Runs a command whose output goes to standard error."""
    if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode != 0:
        fail(sentence)


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def fail(sentence: str, code: int = 1) -> NoReturn:
    """The end."""
    print(f"error: {sentence}", file=sys.stderr, flush=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
