from django.contrib.auth.management.commands import createsuperuser

from config.management import OverOperatorsConnection


class Command(OverOperatorsConnection, createsuperuser.Command):
    pass
