"""The guard: limits for what strangers send, and bans for those who attack.

`guard.py` is what the core and the sockets ask, `sources.py` what is known of an address,
`accounts.py` what is known of an account, `bans.py` who is shut out until when, `words.py` the
sentences for people. docs/decisions/0006-guard.md says why it judges as it does.
"""
