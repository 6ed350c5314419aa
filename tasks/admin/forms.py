"""The form of a task: the API's rules, and what an operator did not see is not overwritten."""

import re
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import ValidationError
from pydantic import TypeAdapter
from pydantic import ValidationError as Refused

from tasks.models import CLIENT_FIELDS, Task
from tasks.schemas import VISIBLE, Text, timestamp

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Task]
else:
    ModelForm = forms.ModelForm

_text = TypeAdapter[str](Text)


def _one_kind_of_line_end(text: str) -> str:
    """Browsers show any line end as one, and send it as CR LF."""
    return re.sub("\r\n?", "\n", text)


class TextField(forms.CharField):
    """A task's text, exactly as typed."""

    def to_python(self, value: Any) -> str:  # noqa: ANN401 (Django's)
        return _one_kind_of_line_end(super().to_python(value) or "")

    def validate(self, value: Any) -> None:  # noqa: ANN401 (Django's)
        super().validate(value)
        try:
            _text.validate_python(value)
        except Refused as exc:
            raise ValidationError([f"The text {error['msg']}." for error in exc.errors()]) from None


class TaskForm(ModelForm):
    # No maxlength: browsers count UTF-16, and cut what they paste.
    text = TextField(
        strip=False,
        help_text="1 to 500 characters, with at least one to be seen",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    # What the task's `updated_at` was when the form was shown.
    version = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Task
        fields = ("user_id", *CLIENT_FIELDS)

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 (Django's)
        super().__init__(*args, **options)
        if not self.instance._state.adding:
            self.initial["version"] = timestamp(self.instance.updated_at)
        else:
            cast("forms.CharField", self.fields["user_id"]).strip = False  # it is opaque

    def clean_user_id(self) -> str:
        user_id: str = self.cleaned_data["user_id"]
        if not VISIBLE.search(user_id):
            raise ValidationError("The user id must not be only white space.")
        return user_id

    def clean_text(self) -> str:
        """Keep the line ends of a text that was not touched."""
        text: str = self.cleaned_data["text"]
        return self.instance.text if text == _one_kind_of_line_end(self.instance.text) else text

    def clean(self) -> dict[str, Any]:
        """Refuse to write over what came after the form was shown. Whoever calls has locked the task."""
        cleaned = super().clean() or {}
        now = self.initial.get("version")
        if now and self.data.get("version") != now:
            self.data = dict(self.data.items()) | {"version": now}  # having seen what is there, they may save again
            task = self.instance
            raise ValidationError(
                f"Nothing was saved: the task has changed since you opened this page. At {now} it became: "
                f"“{task.text}”, {'completed' if task.completed else 'open'}, order {task.order}. "
                "Save again to replace that by what stands below, or leave the page to keep it."
            )
        return cleaned
