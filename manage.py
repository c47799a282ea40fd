#!/usr/bin/env python3
"""Branchline's one command line; `./run` calls it inside the environment."""

from pbx.command_line import main

if __name__ == "__main__":
    main()
