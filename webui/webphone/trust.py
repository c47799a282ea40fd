"""The page from which browsers and phones are given this installation's certificate authority.

Everybody may have it, without logging in: it is no secret, and who is to log in safely needs it first.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pbx.certificates.keeping import authority_file


def authority_pem() -> bytes | None:
    """None where an operator gave a certificate, or none was made yet."""
    environment = settings.ENVIRONMENT
    if environment.tls_cert:
        return None
    file: Path = authority_file(environment.data_dir / "tls")
    try:
        return file.read_bytes()
    except OSError:
        return None


def secure_origin(request: HttpRequest) -> str:
    """Where this host's HTTPS door is, seen from the reader."""
    host = urlsplit(f"//{request.get_host()}").hostname or ""
    return f"https://{f'[{host}]' if ':' in host else host}:{settings.ENVIRONMENT.https_port}"


@require_safe
@never_cache
def trust(request: HttpRequest) -> HttpResponse:
    pem = authority_pem()
    context = {
        "there": pem is not None,
        "fingerprint": _fingerprint(pem) if pem else [],
        "safe": secure_origin(request),
    }
    return render(request, "webphone/trust.html", context)


@require_safe
@never_cache
def authority(request: HttpRequest) -> HttpResponse:
    pem = authority_pem()
    if pem is None:
        raise Http404("This installation has no certificate authority of its own.")
    return HttpResponse(
        pem,
        content_type="application/x-x509-ca-cert",  # at which phones and tablets offer to install it
        headers={"Content-Disposition": 'attachment; filename="branchline.crt"'},
    )


def _fingerprint(pem: bytes) -> list[str]:
    """The SHA-256 fingerprint as systems show it, in eight groups."""
    text = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex().upper()
    pairs = [text[at : at + 2] for at in range(0, len(text), 2)]
    return [":".join(pairs[at : at + 4]) for at in range(0, len(pairs), 4)]
