"""Checkpoint files are read safely and checked by name."""

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from drsformer.checkpoint import checkpoint_from_file
from drsformer.errors import CheckpointError

from ..places import folder_of_everyone, without_root


@pytest.fixture
def state(goldens):
    return dict(goldens["small_mefc"].state)


def saved(tmp_path, content, name="model.pth"):
    path = tmp_path / name
    torch.save(content, path)
    return path


def refusal(path):
    """Return the one line a user would see."""
    with pytest.raises(CheckpointError) as caught:
        checkpoint_from_file(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


@pytest.mark.parametrize("container", ["params", "params_ema", "state_dict", ""])
def test_state_dict_is_found_in_its_container(tmp_path, state, container):
    path = saved(tmp_path, {container: state, "epoch": 3} if container else state)
    checkpoint = checkpoint_from_file(path)
    assert checkpoint.container == container
    assert torch.equal(checkpoint.model().output.weight, state["output.weight"])


def test_params_win_over_their_average(tmp_path, state):
    average = {name: tensor * 0 for name, tensor in state.items()}
    assert (
        checkpoint_from_file(saved(tmp_path, {"params_ema": average, "params": state})).container
        == "params"
    )


def test_data_parallel_prefix_is_dropped(tmp_path, state):
    path = saved(tmp_path, {"params": {f"module.{k}": v for k, v in state.items()}})
    assert set(checkpoint_from_file(path).state) == set(state)


def test_old_pickle_format_is_read(tmp_path, state):
    path = tmp_path / "old.pth"
    torch.save({"params": state}, path, _use_new_zipfile_serialization=False)
    assert checkpoint_from_file(path).config.dim == 16


def test_safetensors_is_read(tmp_path, state):
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    assert torch.equal(checkpoint_from_file(path).model().output.weight, state["output.weight"])


def test_half_precision_weights_become_float32(tmp_path, state):
    path = saved(tmp_path, {name: tensor.half() for name, tensor in state.items()})
    weight = checkpoint_from_file(path).model().output.weight
    assert weight.dtype == torch.float32 and torch.equal(weight, state["output.weight"])


def test_mismatches_are_listed_by_kind_with_a_count(tmp_path, state):
    del state["output.weight"]
    state["extra.weight"] = torch.zeros(1)
    state["down1_2.body.0.weight"] = torch.zeros(8, 16, 5, 5)
    message = refusal(saved(tmp_path, state))
    assert "1 missing: output.weight" in message
    assert "1 unexpected: extra.weight" in message
    assert "1 misshapen: down1_2.body.0.weight is (8, 16, 5, 5), not (8, 16, 3, 3)" in message


def test_another_networks_checkpoint_is_refused_with_counts(tmp_path):
    message = refusal(saved(tmp_path, {f"conv{i}.weight": torch.zeros(3) for i in range(9)}))
    assert "not a DRSformer" in message and "9 unexpected: conv0.weight" in message


def test_a_forged_block_index_does_not_build_a_giant_network(tmp_path, state):
    state["encoder_level1.999999999.norm1.body.weight"] = torch.zeros(16)
    assert "unexpected" in refusal(saved(tmp_path, state))


def test_heads_that_do_not_divide_the_channels_are_refused(tmp_path, state):
    state["latent.0.attn.temperature"] = torch.ones(7, 1, 1)
    assert "7 heads" in refusal(saved(tmp_path, state))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_refused_by_name(tmp_path, state, value):
    state["latent.0.attn.qkv.weight"] = state["latent.0.attn.qkv.weight"].clone()
    state["latent.0.attn.qkv.weight"][0, 0] = value
    assert "latent.0.attn.qkv.weight" in refusal(saved(tmp_path, state))


def test_a_pickle_with_code_is_refused_and_nothing_runs(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "evil.pth"

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {marker}",)

    for protocol in (2, 4):
        path.write_bytes(pickle.dumps({"params": Evil()}, protocol=protocol))
        refusal(path)
    torch.save({"params": Evil()}, path)
    assert "run code" in refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
def test_a_truncated_file_is_refused(tmp_path, small_checkpoint, state, name):
    whole = tmp_path / f"whole{name}"
    if name.endswith(".pth"):
        torch.save({"params": state}, whole)
    else:
        save_file(state, whole)
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "truncated" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"just text\n", b"\x80", b"\x00" * 4096])
@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"params": {}}, {"params": {"a": 3}}, torch.ones(2)]
)
def test_contents_that_are_no_state_dict_are_refused(tmp_path, content):
    refusal(saved(tmp_path, content))


def test_missing_file_and_folder_are_refused(tmp_path):
    refusal(tmp_path / "absent.pth")
    refusal(tmp_path)


def test_an_unreadable_file_is_refused(small_checkpoint):
    with folder_of_everyone() as folder:
        path = folder / "secret.pth"
        path.write_bytes(small_checkpoint.read_bytes())
        path.chmod(0)
        with without_root():
            assert "Permission denied" in refusal(path)


@pytest.mark.parametrize(
    "odd",
    [
        torch.zeros(3, dtype=torch.int64),
        torch.zeros(3, dtype=torch.bool),
        torch.zeros(3, dtype=torch.complex64),
        torch.eye(3).to_sparse(),
        torch.zeros(3, device="meta"),
        torch.zeros(1).expand(10**9, 10**3),  # 4 bytes that claim 4 TB
    ],
    ids=["integers", "booleans", "complex", "sparse", "meta", "forged"],
)
def test_only_plain_floating_point_tensors_are_taken(tmp_path, state, odd):
    state["output.weight"] = odd
    assert "output.weight" in refusal(saved(tmp_path, state))


def test_a_damaged_archive_is_found_by_its_checksum(tmp_path, state):
    path = saved(tmp_path, state)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert "checksum" in refusal(path)


def test_widths_of_zero_are_refused(tmp_path, state):
    state["encoder_level1.0.ffn.dwconv3x3.weight"] = torch.zeros(0, 1, 3, 3)
    assert "at least 1" in refusal(saved(tmp_path, state))


def test_a_name_with_line_breaks_stays_on_one_line(tmp_path, state, capsys, monkeypatch):
    from drsformer.commands.main import main

    path = saved(tmp_path, state | {"bad\n\x1b[31mkey" * 1000: torch.zeros(1)})
    monkeypatch.setattr("sys.argv", ["drs-export", "inspect", str(path)])
    with pytest.raises(SystemExit):
        main()
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "\x1b" not in error and len(error) < 1000
