"""The pages of the committed runs, studies and looks: `python -m tests.studies.committed` writes
them."""

from pathlib import Path

from eznas.discovery.run import page_of as page_of_run
from eznas.report.looks_page import looks_page
from eznas.studies.final import looks
from eznas.studies.saving import PAGE
from eznas.studies.saving import page_of as page_of_study
from eznas.system.folder import CONFIG, RunFolder

RUNS = Path(__file__).parents[2] / "runs"
FOLDERS = sorted(path.parent for path in RUNS.glob(f"*/{PAGE}"))


def remade(folder: Path) -> str:
    """The page of a folder, made from the JSON beside it."""
    is_run = (folder / CONFIG).exists()
    return page_of_run(RunFolder(folder)) if is_run else page_of_study(folder)


if __name__ == "__main__":
    for folder in FOLDERS:
        (folder / PAGE).write_text(remade(folder), encoding="utf-8")
        print(folder.name)
    (RUNS / "LOOKS.md").write_text(looks_page(looks(RUNS / "LOOKS.jsonl")), encoding="utf-8")
