"""The Celery application of the workers: a broker that carries hints, and nothing else of Celery.

No results, no acknowledgements that matter, no remote control: the database is the truth, and a
message that is lost, doubled or late changes nothing.
"""

from celery import Celery

from leaderboard import settings
from worker.embedded import PREFIX, TRANSPORT, is_embedded

BUSY_SECONDS = 10
"""How long a look into an SQLite broker waits for another one."""


def make_app(broker_url: str) -> Celery:
    """The application on this broker; an embedded one is polled ten times a second."""
    app = Celery("rostrum", set_as_current=False)
    app.conf.update(
        broker_url=broker_url,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a broker may be away for a night
        broker_channel_error_retry=True,
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_prefetch_multiplier=1,
        include=["worker.tasks"],
    )
    if is_embedded(broker_url):
        app.conf.update(
            broker_url=broker_url.removeprefix(PREFIX),
            broker_transport=TRANSPORT,
        )
        if "sqlite" in broker_url.partition("://")[0]:
            app.conf.broker_transport_options = {"connect_args": {"timeout": BUSY_SECONDS}}
    return app


app = make_app(settings.broker_url())
