"""The recorder's own window, which must not end up in training data."""

from apps.server import App


class RecorderApp(App):
    """One static page with a start button."""

    folder = "recorder"
    hosts = ("recorder.test",)
