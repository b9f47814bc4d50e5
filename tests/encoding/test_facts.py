import pytest

from mgd_helpers.encoding.facts import FACTS, read_facts, write_facts


def test_what_is_written_is_read_and_more_is_added(tmp_path):
    assert read_facts(tmp_path / "pipe") == {}
    write_facts(tmp_path / "pipe", image_size=32, guidance_scale=1.5, trained_on=None)
    write_facts(tmp_path / "pipe", guidance_scale=2.0)
    assert read_facts(tmp_path / "pipe") == {"image_size": 32, "guidance_scale": 2.0}


@pytest.mark.parametrize("text", ["{", "[1]", "\x00"])
def test_a_broken_file_is_told_by_its_path(tmp_path, text):
    (tmp_path / FACTS).write_text(text)
    with pytest.raises(ValueError, match=rf"{FACTS}' must hold .* Delete or mend it"):
        read_facts(tmp_path)
