"""Validation finds what is wrong, names the stage, and never gives a bad file its name."""

import json

import numpy as np
import onnx
import pytest
import torch

from drsformer.checkpoint import checkpoint_from_file
from drsformer.errors import AgreementError, DRSformerError, ExportError
from drsformer.export import check_against_pytorch as checking
from drsformer.export.check_against_pytorch import (
    check_against_pytorch,
    rewrite_error,
    stage_names,
)
from drsformer.export.onnx_from_checkpoint import (
    load_onnx,
    onnx_from_checkpoint,
    validate_file,
)
from drsformer.export.onnx_from_model import ExportSettings
from drsformer.files import validation_report_path

from ..places import folder_of_everyone, small_disk, without_root

HASHES = ("", "")


def damaged(path, tmp_path, name, change):
    """Copy an exported file with one weight changed."""
    proto = onnx.load(path)
    tensor = next(t for t in proto.graph.initializer if t.name == name)
    array = onnx.numpy_helper.to_array(tensor).copy()
    tensor.CopyFrom(onnx.numpy_helper.from_array(change(array), name))
    copy = tmp_path / "damaged.onnx"
    onnx.save(proto, copy)
    return copy


def test_three_shapes_are_compared_one_not_square_one_a_batch(small_onnx):
    report = json.loads(validation_report_path(small_onnx).read_text())
    shapes = [row["shape"] for row in report["rows"]]
    assert len(shapes) >= 3 and any(s[2] != s[3] for s in shapes) and any(s[0] > 1 for s in shapes)
    assert report["passed"] and report["rewrite_error_float64"] < 1e-12
    assert all(row["max_error"] < 1e-5 and row["psnr_db"] > 100 for row in report["rows"])


def test_every_stage_is_compared_in_order(small_onnx, small_checkpoint):
    report = validate_file(small_onnx, small_checkpoint)
    first = [row.tensor for row in report.rows if row.shape == report.rows[0].shape]
    expected = ["patch_embed", "encoder_level0", "encoder_level1", "latent", "decoder_level1"]
    assert [name for name in first if name in expected] == expected
    assert first[-3:] == ["refinement", "residual", "output"]
    assert report.passed and report.first_divergence is None


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("patch_embed.weight", "patch_embed"),
        ("encoder_level2.0.ffn.project_in.1.even0.weight", "encoder_level2"),
        ("latent.0.attn.qkv.v.weight", "latent"),
        ("refinement.layers.1.preprocess.weight", "refinement"),
    ],
)
def test_the_first_stage_to_diverge_is_named(small_onnx, small_checkpoint, tmp_path, name, stage):
    bad = damaged(small_onnx, tmp_path, name, lambda w: w * 1.5)
    report = validate_file(bad, small_checkpoint)
    assert not report.passed and report.first_divergence.tensor == stage


def test_a_nan_in_the_output_is_an_error(small_onnx, small_checkpoint, tmp_path):
    bad = damaged(small_onnx, tmp_path, "output.weight", lambda w: w * np.nan)
    with pytest.raises(AgreementError, match="NaN"):
        validate_file(bad, small_checkpoint)


def test_another_checkpoints_file_does_not_pass(small_onnx, tmp_path, goldens):
    other = tmp_path / "other.pth"
    state = {k: v * 1.01 for k, v in goldens["small_mefc"].state.items()}
    torch.save(state, other)
    assert not validate_file(small_onnx, other).passed


def test_a_small_mistake_in_a_rewrite_is_found_in_float64(goldens, monkeypatch):
    """An eps of 1e-6 instead of 1e-5 changes the output by far less than any float32 tolerance."""
    from drsformer.export.rewrites import fold_norm

    monkeypatch.setattr(fold_norm, "LAYER_NORM_EPS", 1e-6)
    with pytest.raises(AgreementError, match="float64"):
        rewrite_error(goldens["small_mefc"].model())


def test_a_proof_that_is_not_a_number_is_none(goldens):
    model = goldens["small_mefc"].model()
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(AgreementError, match="nan in float64"):
        rewrite_error(model)


def test_a_file_that_disagrees_is_never_named(small_checkpoint, tmp_path, monkeypatch):
    output = tmp_path / "out" / "model.onnx"
    monkeypatch.setattr(checking, "MAX_ERROR", -1.0)
    monkeypatch.setattr(checking, "NOISE_FACTOR", -1.0)
    with pytest.raises(AgreementError, match="nothing was written"):
        onnx_from_checkpoint(small_checkpoint, output, ExportSettings())
    assert not output.parent.exists()


