"""An application behind a real server, as `rostrum serve` runs it."""

import threading

import waitress
from flask import Flask

from leaderboard.web.rater.watch import EXTENSION as WATCH


class Server:
    """An application behind a real server, on a free port or the one given."""

    def __init__(self, app: Flask, *, port: int = 0, threads: int = 8) -> None:
        self._watch = app.extensions[WATCH]
        self._server = waitress.create_server(app, host="127.0.0.1", port=port, threads=threads)
        self.port = int(self._server.effective_port)
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stop = threading.Event()
        self._thread.start()

    def _run(self) -> None:
        # waitress' own loop ends on KeyboardInterrupt only; this one ends when told to
        while not self._stop.is_set():
            self._server.asyncore.loop(timeout=0.1, count=1, map=self._server._map)

    def close(self) -> None:
        """Stop the loop, then the sockets and the workers."""
        self._watch.close()
        self._stop.set()
        self._thread.join(10)
        self._server.asyncore.close_all(self._server._map)
        self._server.task_dispatcher.shutdown()
