"""Evidence of the shipped formulas: `python -m tests.studies.evidence` makes runs/evidence.

All of it but `latent` is from networks that runs are tested on, or from search parts; `latent` is
a search in all of NAS-Bench-201, judged on held-out networks that it draws. What formulas are worth
on networks that nothing is chosen on says `eznas final`, which counts its calls.
"""

import csv
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import eznas.evaluation
from eznas.benchmarks.loading import load
from eznas.benchmarks.subsets import held_out

TREE = Path(__file__).parents[2]
STORE, LABELS = Path("build/evidence"), Path("build/evidence.csv")  # in the tree
FORMULAS = "nasbench201-c any-a"
ONE = "--workers 1"
TESTED = f"--set held-out --networks 500 --records {STORE} {ONE}"
COMPARED = "params,live_params,depth,flops,naswot,jacob_cov_x_params,hybrid,synflow,zen"

COMMANDS = {  # name of the results -> arguments of eznas
    "cost": f"speed --scores {FORMULAS.replace(' ', ',')},{COMPARED}",
    **{
        f"batch-{images}": f"correlate {FORMULAS} naswot jacob_cov --batch {images} "
        f"--initialisations 5 --set held-out --networks 60 {ONE}"
        for images in (16, 32, 64)
    },
    "equal-sizes": f"correlate {FORMULAS} flops depth --within params {TESTED}",
    "predictor": "budgets 'extra_trees[encoding]' 'extra_trees[champion]' "
    "'extra_trees[encoding; champion]' nasbench201-c --champion nasbench201-c --dataset cifar10 "
    f"--sizes 10,25,50,100 --split networks {TESTED}",
    "split": f"split-quality {FORMULAS} flops depth --by members --leaves 8 {TESTED}",
    "split-supernets": f"split-quality {FORMULAS} naswot --by supernet --leaves 8 --set held-out "
    f"--networks 500 {ONE}",
    "greedy-and-trees": f"yardsticks --held-out 500 --networks 900 --labels all {ONE}",
    **{  # as many labels as a general run has
        f"greedy-and-trees-{table.partition(':')[0]}": f"yardsticks --space {table} --held-out 200 "
        f"--networks 600 --labels all {ONE}"
        for table in ("nasbench101:test", "nasbench-macro", "naap440")
    },
    "latent": "search latent-compare --proxies live_params,depth,naswot,jacob_cov --weights equal "
    "--methods latent,random,evolution --train 300 --judged 100 --repeats 5 --also nasbench201-c "
    f"--records {STORE} {ONE}",
    **{
        f"parts-{proxy}": f"explain {proxy} --all --networks 300 --records {STORE} {ONE}"
        for proxy in FORMULAS.split()
    },
    "search-c": f"search proxies --proxies nasbench201-c --pool 500 --labels {LABELS} "
    f"--queries 100 --repeats 30 --records {STORE} {ONE}",
    "search-any": f"search proxies --proxies any-a --pool 500 --labels {LABELS} --queries 100 "
    f"--repeats 30 --records {STORE} {ONE}",
    "search-flops": f"search proxies --proxies flops --pool 500 --labels {LABELS} --queries 100 "
    "--repeats 30",
    "search-evolution": f"search evolution --labels {LABELS} --queries 100 --repeats 30",
    "search-random": f"search random --labels {LABELS} --queries 100 --repeats 30",
    "searches": "search compare "
    + " ".join(f"runs/evidence/search-{n}.json" for n in ("c", "any", "flops", "evolution"))
    + " runs/evidence/search-random.json",
}


def prepare() -> None:
    """Write what the commands read: the features that ship, and the accuracies of the held-out
    networks on CIFAR-10."""
    shutil.rmtree(TREE / STORE, ignore_errors=True)
    shutil.copytree(Path(eznas.evaluation.__file__).parent / "stored" / "nasbench201", TREE / STORE)
    networks = held_out(load("nasbench201"), 500)
    with (TREE / LABELS).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["architecture", "accuracy"])
        rows.writerows(
            zip(networks.architectures, networks.accuracies["cifar10"].tolist(), strict=True)
        )


if __name__ == "__main__":
    prepare()
    for name in sys.argv[1:] or COMMANDS:
        print(name, flush=True)
        words = shlex.split(COMMANDS[name])
        command = [sys.executable, "-m", "eznas", *words, "--save", f"runs/evidence/{name}.json"]
        subprocess.run(command, cwd=TREE, check=True)
