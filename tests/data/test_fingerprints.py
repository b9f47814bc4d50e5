import dataclasses

import torch

from mgd_helpers.data.fingerprints import data_hash
from mgd_helpers.data.image_sets import ImageSet


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
    from mgd_helpers.data.image_sets import Dataset

    part = ImageSet(randn(2003, 1, 2, 2).clamp(-1, 1), torch.zeros(2003, dtype=torch.int64))
    first = data_hash(Dataset("many", part, part.take([]), ("one",)))
    last = part.images.clone()
    last[-1] = -last[-1]
    assert data_hash(Dataset("many", ImageSet(last, part.labels), part.take([]), ("one",))) != first
