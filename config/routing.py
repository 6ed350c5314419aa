"""Which way a request goes: the API's straight to their operation, all others on to what operators' pages need."""

import re
from collections.abc import Mapping, Sequence

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, URLPattern

from config.api import api
from config.metrics import GetResponse

Route = tuple[ResolverMatch, Mapping[str, str]]

NO_PARAMETERS: Mapping[str, str] = {}


def straight_to_the_api(get_response: GetResponse) -> GetResponse:
    """Answer the API's own paths here. Sessions, CSRF, accounts and messages are the admin's, and come after this."""
    patterns = [pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern)]
    fixed = {str(one.pattern): (_match(one), NO_PARAMETERS) for one in reversed(patterns) if not one.pattern.converters}
    templates = [(one.pattern.regex, _match(one)) for one in patterns if one.pattern.converters]

    def middleware(request: HttpRequest) -> HttpResponseBase:
        path = request.path_info[1:]
        found = fixed.get(path) or _among(templates, path)
        if found is None:
            return get_response(request)
        request.resolver_match, parameters = found
        response: HttpResponseBase = request.resolver_match.func(request, **parameters)
        return response

    return middleware


def _match(pattern: URLPattern) -> ResolverMatch:
    """One for all requests, without their parameters: the log and the metrics ask for the route."""
    return ResolverMatch(pattern.callback, (), {}, pattern.name, route=str(pattern.pattern))


def _among(templates: Sequence[tuple[re.Pattern[str], ResolverMatch]], path: str) -> Route | None:
    for regex, match in templates:
        if found := regex.match(path):
            return match, found.groupdict()  # as they are: pydantic reads them
    return None
