"""Makes small wrong changes to the modules that guard work and money, and counts those that the tests notice.

Each change is made in a copy of the checkout, with an environment of its own, so that the processes that tests start
are the changed ones, too. A change is noticed if a test of the module fails, or does not end in time. What is not
noticed is printed: read it. Either no test states that behaviour, and one is missing, or the change means the same.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from gaps import GAPS
from leftovers import MARK, end_all
from mutations import Mutant, mutants_of

ROOT = Path(__file__).parents[1]
TAKEN = ("nova_core", "nova_tui", "tests", "bench", "docs", "examples", "pyproject.toml", "README.md", "CHANGELOG.md")

GUARDS: dict[str, str] = {
    "dag.py": "plan/test_dag.py plan/test_scheduler.py parser/test_parser_dependencies.py",
    "plan/scheduler.py": "plan/test_scheduler.py plan/test_forecast.py engine/test_orchestrator.py",
    "plan/board.py": "plan/test_scheduler.py plan/test_blocked.py engine/test_orchestrator.py engine/test_replan.py",
    "state/manager.py": "state/test_state.py engine/test_hammer.py",
    "state/store.py": "state engine/test_durability.py engine/test_faults.py engine/test_state_edits.py",
    "state/writer.py": "state/test_store.py engine/test_durability.py engine/test_faults.py",
    "state/database.py": "state engine/test_faults.py engine/test_resume.py",
    "state/schema.py": "state/test_schema.py engine/test_replan.py engine/test_orchestrator.py",
    "state/holds.py": "engine/test_rate_limits.py",
    "state/edits.py": "state/test_edits.py",
    "files/lock.py": "files/test_lock.py engine/test_places.py engine/test_belongings.py",
    "places.py": "engine/test_places.py engine/test_copies.py cli/test_choosing.py",
    "engine/copies.py": "engine/test_copies.py",
    "engine/belongings.py": "engine/test_belongings.py",
    "executors/journal_file.py": "engine/test_belongings.py executors/test_recovery.py",
    "files/outputs.py": "files/test_outputs.py engine/test_orchestrator.py",
    "engine/recovery.py": "engine/test_resume.py executors/test_adoption.py engine/test_orchestrator.py",
    "engine/admission.py": "engine/test_durability.py engine/test_budget.py engine/test_orchestrator.py",
    "engine/attempts/finish.py": "engine/test_orchestrator.py engine/test_cancel.py executors/test_adoption.py",
    "engine/attempts/retries.py": "engine/test_resume.py engine/test_rate_limits.py engine/test_orchestrator.py",
    "engine/attempts/budget.py": "engine/test_budget.py engine/test_budget_wall.py",
    "engine/attempts/rate_limits.py": "engine/test_rate_limits.py",
    "engine/attempts/criteria.py": "engine/test_orchestrator.py engine/test_cancel.py engine/test_resume.py",
    "holder/limits.py": "executors/test_contract.py executors/test_recovery.py",
    "holder/journal.py": "executors/test_messages.py executors/test_order.py executors/test_contract.py",
    "holder/killing.py": "executors/test_order.py executors/test_contract.py executors/test_orphans.py",
    "holder/channel.py": "executors/test_proof.py executors/test_recovery.py",
    "holder/proof.py": "executors/test_proof.py engine/test_inbox.py",
    "holder/guard.py": "executors/test_guard.py",
    "holder/takeover.py": "executors/test_guard.py",
    "holder/roster.py": "executors/test_guard.py",
    "holder/holder.py": "executors",
    "executors/journal_reader.py": "executors/test_messages.py executors/test_order.py executors/test_recovery.py",
    "executors/held_jobs.py": "executors/test_held_jobs.py",
    "engine/inbox_reader.py": "engine/test_inbox.py",
    "executors/local.py": "executors",
}
"""The tests (below `tests`) that hold each module (below `nova_core`): the cheap ones first."""


class Copy(NamedTuple):
    """A copy of the checkout with an environment of its own: a Python that finds the copy, and this one's packages."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Copy:
        """Copy what tests need, without caches."""
        skipped = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis")
        for name in TAKEN:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=skipped)
            else:
                shutil.copy(source, folder / name)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
        site = next(path for path in sys.path if path.endswith("site-packages"))
        own = next((folder / ".venv").glob("lib/python*/site-packages"))
        own.joinpath("copy.pth").write_text(f"{folder}\n{site}\n")
        for name in ("nova", "nova-tui"):
            text = Path(sys.executable).with_name(name).read_text().partition("\n")[2]
            script = folder / ".venv" / "bin" / name
            script.write_text(f"#!{folder}/.venv/bin/python\n{text}")
            script.chmod(0o755)
        (folder / "tmp").mkdir()
        return cls(folder)

    def test(self, files: Sequence[str], limit: float) -> int | None:
        """The exit code of pytest; None if it took longer than `limit` seconds. Nothing is left running."""
        environ = {**os.environ, MARK: str(self.folder), "TMPDIR": str(self.folder / "tmp")}
        environ["PATH"] = f"{self.folder}/.venv/bin:{environ['PATH']}"
        environ.pop("PYTHONPATH", None)
        words = [str(self.folder / ".venv/bin/python"), "-m", "pytest", "-qx", "-p", "no:cacheprovider"]
        words += ["--hypothesis-seed=0", *(f"tests/{name}" for name in files)]
        output = self.folder / "output"
        with open(output, "wb") as log:
            process = subprocess.Popen(
                words, cwd=self.folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            try:
                return process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return None
            finally:
                end_all(self.folder)
                shutil.rmtree(self.folder / "tmp")
                (self.folder / "tmp").mkdir()

    def notices(self, module: str, mutant: Mutant, limit: float) -> bool:
        """Whether the tests of the module fail with the change."""
        path = self.folder / "nova_core" / module
        whole = path.read_bytes()
        try:
            write(path, mutant.source)
            code = self.test(GUARDS[module].split(), limit)
        finally:
            write(path, whole)
        return code != 0


def write(path: Path, source: bytes) -> None:
    """Change a module, and forget its bytecode: two changes of one size within a second look the same to Python."""
    path.write_bytes(source)
    for cached in path.parent.glob(f"__pycache__/{path.stem}.*"):
        cached.unlink()


def chosen(module: str, sample: int, seed: int) -> list[Mutant]:
    """All changes to a module, or so many of them, by chance."""
    found = mutants_of((ROOT / "nova_core" / module).read_bytes())
    if not sample or sample >= len(found):
        return found
    return sorted(random.Random(f"{module}/{seed}").sample(found, sample))


def known(module: str) -> list[Mutant]:
    """The changes to a module that its tests once did not notice; those that no longer fit are named."""
    found = []
    for gap in GAPS:
        if gap.module == module:
            mutant = gap.mutant()
            found += [mutant] if mutant else []
            if mutant is None:
                print(f"nova_core/{module}: {gap.name}: the piece of code is not there; bench/gaps.py needs another")
    return found


def run_module(module: str, mutants: Sequence[Mutant], copies: Sequence[Copy]) -> tuple[int, int]:
    """How many changes were made, and how many noticed; prints the others."""
    began = time.monotonic()
    code = copies[0].test(GUARDS[module].split(), 1800.0)
    if code != 0:
        sys.exit(f"the tests of {module} fail without a change:\n{(copies[0].folder / 'output').read_text()[-3000:]}")
    limit = 30.0 + 4 * (time.monotonic() - began)
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def one(mutant: Mutant) -> bool:
        copy = free.get()
        try:
            noticed = copy.notices(module, mutant, limit)
        finally:
            free.put(copy)
        if not noticed:
            print(f"nova_core/{module}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
        return noticed

    with ThreadPoolExecutor(len(copies)) as pool:
        noticed = sum(pool.map(one, mutants))
    print(f"nova_core/{module}: {noticed} of {len(mutants)} noticed in {time.monotonic() - began:.0f} s", flush=True)
    return len(mutants), noticed


def main() -> None:
    """Run the modules, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help=f"such as state/store.py; all if none is named: {', '.join(GUARDS)}")
    parser.add_argument("--sample", type=int, default=0, help="so many changes of each module, by chance; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="for another sample")
    parser.add_argument("--gaps", action="store_true", help="only the changes that were once not noticed")
    parser.add_argument("-n", type=int, default=1, help="copies that work at the same time")
    parser.add_argument("--least", type=float, default=0, help="exit code 1 below so many percent")
    options = parser.parse_args()
    unknown = [module for module in options.modules if module not in GUARDS]
    if unknown:
        parser.error(f"there are no tests for {', '.join(unknown)}; there are for {', '.join(GUARDS)}")
    rows = []
    with tempfile.TemporaryDirectory(prefix="nova-mutants-") as folder:
        copies = [Copy.make(Path(folder, str(n))) for n in range(options.n)]
        for module in options.modules or GUARDS:
            mutants = known(module) if options.gaps else chosen(module, options.sample, options.seed)
            if mutants:
                rows.append((module, *run_module(module, mutants, copies)))
    print("\n| module | changes | noticed | |\n|---|--:|--:|--:|")
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    for module, made, noticed in rows:
        print(f"| {module} | {made} | {noticed} | {100 * noticed / max(1, made):.0f} % |")
    sys.exit(100 * rows[-1][2] < options.least * rows[-1][1])


if __name__ == "__main__":
    main()
