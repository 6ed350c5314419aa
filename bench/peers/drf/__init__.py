"""Django REST framework: generic views, a model serializer, an authentication class; on gunicorn's threads."""
