"""Train the small DRSformer that ships as drsformer/weights/demo.safetensors.

    python tools/train_demo.py --photos DIR --minutes 120 -o demo.safetensors

Clean images are scikit-image's photographs, any photographs given with --photos, and procedural
textures; rain is synthetic (`training_rain`); some crops stay clean, so that the network learns to
leave a clean image alone. The network trains in its deployment form, which computes the same
function with the same parameters in about a quarter of the time.

The schedule runs over the processor time given with --minutes, so a run that is paused (kill -STOP)
or shares its core does the same work. Every so many steps OUTPUT.state is written beside the
weights; --resume continues from it, with the same optimizer, averages and random state.

Setting MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 in the environment
keeps freed memory in the process and saves about 15 % of a step.
"""

import copy
import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file
from textures import dead_leaves, furred
from torch import Tensor
from train_ops import TrainOps
from training_rain import KINDS, pair_from_clean

from drsformer.calibration.photos import BUNDLED, bundled_photos, photos_from_folder
from drsformer.calibration.rain import rainy_from_clean, sample_rain
from drsformer.checkpoint import checkpoint_from_file
from drsformer.config import DRSformerConfig, hidden_from_factor
from drsformer.export.deployment import Deployment, deployment_from_model
from drsformer.files import written_whole
from drsformer.model import DRSformer

Image = NDArray[np.uint8]  # (H, W, 3) RGB

DEMO_CONFIG = DRSformerConfig(
    dim=16,
    num_blocks=(1, 1, 1, 1),
    heads=(1, 2, 4, 8),
    hidden=hidden_from_factor(16, 2.66),
    mefc=True,
)
TEXTURE_SHARE = 0.12
FUR_SHARE = 0.15  # of the crops, repainted in fur or grass
STRETCH_SHARE = 0.2  # photographs pulled long, so that fine structure looks like streaks
LOSS_FLOOR = 1e-5  # of the mean squared error, 50 dB: below it an image counts as clean
TEXTURE_POOL = 300
LATE_START = 0.65  # share of the run after which crops grow
COLUMNS = (
    TextColumn("step {task.fields[step]}"),
    BarColumn(),
    TextColumn("{task.description}"),
    TimeRemainingColumn(),
)
log = logging.getLogger("train_demo")


@dataclass(frozen=True)
class Settings:
    """How to train; sizes in pixels."""

    seed: int = 20261122
    loss: str = "absolute"  # or "decibel": the log of each crop's squared error, as PSNR counts it
    shares: tuple[float, ...] = (0.08, 0.25, 0.15, 0.37, 0.15)  # of crops with rain as in KINDS
    batch: int = 4
    crop: int = 128
    late_batch: int = 2
    late_crop: int = 184
    learning_rate: float = 8e-4
    warmup_steps: int = 150
    weight_decay: float = 1e-4
    gradient_norm: float = 0.5
    average_decay: float = 0.998


# The second stage. The absolute error is dominated by heavy rain; the decibel loss gives light rain
# and clean images the same weight, so that the network does not take fine texture for rain.
FINE_TUNING = Settings(
    seed=20261123,
    loss="decibel",
    shares=(0.12, 0.33, 0.12, 0.23, 0.20),
    learning_rate=5e-4,
    warmup_steps=30,
    gradient_norm=1.0,
)


