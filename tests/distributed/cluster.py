"""Airflow on Celery with PostgreSQL, Redis, an S3 server and a Kapture, all of them processes on loopback ports."""

import contextlib
import json
import os
import pwd
import secrets
import shutil
import socket
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import boto3
import kapture_server
import requests
from processes import Processes, free_port

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
COMPONENTS = ("api-server", "dag-processor", "scheduler", "triggerer")
BUCKET = "orders"
POOL = "kapture"

# What Airflow notices within minutes or hours as it comes, within seconds. docs/scaling.md says what each is for.
TIMEOUTS = {
    "SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "3",
    "TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "60",
}


class Cluster:
    """Everything but the Celery workers runs between entering and leaving; :meth:`start_worker` starts those.

    :param folder: empty; data, logs and the output of each process
    :param book: the orders that Kapture has, a ``Book`` of the emulator
    :param switches: how Kapture behaves, arguments of the emulator's ``Switches``
    :param slots: those of the pool that every task that asks Kapture is in, deferred or not
    :param pages: the most pages in flight of each such task
    """

    def __init__(self, folder, book, switches, *, slots, pages):
        self.folder = folder
        self.slots = slots
        self._kapture = [
            str(HERE / "kapture_server.py"),
            *map(json.dumps, (free_port(), {**asdict(book), "start": str(book.start)}, switches)),
        ]
        self._ports = {name: free_port() for name in ("postgres", "redis", "s3", "api-server")}
        self._pages = pages
        self._cm_id = book.cm_id
        self._keys = {"aws_access_key_id": "user", "aws_secret_access_key": "made-up", "region_name": "us-east-1"}
        self._environment = self._of_airflow()
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            # Under the system's temporary folder, which is open to the account that the servers run as.
            data = tempfile.TemporaryDirectory(prefix="kapture-servers-", ignore_cleanup_errors=True)
            self._data = Path(stack.enter_context(data))
            self.processes = stack.enter_context(Processes(self._made("output")))
            stack.callback(self._http.close)
            self._start_servers()
            self._start_airflow()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.__exit__(*error)

    def _made(self, name):
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # The servers

    def _start_servers(self):
        account = unprivileged()
        if account:
            os.chown(self._data, account["user"], account["group"])
        data = self._data / "postgres"
        self.processes.run(
            "initdb",
            [postgres("initdb"), "-D", data, "--username=airflow", "--auth=trust", "--no-sync", "--encoding=UTF8"],
            os.environ,
            cwd=self._data,
            **account,
        )
        settings = {"listen_addresses": "127.0.0.1", "port": self._ports["postgres"], "unix_socket_directories": ""}
        options = [f"--{name}={value}" for name, value in {**settings, "fsync": "off"}.items()]
        self.processes.start(
            "postgres", [postgres("postgres"), "-D", data, *options], os.environ, cwd=self._data, **account
        )
        self.start_redis()
        self.processes.start("s3", [BIN / "moto_server", "-H", "127.0.0.1", "-p", str(self._ports["s3"])], os.environ)
        self.processes.start("kapture", [sys.executable, *self._kapture], os.environ)
        for port in [*self._ports.values()][:3]:
            self.processes.wait_for(f"a server listens on port {port}", lambda port=port: is_open(port), 60)
        self.processes.wait_for("Kapture answers", lambda: is_open(self.kapture_port), 60)
        self.s3 = boto3.client("s3", endpoint_url=self._s3_url, **self._keys)
        self.s3.create_bucket(Bucket=BUCKET)

    def start_redis(self):
        """Redis that keeps what it has over a restart."""
        account = unprivileged()
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self._ports["redis"]), "--appendonly", "yes"]
        self.processes.start("redis", command, os.environ, cwd=self._data, **account)

    @property
    def kapture_port(self):
        return int(self._kapture[1])

    @property
    def _s3_url(self):
        return f"http://127.0.0.1:{self._ports['s3']}"

    def kapture(self, method, what, body=None):
        """Ask the emulator's control plane."""
        url = f"http://127.0.0.1:{self.kapture_port}/_emulator/{what}"
        answer = self._http.request(method, url, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def kapture_down(self):
        self.processes.signal("kapture", kapture_server.DOWN)

    def kapture_up(self):
        self.processes.signal("kapture", kapture_server.UP)

    # Airflow

    def _of_airflow(self):
        origin = f"http://127.0.0.1:{self._ports['api-server']}"
        database = f"127.0.0.1:{self._ports['postgres']}/postgres"
        kapture = {
            "conn_type": "kapture",
            "host": f"http://127.0.0.1:{self.kapture_port}",
            "login": "kapture",
            "password": "emulator",
            "extra": {"cm_id": self._cm_id, "max_concurrency": self._pages},
        }
        store = {
            "conn_type": "aws",
            "login": self._keys["aws_access_key_id"],
            "password": self._keys["aws_secret_access_key"],
            "extra": {"endpoint_url": self._s3_url, "region_name": self._keys["region_name"]},
        }
        settings = {
            "API__BASE_URL": origin,
            "API__HOST": "127.0.0.1",
            "API__PORT": str(self._ports["api-server"]),
            "API__SECRET_KEY": secrets.token_hex(),
            "API__WORKERS": "1",
            "API_AUTH__JWT_SECRET": secrets.token_hex(),
            "CELERY__BROKER_URL": f"redis://127.0.0.1:{self._ports['redis']}/0",
            "CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://airflow@{database}",
            "CELERY__SYNC_PARALLELISM": "1",
            "CORE__DAGS_FOLDER": str(HERE / "dags"),
            "CORE__EXECUTION_API_SERVER_URL": f"{origin}/execution/",
            "CORE__EXECUTOR": "CeleryExecutor",
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://airflow@{database}",
            **TIMEOUTS,
        }
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")},
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW_CONN_KAPTURE_DEFAULT": json.dumps(kapture),
            "AIRFLOW_CONN_STORE": json.dumps(store),
            **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        }

    def _start_airflow(self):
        self.processes.run("migrate", [BIN / "airflow", "db", "migrate"], self._environment)
        for name in COMPONENTS:
            self.start(name)
        self.processes.wait_for("Airflow is healthy", self.is_healthy, 180)
        token = self._http.get(f"{self._environment['AIRFLOW__API__BASE_URL']}/auth/token", timeout=60)
        token.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        pool = {"name": POOL, "slots": self.slots, "include_deferred": True}
        self.call("POST", "pools", pool)

    def start(self, component):
        """Start one of :data:`COMPONENTS`."""
        options = ["--skip-serve-logs"] if component in ("scheduler", "triggerer") else []
        self.processes.start(component, [BIN / "airflow", component, *options], self._environment)

    def start_worker(self, name, concurrency):
        """Start a Celery worker of so many slots."""
        command = [BIN / "airflow", "celery", "worker", "--skip-serve-logs"]
        command += ["--celery-hostname", name, "--concurrency", str(concurrency)]
        self.processes.start(name, command, self._environment)

    def is_healthy(self):
        """Whether each component says that it is."""
        try:
            health = self.call("GET", "monitor/health")
        except requests.RequestException:
            return False
        return all(part["status"] == "healthy" for part in health.values())

    def call(self, method, path, body=None, **query):
        """Ask Airflow's REST API; the JSON of its answer."""
        url = f"{self._environment['AIRFLOW__API__BASE_URL']}/api/v2/{path}"
        answer = self._http.request(method, url, json=body, params=query, timeout=60)
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text[:2000]}", response=answer)
        return answer.json() if answer.content else None

    def is_pulling(self, worker):
        """Whether a task of the worker has a request to Kapture on its way."""
        return any(
            connection.raddr and connection.raddr.port == self.kapture_port
            for process in self.processes.of(worker)
            for connection in connections(process)
        )


def connections(process):
    import psutil

    try:
        return [each for each in process.net_connections("tcp") if each.status == psutil.CONN_ESTABLISHED]
    except psutil.Error:
        return []


def is_open(port):
    """Whether somebody listens on a port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def postgres(program):
    """Where Debian has a program of PostgreSQL's."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}")) or [shutil.which(program)]
    if found[-1] is None:
        raise FileNotFoundError(f"PostgreSQL's {program} is not installed: apt-get install postgresql redis-server")
    return found[-1]


def unprivileged():
    """The account for servers that refuse to run as root, as arguments of Popen; none where this is not root."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
