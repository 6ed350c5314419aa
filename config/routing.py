"""Which way a request goes: the API's straight to their operation, all others on to what operators' pages need."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern

from config.api import api

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def straight_to_the_api(get_response: GetResponse) -> GetResponse:
    """Answer the API's own paths here. Sessions, CSRF, accounts and messages are the admin's, and come after this."""
    patterns = {str(pattern.pattern): pattern for pattern in reversed(api.urls[0]) if isinstance(pattern, URLPattern)}
    fixed = {route: pattern.resolve(route) for route, pattern in patterns.items() if "<" not in route}
    templates = [pattern for route, pattern in patterns.items() if "<" in route]

    def middleware(request: HttpRequest) -> HttpResponseBase:
        path = request.path_info[1:]
        match = fixed.get(path) or next(filter(None, (template.resolve(path) for template in templates)), None)
        if match is None:
            return get_response(request)
        request.resolver_match = match
        response: HttpResponseBase = match.func(request, **match.kwargs)
        return response

    return middleware
