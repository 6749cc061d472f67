"""Speaks CRI to a container runtime, as a kubelet does: the runtime calls the CNI plugin with the pod's names."""

import pathlib
import time

import grpc

import proto

RPC_SECONDS = 60


class Runtime:
    """A connection to the runtime that listens on the UNIX socket `socket`. Methods are CRI's calls."""

    def __init__(self, socket, work_folder):
        self._messages = proto.compiled(pathlib.Path(__file__).with_name("cri.proto"), work_folder)
        self._channel = grpc.insecure_channel(f"unix://{socket}")

    def _call(self, method, request, response="Empty"):
        messages = self._messages
        call = self._channel.unary_unary(
            f"/runtime.v1.RuntimeService/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=getattr(messages, response).FromString,
        )
        return call(request, timeout=RPC_SECONDS)

    def wait_until_ready(self, seconds):
        """Waits for the runtime and its network configuration; raises TimeoutError that says what is missing."""
        deadline = time.monotonic() + seconds
        missing = "no answer"
        while time.monotonic() < deadline:
            try:
                status = self._call("Status", self._messages.StatusRequest(), "StatusResponse").status
                missing = ", ".join(c.message or c.type for c in status.conditions if not c.status)
                if not missing:
                    return
            except grpc.RpcError as error:
                missing = error.details()
            time.sleep(0.05)
        raise TimeoutError(f"the container runtime is not ready after {seconds} s: {missing}")

    def run_sandbox(self, config):
        request = self._messages.RunPodSandboxRequest(config=config)
        return self._call("RunPodSandbox", request, "RunPodSandboxResponse").pod_sandbox_id

    def stop_sandbox(self, sandbox):
        self._call("StopPodSandbox", self._messages.SandboxRequest(pod_sandbox_id=sandbox))

    def remove_sandbox(self, sandbox):
        self._call("RemovePodSandbox", self._messages.SandboxRequest(pod_sandbox_id=sandbox))

    def sandboxes(self):
        """[(id, (namespace, name), attempt)] of every sandbox that the runtime remembers."""
        listed = self._call("ListPodSandbox", self._messages.ListPodSandboxRequest(), "ListPodSandboxResponse")
        return [(s.id, (s.metadata.namespace, s.metadata.name), s.metadata.attempt) for s in listed.items]

    def sandbox_address(self, sandbox):
        request = self._messages.SandboxRequest(pod_sandbox_id=sandbox)
        return self._call("PodSandboxStatus", request, "PodSandboxStatusResponse").status.network.ip

    def sandbox_config(self, pod, attempt, cgroup_parent):
        """`pod` is what kubelet would know of it: namespace, name, uid, and perhaps a port of the node."""
        messages = self._messages
        ports = [messages.PortMapping(container_port=80, host_port=pod.host_port)] if pod.host_port else []
        return messages.PodSandboxConfig(
            metadata=messages.PodSandboxMetadata(
                name=pod.name, uid=pod.uid, namespace=pod.namespace, attempt=attempt
            ),
            hostname=pod.name,
            port_mappings=ports,
            linux=messages.LinuxPodSandboxConfig(cgroup_parent=cgroup_parent),
        )

    def start_container(self, sandbox, config, image, command):
        """Makes and starts the pod's one container; it counts its attempts as the pod does."""
        messages = self._messages
        metadata = messages.ContainerMetadata(name="app", attempt=config.metadata.attempt)
        request = messages.CreateContainerRequest(
            pod_sandbox_id=sandbox,
            sandbox_config=config,
            config=messages.ContainerConfig(
                metadata=metadata, image=messages.ImageSpec(image=image), command=command
            ),
        )
        container = self._call("CreateContainer", request, "CreateContainerResponse").container_id
        self._call("StartContainer", messages.StartContainerRequest(container_id=container))
        return container

    def run_in(self, container, *command):
        """Standard output of a command in a container; raises RuntimeError when it fails."""
        request = self._messages.ExecSyncRequest(container_id=container, cmd=command, timeout=10)
        result = self._call("ExecSync", request, "ExecSyncResponse")
        if result.exit_code != 0:
            raise RuntimeError(f"{' '.join(command)}: exit status {result.exit_code}: {result.stderr.decode()}")
        return result.stdout.decode()

    def close(self):
        self._channel.close()
