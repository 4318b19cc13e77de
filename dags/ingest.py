"""Partner files into raw tables, mapped over feed families."""

from __future__ import annotations

from airflow.sdk import dag, task
from common import DAG_ARGS, RAW, WRITER_POOL, command, cron, mapped_command, run_json, words

DOC = """
### ingest
Loads what is new in the landing zone. Each file becomes raw rows, quarantine rows and one ledger row in one
transaction, keyed by content hash: running it again loads nothing twice.

**When it fails**
1. `python -m ingest status` says which file, which outcome and why.
2. A refused file (`QF`) does not fail the run: see `python -m ingest quarantine`, repair it at the partner, and
   deliver it again or `python -m ingest replay FILE`.
3. A task that failed by itself (locked warehouse, full disk, S3 403) is safe to clear: nothing is half loaded.
"""

#: Mapped tasks of a run. They take turns at the one writer, so more of them isolate failures but cost start-up.
TASKS = 4


@dag(schedule=cron("15 */4 * * *"), doc_md=DOC, tags=["intake"], **DAG_ARGS)
def ingest() -> None:
    prepare = command("prepare", "ingest", "init", pool=WRITER_POOL)

    @task(pool=WRITER_POOL)  # it reads the ledger: DuckDB lets no reader in beside a writer
    def families() -> list[str]:
        """Commands of the feed families that have files not seen before, dealt out to a few tasks of like size."""
        waiting = [f for f in run_json("ingest", "families") if f["new_files"]]
        new = [f for f in waiting if f["feeds"]]
        hands: list[list[str]] = [[] for _ in range(min(TASKS, len(new)))]
        files = [0] * len(hands)
        for family in sorted(new, key=lambda f: (-f["new_files"], f["family"])):
            lightest = files.index(min(files))
            hands[lightest] += family["feeds"]
            files[lightest] += family["new_files"]
        commands = [words("ingest", "run", "--feeds", ",".join(feeds)) for feeds in hands]
        if len(new) < len(waiting):  # files that no contract claims are judged by a run of everything
            commands.append(words("ingest", "run"))
        return commands

    listed = families()
    load = mapped_command("load_family", listed, pool=WRITER_POOL)

    @task.short_circuit(trigger_rule="none_failed", pool=WRITER_POOL)
    def anything_new() -> bool:
        """Whether ledger or code differ from the published version; a killed run downstream also says yes."""
        return bool(run_json("serving", "pending")["pending"])

    @task(outlets=[RAW])
    def announce() -> None:
        """Tell the transform that raw tables have changed."""

    prepare >> listed >> load >> anything_new() >> announce()


ingest()
