"""Session descriptions (RFC 8866) and what offers and answers say in them (RFC 3264)."""
