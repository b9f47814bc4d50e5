import pytest
import torch
import torch.nn.functional as F

from mgd_helpers.students.networks import ConvNet, ResNet18, ResNetAP10, build

SMALL = {"convnet3": 8, "convnet2": 8, "resnet18": 4, "resnetap10": 4}


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_logits_are_the_head_of_the_features(randn, device, name):
    network = build(name, channels=2, n_classes=5, image_size=16, width=SMALL[name]).to(device)
    images = randn(3, 2, 16, 16).to(device)
    features = network.features(images)
    assert features.ndim == 2 and features.shape[1] == network.head.in_features
    assert network(images).shape == (3, 5)
    torch.testing.assert_close(network(images), network.head(features))


@pytest.mark.parametrize("name", SMALL)
def test_an_image_is_judged_by_itself_and_alike_in_training(randn, name):
    network, images = build(name, channels=1, n_classes=3, image_size=16, width=SMALL[name]), randn(4, 1, 16, 16)
    torch.testing.assert_close(network(images)[2:3], network.eval()(images[2:3]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "resnetap10"])
@pytest.mark.parametrize("size", [32, 96])
def test_contrast_of_the_image_changes_nothing_in_a_resnet(randn, name, size):
    network = build(name, channels=3, n_classes=4, image_size=size, width=4)
    images = 100 * randn(2, 3, size, size)  # far above the norm's epsilon
    torch.testing.assert_close(network(3 * images), network(images), rtol=1e-3, atol=1e-3)


def test_scale_and_offset_of_the_channels_change_nothing_behind_instance_norm(randn):
    network, maps = ConvNet(1, 3, image_size=8, depth=1, width=4), 100 * randn(2, 4, 8, 8)
    behind = network.features[1:]
    scale, offset = randn(4, 1, 1).abs() + 1, randn(4, 1, 1)
    torch.testing.assert_close(behind(scale * maps + offset), behind(maps), rtol=1e-3, atol=1e-3)


def test_blocks_are_convolution_instance_norm_relu_and_mean_pooling(randn):
    student, images = ConvNet(1, 3, image_size=8, depth=1, width=4), randn(2, 1, 8, 8)
    convolution = student.features[0]
    expected = F.conv2d(images, convolution.weight, convolution.bias, padding=1)
    expected = F.avg_pool2d(F.relu(F.instance_norm(expected)), 2).flatten(1)
    torch.testing.assert_close(student.features(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("depth", "size", "features"), [(3, (32, 32), 16 * 4 * 4), (1, (9, 9), 16 * 4 * 4), (2, (30, 9), 16 * 7 * 2)]
)
def test_features_of_a_convnet_have_the_size_of_the_last_map(randn, depth, size, features):
    student = ConvNet(3, 5, image_size=size, depth=depth, width=16)
    assert student.features(randn(2, 3, *size)).shape == (2, features)


@pytest.mark.parametrize("name", SMALL)
def test_images_need_not_be_square(randn, name):
    network = build(name, channels=1, n_classes=3, image_size=(16, 24), width=SMALL[name])
    assert network(randn(2, 1, 16, 24)).shape == (2, 3)


def test_one_number_is_the_side_of_a_square():
    one, other = (build("convnet2", channels=1, n_classes=2, image_size=size, width=4) for size in (9, (9, 9)))
    assert torch.equal(one.head.weight, other.head.weight)


def test_weights_are_those_of_the_seed_and_no_global_state_is_touched(monkeypatch):
    def make(seed):
        return build("convnet2", channels=1, n_classes=2, image_size=8, width=4, seed=seed).head.weight

    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("the state of every GPU was set"))
    before = torch.get_rng_state()
    one, same, other = make(1), make(1), make(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, same) and not torch.equal(one, other)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        assert torch.equal(one, ConvNet(1, 2, image_size=8, depth=2, width=4).head.weight)


def residual(images, weights, *, stride=1, pool=1):
    """One residual block from its weights; norms start as the identity behind the standardisation."""

    def smaller(maps):
        return F.avg_pool2d(maps, pool) if pool > 1 else maps

    inner = F.relu(F.instance_norm(F.conv2d(images, weights.pop(0), padding=1, stride=stride)))
    inner = F.instance_norm(F.conv2d(smaller(inner), weights.pop(0), padding=1))
    if stride * pool > 1:
        images = F.instance_norm(smaller(F.conv2d(images, weights.pop(0), stride=stride)))
    return F.relu(images + inner)


