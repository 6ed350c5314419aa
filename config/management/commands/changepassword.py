from django.contrib.auth.management.commands import changepassword

from config.management import OverOperatorsConnection


class Command(OverOperatorsConnection, changepassword.Command):
    pass
