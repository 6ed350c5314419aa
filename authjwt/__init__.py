"""Bearer authentication with the tokens of Better Auth, for django-ninja.

`security.BearerAuth` is all that an API needs; `conf.from_environment` makes `settings.AUTHJWT`. Inside, imports run
one way: security, conf, verifier, the rules and the key sources, what these are made of. Only the outer layers
(security, conf, checks, the commands) know a web framework.
"""
