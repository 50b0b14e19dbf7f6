"""As much of Kubernetes' API as Sail's server asks for: it creates pods for its workers, and deletes them. Here a pod is a process."""

import http.server
import json
import threading

HOST = "127.0.0.1"
CONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: here, cluster: {{server: "http://{host}:{port}"}}}}]
users: [{{name: nobody, user: {{}}}}]
contexts: [{{name: here, context: {{cluster: here, user: nobody}}}}]
current-context: here
"""


class Pods:
    """`start` is called with the environment of a new pod; beyond `most` pods, dead ones counted, none is created."""

    def __init__(self, home, start, most):
        self.start, self.most, self.created = start, most, 0
        self.lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer((HOST, 0), handler(self))
        self.config = home / "kubeconfig"
        self.config.write_text(CONFIG.format(host=HOST, port=self.server.server_port))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def create(self, pod):
        """Status and answer."""
        with self.lock:
            if self.created == self.most:
                return 403, status(403, "Forbidden", f"there is room for {self.most} pods")
            self.created += 1
            variables = pod["spec"]["containers"][0]["env"]
            # What is not a value is the address of the pod.
            self.start({variable["name"]: variable.get("value", HOST) for variable in variables})
        return 201, pod

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def status(code, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": message}


def handler(pods):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            self.answer(*pods.create(json.loads(body)))

        def do_DELETE(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []})

        def answer(self, code, body):
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            """Says nothing."""

    return Handler
