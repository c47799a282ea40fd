#!/usr/bin/env python3
"""Branchline's one command line; `./run` calls it inside the environment."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbx.settings")
    from django.core.management import ManagementUtility

    # What people type is ./run: errors and usage name that, not this file.
    command_line = ManagementUtility(["./run", *(sys.argv[1:] or ["up"])])
    command_line.prog_name = "./run"
    command_line.execute()
