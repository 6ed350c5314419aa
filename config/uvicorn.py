"""What uvicorn leaves open, closed: it has no settings for either, and is started by its own command line."""

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config import unparsed

_headers_complete = HttpToolsProtocol.on_headers_complete


def install() -> None:
    """Refuse what is no HTTP in the shape of all other errors, and keep trailers out of the headers."""
    H11Protocol.send_400_response = _send_400_response  # type: ignore[assignment,method-assign]
    HttpToolsProtocol.send_400_response = _send_400_response  # type: ignore[assignment,method-assign]
    HttpToolsProtocol.on_headers_complete = _on_headers_complete  # type: ignore[method-assign]


def _send_400_response(self: H11Protocol | HttpToolsProtocol, _msg: str) -> None:
    self.transport.write(unparsed.refusal(400, "Bad Request"))
    self.transport.close()


def _on_headers_complete(self: HttpToolsProtocol) -> None:
    _headers_complete(self)
    self.headers = []  # for trailers, which would land among the headers of the request, Authorization for one
