from django.urls import path

from bench.peers.drf import views

urlpatterns = [
    path("tasks", views.TaskList.as_view()),
    path("tasks/<uuid:pk>", views.TaskDetail.as_view()),
    path("health", views.health),
]
