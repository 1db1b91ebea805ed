"""The errors that a server returns to clients."""


class RefusedError(Exception):
    """An error that is sent to the client.

    Args:
        status: int, the HTTP status.
        message: str, what was given, what was expected and what to do.
        param: str, the field that is wrong, if any.
        code: str, an error code for programs.
        retry_after: int, the seconds after which to try again.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ):
        super().__init__(message)
        self.status, self.param, self.code = status, param, code
        self.headers = {} if retry_after is None else {"Retry-After": f"{retry_after}"}

    def body(self) -> dict:
        """Returns the answer, in OpenAI's form."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {
            "error": {
                "message": f"{self}",
                "type": kind,
                "param": self.param,
                "code": self.code,
            }
        }


def overloaded(load: int, more: int, most: int, seconds: float) -> RefusedError:
    """Returns the error for a request that the queue has no room for."""
    return RefusedError(
        429,
        f"{load} tokens are waiting, this request has {more}, and at most {most} may wait: send "
        "the request again later.",
        code="overloaded",
        retry_after=max(1, round(seconds + 0.5)),
    )


def too_late(seconds: float) -> RefusedError:
    """Returns the error for a request whose time is over."""
    return RefusedError(
        504, f"The answer was not ready within {seconds:g} s.", code="deadline_exceeded"
    )


def stopping() -> RefusedError:
    """Returns the error for requests to a server that ends."""
    return RefusedError(
        503,
        "The server is stopping: send the request to another one.",
        code="stopping",
        retry_after=1,
    )


def too_long(param: str, tokens: int, most: int) -> RefusedError:
    """Returns the error for a text that would be cut."""
    return RefusedError(
        413,
        f"{param} has {tokens} tokens, but the model takes at most {most}: send a shorter text, or "
        'send "truncate": true to cut it.',
        param=param,
        code="text_too_long",
    )
