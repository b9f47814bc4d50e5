import errno

import pytest

from mgd_helpers.data.catalog import PIPELINE_REVISIONS
from mgd_helpers.encoding.facts import FACTS, facts_of, fetch_facts, read_facts, write_facts
from mgd_helpers.encoding.kinds import own_guidance_scale
from mgd_helpers.encoding.pipelines import load_pipeline


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


@pytest.mark.parametrize("facts", [{"guidance_scale": 1.25, "reconstruction_error": 0.01}, {}])
def test_those_of_a_pipeline_on_the_hub_lie_beside_its_weights(tiny, tmp_path, monkeypatch, facts):
    pytest.importorskip("datasets")
    import hub_cache

    hub_cache.use(monkeypatch, tmp_path)
    tiny.save_pretrained(tmp_path / "made", safe_serialization=True)
    if facts:
        write_facts(tmp_path / "made", **facts)
    hub_cache.put(tmp_path, "someone/waves", tmp_path / "made", ref="main")
    pipe = load_pipeline("someone/waves", device="cpu")
    assert facts_of(pipe) == facts
    assert own_guidance_scale(pipe) == facts.get("guidance_scale", 4.0)


@pytest.mark.parametrize("name", ["someone/waves", next(iter(PIPELINE_REVISIONS))])
def test_they_are_asked_for_at_the_commit_of_the_weights_and_may_be_absent(monkeypatch, name):
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    asked, answers = [], iter([None, EntryNotFoundError("404"), OSError(errno.ENETUNREACH, "no network")])

    def download(*given, **options):
        asked.append((given, options))
        if answer := next(answers):
            raise answer

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    for _ in range(3):
        fetch_facts(name)
    assert asked == [((name, FACTS), {"revision": PIPELINE_REVISIONS.get(name)})] * 3


@pytest.mark.parametrize("place", ["", "nowhere", "no/where", "a//b", "../b", "/a b/c", "x" * 200])
def test_a_pipeline_from_elsewhere_has_none(tiny, place):
    tiny.register_to_config(_name_or_path=place)
    assert facts_of(tiny) == {}
