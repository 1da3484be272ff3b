"""The headers of every answer: nothing runs, loads or frames that is not this site's own."""

from flask import Flask, Response, request

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

RATER = "/rate/"
"""Where the raters' pages are: their addresses are secrets, and their answers nobody else's."""

RATER_HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}


def install(app: Flask) -> None:
    """Put `HEADERS` on every answer of `app`, errors too, and `RATER_HEADERS` below `RATER`."""

    @app.after_request
    def _headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers[name] = value
        if request.path.startswith(RATER):
            response.headers.update(RATER_HEADERS)
        response.headers.setdefault("Cache-Control", "no-cache")
        return response
