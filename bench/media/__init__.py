"""Load for a media gateway: calls over the ng protocol, real packets, what came of them."""
