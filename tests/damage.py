"""What may happen to a folder of images: damaged images, torn and edited manifests."""

import json

from mgd_helpers.data.folders import MANIFEST


def edit(folder, change):
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


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