@pytest.mark.parametrize("size", [32, 80])
@pytest.mark.parametrize("network", [ResNet18, ResNetAP10])
def test_resnets_are_what_their_papers_say(randn, network, size):
    student, images = network(3, 2, image_size=size, width=2), randn(2, 3, size, size)
    weights = [weight.detach() for weight in student.features.parameters() if weight.ndim == 4]
    pooled, large = network is ResNetAP10, size > 64
    stem = weights.pop(0)
    assert stem.shape == ((2, 3, 7, 7) if large else (2, 3, 3, 3))
    maps = F.conv2d(images, stem, padding=stem.shape[-1] // 2, stride=2 if large and not pooled else 1)
    maps = F.relu(F.instance_norm(maps))
    if large:
        maps = F.avg_pool2d(maps, 4) if pooled else F.max_pool2d(maps, 3, 2, 1)
    for stage in range(4):
        shrink = {"pool" if pooled else "stride": 2} if stage else {}
        maps = residual(maps, weights, **shrink)
        maps = maps if pooled else residual(maps, weights)
    assert weights == []
    torch.testing.assert_close(student.features(images), maps.mean((2, 3)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "size", "low", "high"),
    [
        ("convnet3", 32, 320_010, 320_010),  # known of CIFAR-10 in the field
        ("resnet18", 32, 11_173_962, 11_173_962),  # known of CIFAR-10, 3x3 stem
        ("resnet18", 224, 11_181_642, 11_181_642),  # torchvision's for 10 classes
        ("resnetap10", 224, 4_900_000, 5_000_000),
    ],
)
def test_the_fields_networks_have_the_fields_number_of_weights(name, size, low, high):
    with torch.device("meta"):
        assert low <= parameters(build(name, channels=3, n_classes=10, image_size=size)) <= high


def test_depth_and_width_are_the_names_and_the_callers():
    with torch.device("meta"):
        deep = build("convnet6", channels=3, n_classes=10, image_size=64)
        narrow = build("convnet6", channels=3, n_classes=10, image_size=64, width=8)
    assert sum(isinstance(module, torch.nn.Conv2d) for module in deep.modules()) == 6
    assert deep.head.in_features == 128 and narrow.head.in_features == 8


def test_convolutions_of_resnets_have_he_variance():
    network = ResNetAP10(3, 2, image_size=32, width=32)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            expected = (2 / (module.out_channels * module.kernel_size[0] ** 2)) ** 0.5
            assert module.weight.std().item() == pytest.approx(expected, rel=0.15)


def test_unknown_names_and_too_small_images_are_refused():
    with pytest.raises(ValueError, match=r"network must be one of convnet1, .*resnet18, resnetap10; got 'vgg'"):
        build("vgg", channels=1, n_classes=2, image_size=32)
    with pytest.raises(ValueError, match=r"image_size must be at least 2\*\*depth = 64; got 32. Take fewer blocks"):
        build("convnet6", channels=1, n_classes=2, image_size=32)
    with pytest.raises(ValueError, match=r"image_size must be at least 16 for a ResNet; got 8. Take convnet3"):
        build("resnet18", channels=1, n_classes=2, image_size=8)


@pytest.mark.parametrize("name", ["resnet18", "resnetap10"])
def test_the_shorter_side_decides(name):
    def stem(size):
        return build(name, channels=1, n_classes=2, image_size=size, width=2).features[0].kernel_size

    assert stem((64, 200)) == stem((200, 64)) == (3, 3)
    assert stem((65, 200)) == stem((200, 65)) == (7, 7)
    for size in ((8, 64), (64, 8)):
        with pytest.raises(ValueError, match=rf"image_size must be at least 16 for a ResNet; got \({size[0]}, "):
            stem(size)
        with pytest.raises(ValueError, match=rf"image_size must be at least .* = 16; got \({size[0]}, "):
            build("convnet4", channels=1, n_classes=2, image_size=size)
