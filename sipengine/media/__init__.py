"""Media as the engine sees it: the ng protocol to the gateways, and RTP endpoints of its own user
agent (an echo, tones)."""
