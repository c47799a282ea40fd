"""The command line of every part; docker-compose.yml runs the same ones without a supervisor."""

from __future__ import annotations

from typing import Final

WEB: Final = ("-m", "pbx.uvicorn")
ENGINE: Final = ("-m", "sipengine")
GATEWAY: Final = ("-m", "sipengine.gateway")
# Threads: the tasks wait for the database or a disk, and a process for each would cost 60 MB more.
# One worker has nobody to gossip with.
WORKER: Final = (
    *(
        "-m",
        "celery",
        "-q",
        "-A",
        "pbx.celery",
        "worker",
        "--pool",
        "threads",
        "--concurrency",
        "4",
    ),
    *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
)
BEAT: Final = ("-m", "celery", "-q", "-A", "pbx.celery", "beat", "--pidfile=", "--loglevel", "INFO")
PREPARE: Final = ("manage.py", "prepare")
