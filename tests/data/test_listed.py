import json

import pytest
from PIL import Image

from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.listed import choose_column, class_order, label_of


def lay(folder, rows, *, table="metadata.jsonl", images=None):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(images or [row["file_name"] for row in rows]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 10 * number).save(folder / name)
    lines = [json.dumps(row) for row in rows]
    if table.endswith("csv"):
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    (folder / table).write_text("\n".join(lines) + "\n")
    return folder


ROWS = [{"file_name": f"{number}.png", "label": "ba"[number % 2]} for number in range(4)]


@pytest.mark.parametrize("table", ["metadata.jsonl", "metadata.csv"])
def test_a_flat_folder_has_the_classes_of_its_table(tmp_path, table):
    data = load_data(lay(tmp_path / "x", ROWS, table=table))
    assert data.class_names == ("a", "b")
    assert data.train.labels.tolist() == [0, 0, 1, 1]
    assert "column 'label'" in data.found


def test_splits_have_a_table_each(tmp_path):
    lay(tmp_path / "Train", ROWS)
    lay(tmp_path / "Test", ROWS[:2])
    data = load_data(tmp_path)
    assert (len(data.train), len(data.test)) == (4, 2)


def test_numbers_are_classes_in_their_order(tmp_path):
    rows = [{"file_name": f"{number}.png", "label": number} for number in (10, 9, 2)]
    assert load_data(lay(tmp_path / "x", rows)).class_names == ("2", "9", "10")


def test_images_that_are_not_listed_are_counted(tmp_path):
    folder = lay(tmp_path / "x", ROWS[:3], images=[row["file_name"] for row in ROWS])
    assert "1 images that the table does not list" in load_data(folder).found


def test_folders_of_classes_win_unless_a_column_is_asked_for(tmp_path):
    rows = [{"file_name": f"{name}/1.png", "color": "red"} for name in ("x", "y")]
    folder = lay(tmp_path / "set", rows)
    data = load_data(folder)
    assert data.class_names == ("x", "y")
    assert "metadata.jsonl is not read" in data.found
    assert load_data(folder, label_column="color").class_names == ("red",)


@pytest.mark.parametrize("name", ["../x.png", "/etc/x.png", "a/../../x.png", "", None, 5, "absent.png", "C:/x.png"])
def test_a_table_does_not_lead_out_of_its_folder(tmp_path, name):
    folder = lay(tmp_path / "x", ROWS)
    with (folder / "metadata.jsonl").open("a") as file:
        file.write(json.dumps({"file_name": name, "label": "a"}) + "\n")
    with pytest.raises(ValueError, match=r"row 5 of .* must name a file"):
        load_data(folder)


def test_columns_are_asked_for_known_or_alone():
    assert choose_column("label_column", "kind", ["kind", "label"], ("label",), "x") == "kind"
    assert choose_column("label_column", None, ["kind", "Label"], ("label",), "x") == "Label"
    assert choose_column("label_column", None, ["kind"], ("label",), "x") == "kind"
    with pytest.raises(ValueError, match="label_column must be given for 'x', which has the columns a, b"):
        choose_column("label_column", None, ["a", "b"], ("label",), "x")
    with pytest.raises(ValueError, match=r"label_column must be a column of 'x'.*Did you mean 'label'"):
        choose_column("label_column", "lable", ["label"], (), "x")


@pytest.mark.parametrize("value", [None, "", "  ", -1, 1.5, ["a"], {}, float("nan")])
def test_what_is_no_class_is_refused(value):
    with pytest.raises(ValueError, match="row 1 must have one class"):
        label_of(value, "row 1")


def test_order_of_classes():
    assert class_order(["b", "a", "10"]) == ["10", "a", "b"]
    assert class_order([]) == []