class Crops:
    """Endless (rainy, clean) crops, deterministic from the seed."""

    def __init__(self, photos: list[Image], settings: Settings) -> None:
        self.rng = np.random.default_rng(settings.seed)
        self.shares = settings.shares
        self.photos = photos
        self.weights = np.sqrt([p.shape[0] * p.shape[1] for p in photos])
        self.weights = self.weights / self.weights.sum()
        self.textures = [dead_leaves((256, 256), self.rng) for _ in range(TEXTURE_POOL)]

    def batch(self, count: int, size: int) -> tuple[Tensor, Tensor]:
        """Return rainy and clean, each float32 (count, 3, size, size) in [0, 1]."""
        pairs = [self._pair(size) for _ in range(count)]
        rainy, clean = (np.stack(images) for images in zip(*pairs, strict=True))
        return _tensor(rainy), _tensor(clean)

    def _pair(self, size: int) -> tuple[Image, Image]:
        clean = self._clean(size)
        kind = str(self.rng.choice(KINDS, p=self.shares))
        return pair_from_clean(clean, kind, self.rng)

    def _clean(self, size: int) -> Image:
        if self.rng.random() < TEXTURE_SHARE:
            image = self.textures[self.rng.integers(len(self.textures))]
        else:
            image = self.photos[self.rng.choice(len(self.photos), p=self.weights)]
        if self.rng.random() < STRETCH_SHARE:
            image = self._stretched(image)
        crop = self._cut(image, size)
        if self.rng.random() < FUR_SHARE:
            crop = furred(crop, self.rng)
        return self._jitter(self._turn(crop))

    def _stretched(self, image: Image) -> Image:
        """Make an image up to three times as narrow as it was."""
        height, width = image.shape[:2]
        narrow = max(192, round(width / self.rng.uniform(1.3, 3.0)))
        return cv2.resize(image, (narrow, height), interpolation=cv2.INTER_AREA)

    def _cut(self, image: Image, size: int) -> Image:
        """Cut a square at a random place and scale; photographs shrink up to 2.5 times."""
        largest = min(image.shape[:2])
        side = min(largest, round(size * self.rng.uniform(1.0, 2.5))) if largest > size else largest
        if self.rng.random() < 0.3:
            side = min(largest, size)
        top = self.rng.integers(image.shape[0] - side + 1)
        left = self.rng.integers(image.shape[1] - side + 1)
        crop = image[top : top + side, left : left + side]
        method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
        return crop if side == size else cv2.resize(crop, (size, size), interpolation=method)

    def _turn(self, image: Image) -> Image:
        """Mirror and sometimes turn, so that the scene does not tell where rain is."""
        if self.rng.random() < 0.5:
            image = image[:, ::-1]
        if self.rng.random() < 0.3:
            image = np.rot90(image, self.rng.integers(4))
        return np.ascontiguousarray(image)

    def _jitter(self, image: Image) -> Image:
        """Vary exposure and contrast a little."""
        if self.rng.random() < 0.5:
            return image
        gamma = math.exp(self.rng.normal(0, 0.25))
        table = np.round(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
        return cv2.LUT(image, table)


def _tensor(images: Image) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)


class Average:
    """Exponential moving average of a model's parameters."""

    def __init__(self, model: DRSformer, decay: float) -> None:
        self.model = copy.deepcopy(model).eval()
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: DRSformer) -> None:
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 10))
        for mine, theirs in zip(self.model.parameters(), model.parameters(), strict=True):
            mine.lerp_(theirs, 1 - decay)


def learning_rate(settings: Settings, step: int, share: float) -> float:
    """Warm up by steps, then follow a cosine over the share of the run done, in [0, 1]."""
    warm = min(1.0, (step + 1) / settings.warmup_steps)
    return settings.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * share)) + 1e-6


def loss_of(out: Tensor, clean: Tensor, kind: str) -> Tensor:
    """Return the loss of a batch; "decibel" gives a light rain the weight of a heavy one."""
    if kind == "absolute":
        return (out - clean).abs().mean()
    squared = (out - clean).square().mean((1, 2, 3))
    return (squared + LOSS_FLOOR).log().mean()


