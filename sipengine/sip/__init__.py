"""The sans-IO core: messages, transactions and dialogs of SIP, with the standard library only.

Nothing here reads a clock, a socket, a log or a random source (docs/decisions, D1). Text of a
message is `str` decoded as latin-1, so that every byte a peer sent comes out as it went in.
"""
