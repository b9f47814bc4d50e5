"""The house keeps its shape: floors, sizes, the public face, and what an import costs."""

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import mgd_helpers

PACKAGE = Path(mgd_helpers.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
FLOORS = {
    9: ["cli", "__main__", "widgets", "checks"],
    8: ["distill"],
    7: ["runs", "sampling"],
    6: ["steering", "guidances", "evaluation", "audit", "fitting"],
    5: ["admission", "released"],
    4: ["guidance", "manifest", "baselines", "trained_baselines", "students", "reading", "saving"],
    3: ["data", "targets", "fidelity", "neighborhoods", "paired", "tangent_at", "recipes"],
    2: ["intervals", "clusters", "tangent", "clouds", "schedules", "toys", "latents", "hub", "folders", "pipelines"],
    1: ["images", "kmeans", "trees", "neighbors", "noise", "dit", "batching", "networks", "augment"],
    0: ["catalog", "linalg", "seeding", "dimension", "lock", "files", "callers"],
    -1: ["threads", "progress", "provenance"],
    -2: ["_shapes", "border", "names"],  # the words of the signatures, and the checks of what they are given
}
SIDE = {"plots", "runtime"}  # no floor of their own
FLOOR = {module: floor for floor, modules in FLOORS.items() for module in modules}


def tree_of(module):
    return ast.parse((PACKAGE / f"{module}.py").read_text())


def imported(module, *, also_inside_functions=True):
    """Modules of the package that a module imports, and the names of all others."""
    tree = tree_of(module)
    found = set()
    for node in ast.walk(tree) if also_inside_functions else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names = {f"mgd_helpers.{alias.name}" for alias in node.names}
            found |= names if node.module == "mgd_helpers" else {node.module}
    ours = {name.split(".")[1] for name in found if name.startswith("mgd_helpers.")}
    return ours, {name.split(".")[0] for name in found if name.split(".")[0] != "mgd_helpers"}


def test_every_module_has_its_place():
    assert set(MODULES) - {"__init__"} <= set(FLOOR) | SIDE


def test_every_module_is_in_the_reference():
    page = (PACKAGE.parent / "book" / "api.md").read_text()
    hidden = {"__init__", "__main__", "_shapes", "cli"}
    assert [
        module for module in MODULES if module not in hidden and f"automodule:: mgd_helpers.{module}\n" not in page
    ] == []


@pytest.mark.parametrize("module", sorted(set(MODULES) & set(FLOOR)))
def test_a_module_imports_only_from_floors_below(module):
    ours, _ = imported(module)
    above = {name for name in ours if FLOOR.get(name, 99) >= FLOOR[module]}
    # the two of the top floor are one entrance
    assert above <= ({"cli"} if module == "__main__" else set())


def test_the_set_up_stands_on_nothing_and_only_it_knows_the_figures():
    assert imported("runtime", also_inside_functions=False)[0] == {"provenance"}
    assert imported("runtime")[0] == {"plots", "provenance"}
    for module in set(MODULES) - {"runtime"}:
        assert "plots" not in imported(module)[0]


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_are_imported_inside_functions(module):
    light = {"torch", "numpy", "jaxtyping"} | set(sys.stdlib_module_names)
    if module != "plots":
        assert imported(module, also_inside_functions=False)[1] <= light


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_read_in_five_minutes(module):
    text = (PACKAGE / f"{module}.py").read_text()
    assert len(text.splitlines()) <= 250
    if module != "__main__":
        assert ast.get_docstring(tree_of(module)), "says what it is for"


def test_no_module_is_a_drawer_for_everything():
    assert not {"utils", "common", "helpers", "misc"} & set(MODULES)


def test_every_module_has_its_tests():
    tested = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert set(MODULES) - {"__init__", "__main__", "_shapes"} <= tested


def test_public_names_are_sorted_few_and_there():
    assert mgd_helpers.__all__ == sorted(mgd_helpers.__all__)
    assert len(mgd_helpers.__all__) <= 30
    for name in mgd_helpers.__all__:
        assert getattr(mgd_helpers, name).__module__.startswith("mgd_helpers.")


def test_what_the_last_lab_needs_is_reachable_without_deep_imports():
    code = "import mgd_helpers as mgd; print(mgd.measure, mgd.evaluate, mgd.audit, mgd.paired_difference, mgd.Recipe)"
    modules = (
        "baselines",
        "trained_baselines",
        "students",
        "fidelity",
        "neighborhoods",
        "paired",
        "evaluation",
        "data",
    )
    for module in modules:
        code += f"; print(mgd.{module}.__name__)"
    assert run_python(code).split()[-len(modules) :] == [f"mgd_helpers.{module}" for module in modules]


def public_things():
    for module in MODULES:
        loaded = importlib.import_module(f"mgd_helpers.{module}") if module != "__main__" else mgd_helpers
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


def test_public_functions_take_two_positional_arguments_at_most_and_no_others():
    for name in mgd_helpers.__all__:
        if inspect.isfunction(getattr(mgd_helpers, name)):
            parameters = inspect.signature(getattr(mgd_helpers, name)).parameters.values()
            assert sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters) <= 2, name
            assert not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters), name


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"__main__"}))
def test_examples_in_docstrings_are_true(module):
    found = doctest.testmod(importlib.import_module(f"mgd_helpers.{module}"))
    assert found.failed == 0


def test_there_are_examples_to_be_true():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(f"mgd_helpers.{module}") for module in set(MODULES) - {"__main__"}]
    assert sum(bool(test.examples) for module in modules for test in finder.find(module)) >= 5


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_loads_torch_and_nothing_else_that_is_heavy():
    code = "import sys, torch; before = set(sys.modules); import mgd_helpers; print(*set(sys.modules) - before)"
    loaded = {name.split(".")[0] for name in run_python(code).split()}
    assert "mgd_helpers" in loaded
    assert not {"diffusers", "matplotlib", "seaborn", "sklearn", "pandas", "PIL", "transformers", "scipy"} & loaded


def test_the_package_works_without_jaxtyping():
    code = """
import sys
sys.modules["jaxtyping"] = None
import importlib, pathlib, torch, mgd_helpers as mgd
for path in pathlib.Path(mgd.__file__).parent.glob("*.py"):
    if path.stem != "__main__":
        importlib.import_module(f"mgd_helpers.{path.stem}")
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
