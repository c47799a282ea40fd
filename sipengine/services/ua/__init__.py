"""Our own user agent (RFC 3261 §8, §12-§15): UAC and UAS on the engine's transactions.

`agent.py` finds the session a request belongs to, `session.py` is one INVITE session with one peer,
`inviting.py` and `answering.py` are its two ways to come about and to change. An application (the
echo test, click-to-call, later voicemail and queues) is a `SessionUser` of one or more sessions.
"""
