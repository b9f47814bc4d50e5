"""The house keeps its shape: rooms in the book's order, sizes, the public face, and what an import costs."""

import ast
import doctest
import functools
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import mgd_helpers

ROOT = Path(mgd_helpers.__file__).parents[1]
PACKAGE = ROOT / "mgd_helpers"
TESTS = ROOT / "tests"
# The book's order, and the order of imports: a room imports only from those before it, and from the ground. The ground
# is every file on top that imports no room. What is on top of that builds on all rooms but the last, which may use it.
ROOMS = [
    "data",
    "encoding",
    "clustering",
    "tangent",
    "guidance",
    "students",
    "evaluation",
    "baselines",
    "training",
    "lab",
]


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module):
    """The folder that a module lies in, or the file on top that it is."""
    return [*module.split("."), ""][1]


@functools.cache
def imports(module, *, also_inside_functions=True):
    """Modules of the package that a module imports, and the top names of all others."""
    tree = ast.parse(MODULES[module].read_text())
    found = set()
    for node in ast.walk(tree) if also_inside_functions else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            longer = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = longer & set(MODULES)
            found |= modules | ({node.module} if longer - modules else set())
    return found & set(MODULES), {name.split(".")[0] for name in found} - {"mgd_helpers"}


@functools.cache
def needs(module):
    """All modules of the package that a module cannot do without, directly or through others."""
    seen, ahead = set(), [module]
    while ahead:
        ahead += imports(ahead.pop())[0] - seen
        seen.update(ahead)
    return seen


GROUND = {module for module in MODULES if not {room_of(one) for one in {module, *needs(module)}} & set(ROOMS)}
ROOF = {module for module in MODULES if module.count(".") == 1 and room_of(module) not in ROOMS} - GROUND
INSIDE = [module for module in MODULES if room_of(module) in ROOMS]


def test_the_rooms_are_the_folders_in_the_order_of_the_list():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(ROOMS)
    assert len(GROUND) >= 5


@pytest.mark.parametrize("module", INSIDE)
def test_a_room_imports_only_from_the_ground_and_from_rooms_before_it(module):
    before = ROOMS[: ROOMS.index(room_of(module)) + 1]
    on_top = ROOF if room_of(module) == ROOMS[-1] else set()
    outside = {one for one in imports(module)[0] if room_of(one) not in before and one not in GROUND | on_top}
    assert outside == set()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_comes_back_to_itself(module):
    # the face of a folder stands before its files: importing a file runs it first, so no file may ask for it
    assert module not in needs(module)
    folder = module.rpartition(".")[0]
    assert not folder or folder not in imports(module)[0] or folder == "mgd_helpers"


def test_nothing_but_the_face_imports_the_lab():
    users = {module for module in MODULES if any(room_of(one) == "lab" for one in imports(module)[0])}
    assert {module for module in users if room_of(module) != "lab"} == {"mgd_helpers"}


def test_every_folder_says_which_chapter_it_is_and_what_a_reader_uses():
    for room in ROOMS:
        loaded = importlib.import_module(f"mgd_helpers.{room}")
        for name in loaded.__all__:
            assert getattr(loaded, name) is not None
        assert all(name in loaded.__all__ for name in vars(loaded) if name in mgd_helpers.__all__)


def test_every_folder_has_its_section_in_the_reference():
    page = (ROOT / "book" / "api.md").read_text()
    places = [page.index(f"`mgd_helpers.{room}`") for room in ROOMS]
    assert places == sorted(places)


def test_heavy_libraries_are_imported_inside_functions():
    light = {"torch", "numpy", "jaxtyping"} | set(sys.stdlib_module_names)
    heavy = {module for module in MODULES if imports(module, also_inside_functions=False)[1] - light}
    assert heavy == {
        f"mgd_helpers.lab.plots.{name}" for name in ("charts", "panels", "pictures", "poster", "sliders", "style")
    }


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_is_read_in_five_minutes(module):
    text = MODULES[module].read_text()
    assert len(text.splitlines()) <= 250
    if module != "mgd_helpers.__main__":
        assert ast.get_docstring(ast.parse(text)), "says what it is for"


def test_no_module_is_a_drawer_for_everything():
    assert not {"utils", "common", "helpers", "misc"} & {module.rpartition(".")[2] for module in MODULES}


def test_every_module_has_its_tests_in_the_same_folder():
    untested = {"__init__", "__main__", "_shapes"}
    for path in MODULES.values():
        if path.stem not in untested:
            assert (TESTS / path.relative_to(PACKAGE).with_name(f"test_{path.name}")).exists(), path