def test_an_error_at_the_networks_own_noise_passes(small_onnx, small_checkpoint, monkeypatch):
    """The file is not wrong where float32 PyTorch itself differs as much from float64."""
    monkeypatch.setattr(checking, "MAX_ERROR", 0.0)
    model = checkpoint_from_file(small_checkpoint).model()
    report = check_against_pytorch(small_onnx, model, hashes=HASHES)
    assert report.passed and all(row.noise and row.noise < 1e-4 for row in report.outputs)


def test_an_existing_file_survives_a_failed_export(small_checkpoint, tmp_path, monkeypatch):
    output = tmp_path / "model.onnx"
    output.write_bytes(b"precious")
    monkeypatch.setattr(checking, "MAX_ERROR", -1.0)
    monkeypatch.setattr(checking, "NOISE_FACTOR", -1.0)
    with pytest.raises(AgreementError):
        onnx_from_checkpoint(small_checkpoint, output, ExportSettings())
    assert output.read_bytes() == b"precious"


def test_fixed_sizes_are_validated_at_those_sizes(small_checkpoint, tmp_path):
    settings = ExportSettings(batch=1, height=32, width=48)
    made = onnx_from_checkpoint(small_checkpoint, tmp_path / "fixed.onnx", settings)
    assert {row.shape for row in made.report.rows} == {(1, 3, 32, 48)}


def test_large_fixed_sizes_are_validated_at_sizes_that_fit(small_checkpoint, tmp_path):
    settings = ExportSettings(batch=1, height=1080, width=1920)
    made = onnx_from_checkpoint(small_checkpoint, tmp_path / "fixed.onnx", settings)
    assert {row.shape for row in made.report.rows} == set(checking.SHAPES)
    shape = onnx.load(made.path).graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in shape] == [1, 3, 1080, 1920]


def test_two_exports_hash_alike_whatever_the_checkpoint_is_called(small_checkpoint, tmp_path):
    copy = tmp_path / "renamed.pth"
    copy.write_bytes(small_checkpoint.read_bytes())
    hashes = {
        onnx_from_checkpoint(source, tmp_path / name, ExportSettings()).report.model_sha256
        for source, name in [(small_checkpoint, "a.onnx"), (copy, "b.onnx")]
    }
    assert len(hashes) == 1


def test_stage_names_come_from_the_graph(small_onnx):
    assert stage_names(onnx.load(small_onnx))[0] == "patch_embed"


@pytest.mark.parametrize("content", [b"", b"text", b"\x08\x07" * 50, None])
def test_a_file_that_is_no_onnx_is_refused(tmp_path, content):
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExportError, match="bad.onnx"):
        load_onnx(path)


def test_a_truncated_onnx_is_refused(small_onnx, tmp_path):
    path = tmp_path / "half.onnx"
    path.write_bytes(small_onnx.read_bytes()[:100_000])
    with pytest.raises(ExportError, match="half.onnx"):
        load_onnx(path)


def test_the_output_must_be_named_onnx(small_checkpoint, tmp_path):
    with pytest.raises(ExportError, match="must end in .onnx"):
        onnx_from_checkpoint(small_checkpoint, tmp_path / "model.engine", ExportSettings())


def test_an_output_below_a_file_is_refused(small_checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DRSformerError, match="cannot write"):
        onnx_from_checkpoint(small_checkpoint, tmp_path / "file" / "m.onnx", ExportSettings())


def test_a_full_disk_is_one_line_and_leaves_nothing(small_checkpoint, tmp_path):
    with small_disk(tmp_path / "disk", kibibytes=512) as disk:
        with pytest.raises(DRSformerError, match="No space left") as caught:
            onnx_from_checkpoint(small_checkpoint, disk / "model.onnx", ExportSettings())
        assert "\n" not in str(caught.value) and list(disk.iterdir()) == []


def test_an_unwritable_folder_is_refused(small_checkpoint):
    with folder_of_everyone() as folder:
        (folder / "locked").mkdir(mode=0o555)
        checkpoint = folder / "small.pth"
        checkpoint.write_bytes(small_checkpoint.read_bytes())
        checkpoint.chmod(0o444)
        with without_root(), pytest.raises(DRSformerError, match="cannot write"):
            onnx_from_checkpoint(checkpoint, folder / "locked" / "m.onnx", ExportSettings())
