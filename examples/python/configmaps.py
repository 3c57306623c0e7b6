"""Speaks to a cluster from Python, with nothing but what protoc makes of the .proto files.

    apt-get install python3-grpcio python3-protobuf protobuf-compiler protobuf-compiler-grpc
    TOKEN=... python3 examples/python/configmaps.py --endpoint 127.0.0.1:7401 --ca .ikada/pki/ca.pem

Creates a ConfigMap, reads it, lists, watches a change of it, applies another one and deletes both.
"""

import argparse
import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import grpc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
CALL_SECONDS = 15


def generated():
    """The modules of proto/api.proto; they are made anew each time, so that they fit the file."""
    plugin = shutil.which("grpc_python_plugin")
    with tempfile.TemporaryDirectory(prefix="ikada-python-") as folder:
        outputs = [f"--python_out={folder}", f"--grpc_out={folder}", f"--plugin=protoc-gen-grpc={plugin}"]
        subprocess.run(["protoc", f"-I{PROTO}", *outputs, "api.proto"], check=True)
        sys.path.insert(0, folder)
        return importlib.import_module("api_pb2"), importlib.import_module("api_pb2_grpc")


api, api_grpc = generated()


def connect(endpoint, ca, token):
    """A channel over TLS that sends the user's token with each call."""
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(pathlib.Path(ca).read_bytes()),
        grpc.access_token_call_credentials(token),
    )
    return grpc.secure_channel(endpoint, credentials)


def config_map(name, namespace, data):
    """An object in its envelope: what it is beside its JSON."""
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }
    return api.Object(version="v1", kind="ConfigMap", namespace=namespace, name=name, json=json.dumps(body).encode())


def reference(name, namespace):
    return api.ObjectReference(version="v1", kind="ConfigMap", namespace=namespace, name=name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True, help="host:port of a server's API listener")
    parser.add_argument("--ca", required=True, help="PEM file of the cluster's authority")
    parser.add_argument("--namespace", default="default")
    options = parser.parse_args()
    namespace = options.namespace
    with connect(options.endpoint, options.ca, os.environ["TOKEN"]) as channel:
        resources = api_grpc.ResourcesStub(channel)

        created = resources.Create(
            api.CreateRequest(object=config_map("from-python", namespace, {"text": "hello"})), timeout=CALL_SECONDS
        )
        print("created", created.object.name, "at revision", created.object.revision)

        got = resources.Get(api.GetRequest(reference=reference("from-python", namespace)), timeout=CALL_SECONDS)
        print("got", json.loads(got.object.json)["data"]["text"])

        listed = resources.List(
            api.ListRequest(version="v1", kind="ConfigMap", namespace=namespace), timeout=CALL_SECONDS
        )
        print("listed", sorted(each.name for each in listed.objects))

        # From the list's revision on, so that nothing is missed between the two.
        events = resources.Watch(
            api.WatchRequest(version="v1", kind="ConfigMap", namespace=namespace, revision=listed.revision),
            timeout=CALL_SECONDS,
        )
        applied = resources.Apply(
            api.ApplyRequest(
                object=config_map("applied-from-python", namespace, {"text": "hi"}),
                options=api.WriteOptions(field_manager="python"),
            ),
            timeout=CALL_SECONDS,
        )
        print("applied", applied.object.name, "created" if applied.created else "changed")
        event = next(each for each in events if each.type != api.WatchEvent.BOOKMARK)
        print("watched", api.WatchEvent.Type.Name(event.type), event.object.name)
        events.cancel()

        for name in ("from-python", "applied-from-python"):
            deleted = resources.Delete(
                api.DeleteRequest(reference=reference(name, namespace)), timeout=CALL_SECONDS
            )
            print("deleted", name, "removed" if deleted.removed else "terminates")

        try:
            resources.Get(api.GetRequest(reference=reference("from-python", namespace)), timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            details = api.ErrorDetails.FromString(dict(error.trailing_metadata())["ikada-error-bin"])
            print("refused", error.code().name, details.reason)


if __name__ == "__main__":
    main()
