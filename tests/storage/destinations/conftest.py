import contextlib
import json
import os
import socket

import pytest
from policy_proxy import KINDS, PolicyProxy

ACTIONS = {
    "s3": {
        "write": ("s3:PutObject",),
        "read": ("s3:GetObject",),
        "list": ("s3:ListBucket",),
        "delete": ("s3:DeleteObject",),
    },
    "gs": {
        # To replace an object, too.
        "write": ("storage.objects.create", "storage.objects.delete"),
        "read": ("storage.objects.get",),
        "list": ("storage.objects.list",),
        "delete": ("storage.objects.delete",),
    },
    "abfs": {
        "write": ("blobs/write",),
        "read": ("blobs/read",),
        "list": ("blobs/read (list)",),
        "delete": ("blobs/delete",),
    },
}


class Role:
    """The role that pulls, and the proxy that holds it to its policy.

    :ivar url: of a folder of one test, under the prefix that the role may use
    :ivar admin: the same, for somebody who may do everything
    """

    def __init__(self, kind, proxy, store, folder):
        self.kind, self.proxy = kind, proxy
        self.conn_id = f"{kind}role"
        self.prefix = f"team/{folder}/"
        self.url = f"{kind}://{self.conn_id}@{store.url.rpartition('@')[2]}/{self.prefix}"
        self.admin = f"{store.url}/{self.prefix}"

    def may(self, *operations, prefix="team/"):
        """Permit operations, or actions of the store, under a prefix, and nothing else."""
        actions = [action for each in operations for action in ACTIONS[self.kind].get(each, (each,))]
        self.proxy.policy = dict.fromkeys(actions, prefix)

    def may_all(self):
        self.may("write", "read", "list", "s3:AbortMultipartUpload")

    def call_amazon(self, monkeypatch):
        """Let the role reach the proxy by a host name of Amazon's."""
        look_up = socket.getaddrinfo
        host = "s3.us-east-1.amazonaws.com"

        def find(name, *arguments, **options):
            return look_up("127.0.0.1" if name == host else name, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", find)
        connection = json.loads(os.environ[f"AIRFLOW_CONN_{self.conn_id.upper()}"].replace("127.0.0.1", host))
        connection["extra"]["config_kwargs"] = {"s3": {"addressing_style": "path"}}
        # An id of its own: Airflow keeps a process's file systems by connection.
        monkeypatch.setenv("AIRFLOW_CONN_AMAZONROLE", json.dumps(connection))
        self.url = self.url.replace(self.conn_id, "amazonrole")

    def names(self):
        """Return the objects of the test's folder."""
        # Airflow must not be imported with this file, which may be before its settings are in place.
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        path = ObjectStoragePath(self.admin)
        path.fs.invalidate_cache()
        found = (str(each).partition(self.prefix)[2] for each in path.rglob("*"))
        return sorted(name for name in found if "." in name)


@pytest.fixture(scope="session")
def proxies():
    """The proxy of each store, started when it is first wanted."""
    started = {}
    with contextlib.ExitStack() as stack:

        def proxy(kind, origin):
            if kind not in started:
                started[kind] = stack.enter_context(PolicyProxy(origin, KINDS[kind]))
            return started[kind]

        yield proxy


@pytest.fixture
def role(store, proxies, monkeypatch, tmp_path):
    """A role in each store, which may do nothing yet."""
    kind = store.url.partition("://")[0]
    [connection] = [each for name, each in store.connections.items() if name != store.wrong]
    proxy = proxies(kind, store.line.origin)
    # The id has no underscore, so that it is the same in a URL.
    text = json.dumps(connection).replace(store.line.origin, proxy.origin)
    monkeypatch.setenv(f"AIRFLOW_CONN_{kind.upper()}ROLE", text)
    proxy.policy, proxy.fault = {}, None
    proxy.seen.clear()
    return Role(kind, proxy, store, tmp_path.name)
