from typing import ClassVar

from django.db import DatabaseError, connection
from django.db.models import QuerySet
from rest_framework import generics, serializers
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response

from bench.peers.tasks.models import Task


class TaskSerializer(serializers.ModelSerializer):
    class Meta:
        model = Task
        fields = ("id", "user_id", "text", "completed", "order", "created_at", "updated_at", "completed_at")
        read_only_fields = ("user_id",)
        extra_kwargs: ClassVar = {"order": {"default": 0}}


class TaskPagination(LimitOffsetPagination):
    default_limit = None
    max_limit = 500

    def get_paginated_response(self, data: list[dict[str, object]]) -> Response:
        return Response({"tasks": data, "count": self.count})


class OwnTasks(generics.GenericAPIView):
    serializer_class = TaskSerializer

    def get_queryset(self) -> QuerySet[Task]:
        return Task.objects.filter(user_id=self.request.user.id)


class TaskList(OwnTasks, generics.ListCreateAPIView):
    pagination_class = TaskPagination

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        response = super().list(request, *args, **kwargs)
        if isinstance(response.data, list):
            response.data = {"tasks": response.data, "count": len(response.data)}
        return response

    def perform_create(self, serializer: TaskSerializer) -> None:
        serializer.save(user_id=self.request.user.id)

    def get_success_headers(self, data: dict[str, object]) -> dict[str, str]:
        return {"Location": f"/tasks/{data['id']}"}


class TaskDetail(OwnTasks, generics.RetrieveUpdateDestroyAPIView):
    http_method_names: ClassVar = ["get", "put", "patch", "delete", "head", "options"]


@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
def health(_request: Request) -> Response:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Response({"status": "unhealthy", "database": "disconnected"}, 503)
    return Response({"status": "healthy", "database": "connected"})