def luma_psnr(a: Image, b: Image) -> float:
    """PSNR of the luma of two RGB images, dB; the tool's own quick check while training."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    error = ((a.astype(float) - b.astype(float)) @ weights) ** 2
    return float(10 * np.log10(255**2 / max(error.mean(), 1e-9)))


@torch.no_grad()
def validate(model: DRSformer, pairs: list[tuple[Image, Image]]) -> dict[str, float]:
    """Return the mean and worst gain in dB over real pairs, and the PSNR that clean ones keep."""
    deployment = deployment_from_model(model)
    gains, kept = [], []
    for rainy, clean in pairs:
        gains.append(luma_psnr(_restore(deployment, rainy), clean) - luma_psnr(rainy, clean))
    for _, clean in pairs[:: max(1, len(pairs) // 5)]:
        kept.append(luma_psnr(_restore(deployment, clean), clean))
    light = [_light_gain(deployment, clean, seed) for seed, (_, clean) in enumerate(pairs)]
    return {
        "mean_gain_db": round(float(np.mean(gains)), 3),
        "worst_gain_db": round(float(np.min(gains)), 3),
        "light_mean_gain_db": round(float(np.mean(light)), 3),
        "light_worst_gain_db": round(float(np.min(light)), 3),
        "clean_kept_db": round(float(np.mean(kept)), 2),
        "clean_kept_worst_db": round(float(np.min(kept)), 2),
    }


def _light_gain(deployment: Deployment, clean: Image, seed: int) -> float:
    """Return the gain in dB on a clean validation image with light synthetic rain."""
    rng = np.random.default_rng(seed)
    rainy = rainy_from_clean(clean, sample_rain(rng, "light"), rng)
    return luma_psnr(_restore(deployment, rainy), clean) - luma_psnr(rainy, clean)


def _restore(deployment: Deployment, image: Image) -> Image:
    out = deployment(TrainOps(), _tensor(image[None]))[0]
    return out.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()


def centre(image: Image, size: int = 256) -> Image:
    """Cut a square out of the middle, which is quick to validate on."""
    top, left = ((side - size) // 2 for side in image.shape[:2])
    return np.ascontiguousarray(image[top : top + size, left : left + size])


class Training:
    """A run that can be saved after any step and resumed.

    Attributes:
        step: number of steps done.
        seconds: processor time spent on them.
        history: the scores of each validation, in order.
        average: the weights to keep.
    """

    def __init__(self, settings: Settings, crops: Crops, start_from: Path | None) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.crops = settings, crops
        self.model = DRSformer(DEMO_CONFIG).to(memory_format=torch.channels_last)
        if start_from:
            self.model.load_state_dict(checkpoint_from_file(start_from).state)
        else:
            torch.nn.init.zeros_(self.model.output.weight)  # start from the identity
        self.average = Average(self.model, settings.average_decay)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), weight_decay=settings.weight_decay, betas=(0.9, 0.99)
        )
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []

    def advance(self, share: float) -> float:
        """Take one step at a share of the schedule, 0 to 1; return its loss."""
        start, settings = time.process_time(), self.settings
        late = share > LATE_START
        rainy, clean = self.crops.batch(
            settings.late_batch if late else settings.batch,
            settings.late_crop if late else settings.crop,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(settings, self.step, share)
        loss = loss_of(deployment_from_model(self.model)(TrainOps(), rainy), clean, settings.loss)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.gradient_norm)
        self.optimizer.step()
        self.average.update(self.model)
        self.step += 1
        self.seconds += time.process_time() - start
        return float(loss.detach())

    def write(self, path: Path) -> None:
        """Save everything that the next step depends on."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.model.state_dict(),
            "updates": self.average.updates,
            "optimizer": self.optimizer.state_dict(),
            "random": json.dumps(self.crops.rng.bit_generator.state),
            "step": self.step,
            "seconds": self.seconds,
            "history": json.dumps(self.history),
            "settings": json.dumps(asdict(self.settings)),
        }
        with written_whole(path) as temporary:
            torch.save(state, temporary)

    def read(self, path: Path) -> None:
        """Continue from what `write` saved; raises click.ClickException for other settings."""
        state = torch.load(path, weights_only=True)
        if json.loads(state["settings"]) != json.loads(json.dumps(asdict(self.settings))):
            raise click.ClickException(f"{path} was made with other settings: {state['settings']}")
        self.model.load_state_dict(state["model"])
        self.average.model.load_state_dict(state["average"])
        self.average.updates = state["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.crops.rng.bit_generator.state = json.loads(state["random"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.history = json.loads(state["history"])


def train(training: Training, steps: int, minutes: float) -> Iterator[tuple[float, float]]:
    """Train until `steps`, or `minutes` of processor time, are over; yield (share done, loss)."""
    share = 0.0
    while share < 1:
        share = min(1.0, max((training.step + 1) / steps, training.seconds / 60 / minutes))
        yield share, training.advance(share)


def earlier_stage(start_from: Path | None) -> object:
    """Return the provenance beside the checkpoint that was fine-tuned, or None."""
    if start_from is None or not start_from.with_suffix(".json").is_file():
        return None
    return json.loads(start_from.with_suffix(".json").read_text())


def save(
    model: DRSformer,
    output: Path,
    settings: Settings,
    photos: Path | None,
    history: list[dict[str, float]],
    start_from: Path | None,
) -> None:
    """Write the weights as .safetensors and, beside them, where they come from as .json."""
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    clean = [f"scikit-image photographs: {', '.join(BUNDLED)}"]
    if photos:
        clean.append(
            f"{len(photos_from_folder(photos))} photographs given with --photos {photos.name}"
        )
    clean.append(f"{TEXTURE_POOL} procedural textures (tools/textures.py)")
    provenance = {
        "network": model.config.to_dict(),
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "data": {
            "clean": clean,
            "rain": "synthetic (tools/training_rain.py)",
            "kinds_of_rain": KINDS,
            "share_of_textures": TEXTURE_SHARE,
            "share_of_crops_repainted_in_fur": FUR_SHARE,
        },
        "seed": settings.seed,
        "steps": history[-1]["step"],
        "processor_hours": history[-1]["processor_hours"],
        "settings": asdict(settings),
        "weights": "an exponential moving average over the steps",
        "validation": history,
        "started_from": earlier_stage(start_from),
    }
    with written_whole(output) as temporary:
        save_file(state, temporary)
    with written_whole(output.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(provenance, indent=1) + "\n")


@click.command()
@click.option("--photos", type=click.Path(path_type=Path, exists=True), help="More clean photos.")
@click.option(
    "--pairs",
    type=click.Path(path_type=Path, exists=True),
    help="Folder with input/ and target/ to validate on.",
)
@click.option("--start-from", type=click.Path(path_type=Path), help="Fine-tune this checkpoint.")
@click.option("--resume", is_flag=True, help="Continue from OUTPUT.state.")
@click.option(
    "--shares", nargs=5, type=float, help=f"Shares of crops with rain {', '.join(KINDS)}."
)
@click.option("--minutes", default=120.0, help="Stop after this much processor time.")
@click.option("--steps", default=10**9, help="Stop after this many steps.")
@click.option("--threads", default=2, help="Threads of PyTorch.")
@click.option("--every", default=400, help="Validate and save every so many steps.")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True)
def main(
    photos: Path | None,
    pairs: Path | None,
    start_from: Path | None,
    resume: bool,
    shares: tuple[float, ...] | None,
    minutes: float,
    steps: int,
    threads: int,
    every: int,
    output: Path,
) -> None:
    """Train the demo network and save its averaged weights."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    settings = FINE_TUNING if start_from else Settings()
    if shares:
        settings = replace(settings, shares=shares)
    images = bundled_photos() + (photos_from_folder(photos) if photos else [])
    training = Training(settings, Crops(images, settings), start_from)
    state = output.with_suffix(".state")
    if resume:
        training.read(state)
    real = validation_pairs(pairs) if pairs else []
    losses: list[float] = []
    with Progress(*COLUMNS) as progress:
        task = progress.add_task("", total=1.0, step=0)
        for share, loss in train(training, steps, minutes * threads):
            losses.append(loss)
            progress.update(
                task,
                completed=share,
                step=training.step,
                description=f"loss {np.mean(losses[-100:]):.4f}",
            )
            if training.step % every == 0 or share == 1:
                scores = validate(training.average.model, real) if real else {}
                training.history.append(
                    {
                        "step": training.step,
                        "processor_hours": round(training.seconds / 3600, 2),
                        "loss": float(np.mean(losses[-every:])),
                        **scores,
                    }
                )
                log.info("%s", training.history[-1])
                save(training.average.model, output, settings, photos, training.history, start_from)
                training.write(state)


def validation_pairs(folder: Path) -> list[tuple[Image, Image]]:
    """Return the middles of a folder's pairs, rainy and clean."""
    inputs, targets = (photos_from_folder(folder / name) for name in ("input", "target"))
    return [(centre(rainy), centre(clean)) for rainy, clean in zip(inputs, targets, strict=True)]


if __name__ == "__main__":
    main()
