"""Lab 13 in the profiles that the book does not show: every cell runs, with made-up images and without a network."""

import hub_cache
import pytest

from tools import reference

FEW = {"read": 30, "VAE_STEPS, DIT_STEPS": (2, 2), "PER_CLASS, STEPS": (2, 2)}


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["fashion_mnist", "cifar10", "imagenette"])
def test_the_lab_runs_in_every_profile(profile, tmp_path, monkeypatch, capsys):
    hub_cache.put_data(tmp_path / "hub", profile)
    hub_cache.use(monkeypatch, tmp_path / "hub")
    heard = reference.run(reference.find_lab("13"), {"PROFILE": profile} | FEW, folder=tmp_path / "work")
    assert heard.setting == f"{profile}, short" and heard.rows["loss of the denoiser"] > 0
    said = capsys.readouterr().out
    assert "300 training images of shape [" in said and "5 of 5 tasks solved, 5 of them by the book." in said
    assert said.count("your loss is that of the package:") == 2
    assert all(line.endswith(" True") for line in said.splitlines() if line.startswith(("your ", "saved", "every")))


@pytest.mark.slow
def test_a_second_full_run_goes_on_from_the_first(tmp_path, monkeypatch, capsys):
    from dataclasses import replace

    from mgd_helpers.training import settings

    tiny = replace(settings.SETTINGS["digits"], vae_steps=2, dit_steps=2, vae_batch=4, dit_batch=4)
    monkeypatch.setitem(settings.SETTINGS, "digits", tiny)
    changes = {"BUDGET": "full", "read": 30, "PER_CLASS, STEPS": (2, 2)}
    first, second = (reference.run(reference.find_lab("13"), changes, folder=tmp_path) for _ in range(2))
    assert first.rows == second.rows and first.setting == "digits, full"
    log = (tmp_path / "trained" / "digits" / "train.log").read_text()
    assert "vae: resumed at step 2" in log and "dit: resumed at step 2" in log
