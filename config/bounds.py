"""What a client may send and how long it may take, on either server; CLIENT_TIMEOUT and MAX_BODY_BYTES go with them."""

REQUEST_LINE_BYTES = 8190  # a longer one is refused with 414
FIELDS = 100  # headers; with more, or larger ones: 431
FIELD_BYTES = 65_536  # a token that is too large is for the service to refuse, with 401
HEAD_BYTES = 131_072  # request line and headers together
SEND_BUFFER_BYTES = 65_536  # of the system, a connection: it would grow to megabytes, in which progress cannot be seen
STALLED_TIMEOUTS = 3  # CLIENT_TIMEOUTs in which a client takes nothing of its answer, and is let go
KEEP_ALIVE_SECONDS = 75  # longer than a load balancer keeps its end (60 s), so that it never meets a closing connection
GRACE_SECONDS = 1.0  # for a request that was on its way when the server began to end
GRACEFUL_SECONDS = 25  # for requests in flight to finish, of the 30 s that a platform gives
