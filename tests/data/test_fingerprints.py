import dataclasses

import torch

from mgd_helpers.data.files import tensor_hash
from mgd_helpers.data.fingerprints import data_hash, images_hash
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.images import from_uint8


def test_the_hash_is_of_training_images_and_labels_in_their_order_and_of_nothing_else(waves):
    own, train = data_hash(waves), waves.train
    assert len(own) == 64
    assert data_hash(dataclasses.replace(waves, name="other", test=waves.test.take([]), note="else")) == own
    one_bit = train.images.clone()
    one_bit[3, 0, 0, 0] += 2**-20
    others = [ImageSet(one_bit, train.labels), ImageSet(train.images, 1 - train.labels), train.take(range(11))]
    others.append(train.take([1, 0, *range(2, 12)]))
    hashes = {data_hash(dataclasses.replace(waves, train=other)) for other in others}
    assert len(hashes | {own}) == 5


def test_blocks_of_images_are_hashed_as_one(randn):
    part = ImageSet(randn(2003, 1, 2, 2).clamp(-1, 1), torch.zeros(2003, dtype=torch.int64))
    first = data_hash(Dataset("many", part, part.take([]), ("one",)))
    last = part.images.clone()
    last[-1] = -last[-1]
    assert data_hash(Dataset("many", ImageSet(last, part.labels), part.take([]), ("one",))) != first


def test_a_set_kept_as_bytes_has_the_hashes_of_its_numbers():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (9, 3, 256, 256), dtype=torch.uint8, generator=generator)  # more than one block
    labels = torch.arange(9)
    kept, plain = ImageSet.of_bytes(pixels, labels), ImageSet(from_uint8(pixels), labels)
    assert len(list(kept.batches())) > 1
    names = tuple("abcdefghi")
    assert data_hash(Dataset("it", kept, kept, names)) == data_hash(Dataset("it", plain, plain, names))
    assert images_hash(kept) == images_hash(plain) == tensor_hash(plain.images)