def test_public_names_are_sorted_few_and_there():
    assert mgd_helpers.__all__ == sorted(mgd_helpers.__all__)
    assert len(mgd_helpers.__all__) <= 32
    for name in mgd_helpers.__all__:
        assert getattr(mgd_helpers, name).__module__.startswith("mgd_helpers.")


@pytest.mark.slow
def test_what_a_notebook_calls_by_name_is_reachable_without_deep_imports():
    names = [*ROOMS, "catalog", "fidelity", "noise", "paired", "precision_recall", "strengths", "tangent_at", "toys"]
    names += ["neighborhoods", "schedules"]  # as they were called before
    code = "import mgd_helpers as mgd; print(mgd.measure, mgd.evaluate, mgd.audit, mgd.paired_difference, mgd.Recipe)"
    code += "".join(f"; print(type(mgd.{name}).__name__)" for name in names)
    code += "; print(mgd.trained_baselines.match_distributions.__name__, mgd.tangent_at.sample.__name__)"
    assert run_python(code).split()[-len(names) - 2 :] == ["module"] * len(names) + ["match_distributions", "sample"]


def public_things():
    for module in MODULES:
        if module == "mgd_helpers.__main__":
            continue
        loaded = importlib.import_module(module)
        for name, thing in vars(loaded).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != loaded.__name__:
                continue
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield f"{module}.{name}", thing


def has_docstring(thing):
    text = thing.__doc__ or ""
    return bool(text.strip()) and not (inspect.isclass(thing) and text.startswith(f"{thing.__name__}("))


def test_public_things_say_what_they_are():
    assert [name for name, thing in public_things() if not has_docstring(thing)] == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_public_functions_say_the_types_of_all_they_take_and_give(module):
    tree = ast.parse(MODULES[module].read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    for function in (node for scope in (tree, *classes) for node in scope.body if isinstance(node, ast.FunctionDef)):
        if not function.name.startswith("_"):
            given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            untyped = [one.arg for one in given if one.annotation is None and one.arg not in ("self", "cls")]
            assert not untyped and function.returns, function.name


def test_public_functions_take_two_positional_arguments_at_most_and_no_others():
    for name in mgd_helpers.__all__:
        if inspect.isfunction(getattr(mgd_helpers, name)):
            parameters = inspect.signature(getattr(mgd_helpers, name)).parameters.values()
            assert sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters) <= 2, name
            kinds = {p.kind for p in parameters} - ({inspect.Parameter.VAR_POSITIONAL} if name == "chain" else set())
            assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}, name


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted(set(MODULES) - {"mgd_helpers.__main__"}))
def test_examples_in_docstrings_are_true(module):
    found = doctest.testmod(importlib.import_module(module))
    assert found.failed == 0


def test_there_are_examples_to_be_true():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(module) for module in set(MODULES) - {"mgd_helpers.__main__"}]
    assert sum(bool(test.examples) for module in modules for test in finder.find(module)) >= 5


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_importing_the_package_loads_torch_and_nothing_else_that_is_heavy():
    code = "import sys, torch; before = set(sys.modules); import mgd_helpers; print(*set(sys.modules) - before)"
    loaded = {name.split(".")[0] for name in run_python(code).split()}
    assert "mgd_helpers" in loaded
    assert not {"diffusers", "matplotlib", "seaborn", "sklearn", "pandas", "PIL", "transformers", "scipy"} & loaded


@pytest.mark.slow
def test_the_package_works_without_jaxtyping():
    modules = sorted(set(MODULES) - {"mgd_helpers.__main__"})
    code = f"""
import sys
sys.modules["jaxtyping"] = None
import importlib, torch, mgd_helpers as mgd
for module in {modules}:
    importlib.import_module(module)
latents = torch.randn(30, 2, 3)
targets = mgd.pick_targets(mgd.bisect(latents, n_leaves=3), images_per_class=3)
level = mgd.noise.NoiseLevel(torch.tensor(0.6), torch.tensor(0.8), 0, latents)
print(mgd.ManifoldPull(targets.latents, latents)(targets.latents, level).shape)
"""
    assert run_python(code).strip() == "torch.Size([3, 2, 3])"


def test_annotations_are_checked_in_this_very_run():
    from jaxtyping import TypeCheckError

    with pytest.raises(TypeCheckError, match="points"):
        mgd_helpers.local_tangent("no tensor", None)
