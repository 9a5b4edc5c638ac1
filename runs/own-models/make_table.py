"""Train the forty networks of `digits_models` on scikit-learn's digits and write `digits.csv`.

    python make_table.py

Each is trained with two seeds, which draw its parameters and the order of the images; 500 images
are for training, the other 1,297 are for testing. The accuracy is the mean of both seeds in
percent. It takes some four minutes on one core; the last line says how long, and how far the seeds
agree.
"""

import csv
import sys
import time
from pathlib import Path

import numpy as np
import torch
from digits_models import NAMES
from scipy.stats import kendalltau
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

from eznas.spaces.user_models import load_model

FILE = Path(__file__).with_name("digits.csv")
TRAINED, EPOCHS, BATCH, RATE = 500, 30, 50, 0.005


def accuracy(model: nn.Module, data: list[torch.Tensor], seed: int) -> float:
    """Train a model and test it: percent of the images for testing that it classifies rightly."""
    train_images, test_images, train_labels, test_labels = data
    generator = torch.Generator().manual_seed(seed)
    steps = EPOCHS * (len(train_images) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    model.train()
    for _ in range(EPOCHS):
        for indices in torch.randperm(len(train_images), generator=generator).split(BATCH):
            loss = F.cross_entropy(model(train_images[indices]), train_labels[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        return 100 * (model(test_images).argmax(1) == test_labels).double().mean().item()


def main() -> None:
    torch.set_num_threads(1)
    start_time = time.perf_counter()
    images, labels = load_digits(return_X_y=True)
    images = (images.astype(np.float32).reshape(-1, 1, 8, 8) - 4.9) / 6.0
    parts = train_test_split(images, labels, train_size=TRAINED, random_state=0, stratify=labels)
    data = [torch.as_tensor(part) for part in parts]
    by_seed = np.array(
        [[accuracy(load_model(name, seed)[0], data, seed) for seed in (0, 1)] for name in NAMES]
    )
    with FILE.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["model", "accuracy", "seed0", "seed1"])
        for name, row in zip(NAMES, by_seed, strict=True):
            table.writerow([name, *(f"{number:.2f}" for number in (row.mean(), *row))])
    tau = kendalltau(*by_seed.T).statistic
    seconds = time.perf_counter() - start_time
    sys.stdout.write(f"{len(NAMES)} networks in {seconds:.0f} s; tau between the seeds {tau:.3f}\n")


if __name__ == "__main__":
    main()
