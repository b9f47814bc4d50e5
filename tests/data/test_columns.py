import pytest

datasets = pytest.importorskip("datasets")

from mgd_helpers.data.columns import choose_columns  # noqa: E402

IMAGE, LABEL, TEXT = datasets.Image(), datasets.ClassLabel(names=["a", "b"]), datasets.Value("string")
WHOLE, FLOAT, ARRAY = datasets.Value("int64"), datasets.Value("float32"), datasets.Array3D((4, 4, 3), "uint8")


@pytest.mark.parametrize(
    ("features", "found"),
    [
        ({"image": IMAGE, "label": LABEL}, ("image", "label")),
        ({"photo": IMAGE, "kind": TEXT}, ("photo", "kind")),
        ({"photo": IMAGE, "caption": TEXT, "label": TEXT}, ("photo", "label")),
        ({"photo": IMAGE, "id": WHOLE, "Class": WHOLE}, ("photo", "Class")),
        ({"image": IMAGE, "mask": IMAGE, "label": LABEL}, ("image", "label")),
        ({"img": IMAGE, "fine_label": LABEL, "coarse_label": LABEL}, ("img", "fine_label")),
        ({"pixels": ARRAY, "label": WHOLE}, ("pixels", "label")),
    ],
)
def test_the_only_sensible_columns_are_taken(features, found):
    assert choose_columns(datasets.Features(features), None, None)[:2] == found


@pytest.mark.parametrize(
    ("features", "columns", "words"),
    [
        ({"label": LABEL}, (None, None), "must have one column"),
        ({"image": IMAGE}, (None, None), "must have one column"),
        ({"a": IMAGE, "b": IMAGE, "label": LABEL}, (None, None), "Pass image_column"),
        ({"image": IMAGE, "x": TEXT, "y": TEXT}, (None, None), "Pass label_column"),
        ({"image": IMAGE, "label": LABEL}, ("picture", None), "image_column must be a column of 'source'"),
        ({"image": IMAGE, "label": LABEL}, (None, "labels"), "Did you mean 'label'"),
        ({"image": IMAGE, "label": LABEL}, ("label", None), "image_column must be a column of images"),
        ({"image": IMAGE, "size": FLOAT, "label": LABEL}, (None, "size"), "label_column must hold one class"),
    ],
)
def test_columns_that_cannot_be_meant_are_refused(features, columns, words):
    with pytest.raises(ValueError, match=words):
        choose_columns(datasets.Features(features), *columns)
