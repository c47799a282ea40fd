"""The four transaction machines of RFC 3261 §17 (as amended by RFC 6026 and RFC 4320), one a file.

Each machine is a table `TRANSITIONS[state][input] -> (action, next state)` with int keys; the
class beside it carries the actions out. Each keeps at most one running timer. The tables are typed
as tuples of any length: one of a known length would be made anew by compiled code at each look.
"""
