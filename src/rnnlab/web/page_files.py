"""The page of the lab: files that come with rnnlab, to be read by anybody."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

PAGE = Path(__file__).parent / "page"
COLOURS_AND_TYPE = Path(__file__).parents[1] / "report" / "report.css"

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
}


def _hash_of_import_map() -> str:
    """Return the source expression that allows the one script which stands in the page itself."""
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    _, _, rest = page.partition('<script type="importmap">')
    digest = hashlib.sha256(rest.partition("</script>")[0].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


HEADERS = {
    "cache-control": "no-cache",  # asked for again each time, answered by 304
    "content-security-policy": "default-src 'none'; style-src 'self'; "
    f"script-src 'self' {_hash_of_import_map()}; "
    "img-src 'self' data: blob:; connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
}


def page_paths() -> dict[str, Path]:
    """Return the files of the page, by the path under which they are served."""
    files = (file for file in PAGE.rglob("*") if file.suffix in KINDS)
    found = {f"/page/{file.relative_to(PAGE).as_posix()}": file for file in files}
    found["/page/report.css"] = COLOURS_AND_TYPE
    found["/"] = found.pop("/page/index.html")
    return found


def is_of_page(path: str) -> bool:
    """Whether a path of a request can only be one of the page, which holds nobody's data."""
    return path == "/" or path.startswith("/page/")


def page_routes() -> APIRouter:
    """Return a route for each file of the page."""
    router = APIRouter(include_in_schema=False)
    for path, file in page_paths().items():
        router.add_api_route(path, _answering(file), methods=["GET"])
    return router


def _answering(file: Path) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        content = file.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {**HEADERS, "etag": tag, "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["content-encoding"] = gzip.compress(content, mtime=0), "gzip"
        return Response(content, headers=headers, media_type=KINDS[file.suffix])

    return answer
