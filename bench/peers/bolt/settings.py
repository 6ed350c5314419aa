from bench.peers.tasks.settings import *  # noqa: F403 (Django's way to share settings)

INSTALLED_APPS = ["django_bolt", "bench.peers.tasks"]
ROOT_URLCONF = "bench.peers.bolt.urls"
BOLT_API = ["bench.peers.bolt.api:api"]
CORS_ALLOW_CREDENTIALS = True
