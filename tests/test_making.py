"""What making alone answers; that interrupted runs go on to the same bytes is in test_resume.py."""

import inspect

from mgd_helpers.distillation import distill
from mgd_helpers.making import make
from mgd_helpers.runs import resolve


def test_a_run_is_made_once_and_tells_how_many_images_are_new(waves, tiny, tmp_path):
    defaults = {name: value.default for name, value in inspect.signature(distill).parameters.items()}
    options = defaults | {"images_per_class": 2, "guidance": "none", "pipeline": tiny, "steps": 2, "out": tmp_path}
    options = {name: options[name] for name in inspect.signature(resolve).parameters if name in options}
    del options["data"], options["method"]
    run = resolve(waves, **options)
    manifest, new = make(run)
    assert (manifest["complete"], new) == (True, 4)
    (tmp_path / "one/00001.png").unlink()
    assert make(run)[1] == 1
    assert make(run)[1] == 0
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*.png")} == set(run.files.values())
