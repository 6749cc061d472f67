"""Speaks CSI to a driver, as a kubelet and its helpers do."""

import time

import grpc
from google.protobuf import json_format, message_factory

RPC_SECONDS = 120
RETRY_SECONDS = 0.2
# What a caller of CSI tries again: the driver goes on from where it came.
AGAIN = (grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)


class Driver:
    """A driver that listens on the UNIX socket `socket`; `messages` is the module made of csi.proto."""

    def __init__(self, socket, messages):
        self._services = messages.DESCRIPTOR.services_by_name
        self._channel = grpc.insecure_channel(f"unix://{socket}")
        self._classes = message_factory.MessageFactory()

    def call(self, service, method, request=None):
        """The response as a dictionary of JSON names. Raises grpc.RpcError."""
        send, message = self._prepared(service, method, request)
        deadline = time.monotonic() + RPC_SECONDS
        while True:
            try:
                return json_format.MessageToDict(send(message, timeout=RPC_SECONDS))
            except grpc.RpcError as error:
                if error.code() not in AGAIN or time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)

    def first_answer(self, service, method, request, seconds=RPC_SECONDS):
        """The name of the status with which the first try ends: "OK", "ABORTED"; its caller gives up after `seconds`."""
        return self.first_answers(service, method, [request], seconds)[0]

    def first_words(self, service, method, request, seconds=RPC_SECONDS):
        """The same, and what it says: "UNAVAILABLE: the disk is gone"."""
        send, message = self._prepared(service, method, request)
        call = send.future(message, timeout=seconds)
        return f"{call.code().name}: {call.details()}"

    def first_answers(self, service, method, requests, seconds=RPC_SECONDS):
        """The same of several that are sent at once."""
        prepared = [self._prepared(service, method, request) for request in requests]
        calls = [send.future(message, timeout=seconds) for send, message in prepared]
        return [call.code().name for call in calls]

    def _prepared(self, service, method, request):
        described = self._services[service].methods_by_name[method]
        classes = self._classes
        send = self._channel.unary_unary(
            f"/{described.containing_service.full_name}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=classes.GetPrototype(described.output_type).FromString,
        )
        return send, json_format.ParseDict(request or {}, classes.GetPrototype(described.input_type)())

    def wait_until_ready(self, seconds):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.call("Identity", "Probe")
            except grpc.RpcError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)


def capability(fs_type):
    return {"accessMode": {"mode": "SINGLE_NODE_WRITER"}, "mount": {"fsType": fs_type}}
