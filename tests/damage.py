"""What may happen to a folder of images: damaged images, torn and edited manifests."""

import json

from mgd_helpers.data.records import MANIFEST, RECORDS, RUN, read_manifest

# what lies in a folder beside its classes
BESIDE = {"run.json", "manifest.jsonl", "metadata.jsonl", "contact_sheet.png", "README.md"}


def edit(folder, change):
    """Change the record of a folder, as a person with an editor might."""
    manifest = read_manifest(folder)
    change(manifest)
    images = manifest.pop("images", None)
    (folder / RUN).write_text(json.dumps(manifest))
    (folder / RECORDS).write_text("".join(f"{json.dumps(image)}\n" for image in images or ()))
    if images is None:
        (folder / RECORDS).unlink()


def as_one_file(folder, change=lambda manifest: None):
    """Make the record of a folder that of an earlier version, which had one file, and nothing beside it."""
    manifest = read_manifest(folder)
    manifest.pop("command", None)
    change(manifest)
    for file in folder.iterdir():
        if file.is_file():
            file.unlink()
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


DAMAGE = {
    "changed": flip,
    "empty": lambda path: path.write_bytes(b""),
    "a folder": replace_by_folder,
}


TORN = {
    "truncated": lambda file: file.write_text(file.read_text()[:100]),
    "empty": lambda file: file.write_text(""),
    "binary": lambda file: file.write_bytes(b"\xff\xd8\x00"),
    "words": lambda file: file.write_text("no JSON"),
    "deep": lambda file: file.write_text("[" * 100_000),
    "a folder": replace_by_folder,
}
