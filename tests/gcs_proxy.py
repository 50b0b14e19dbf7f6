#!/usr/bin/env python3
"""A proxy in front of fake-gcs-server for clients that write by Google's XML API, as the Rust crate object_store does.

    python3 gcs_proxy.py PROGRAM PORT INNER_PORT

Starts PROGRAM, fake-gcs-server, on INNER_PORT and serves on PORT. The server knows uploads by the JSON API only: a plain PUT of an object
becomes one of those, its precondition with it; DELETE and listings are translated too. All else goes through as it comes. Uploads in parts are not known to either.
"""

import http.client
import http.server
import json
import socketserver
import subprocess
import sys
import urllib.parse
import xml.sax.saxutils

HOST = "127.0.0.1"
BOUNDARY = "a-line-that-is-in-no-test"
# Those that belong to one connection, or are set anew. The host is passed on: the server answers to its public one.
NOT_PASSED_ON = {"connection", "content-length", "transfer-encoding"}


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    inner_port = 0

    def log_message(self, *_arguments):
        pass

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        place = urllib.parse.urlsplit(self.path)
        is_of_object = not place.query and not place.path.startswith(("/storage/", "/upload/"))
        if is_of_object and self.command == "PUT":
            status, headers, answer = self.upload(place.path, body)
        elif is_of_object and self.command == "DELETE":
            status, headers, answer = self.delete(place.path)
        elif self.command == "GET" and "list-type" in urllib.parse.parse_qs(place.query):
            status, headers, answer = self.list(place.path.strip("/"), urllib.parse.parse_qs(place.query))
        else:
            # The server does not know an encoded slash.
            path = urllib.parse.quote(urllib.parse.unquote(place.path)) if is_of_object else self.path
            status, headers, answer = self.pass_on(path, body)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers):
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = serve

    def upload(self, path, content):
        _, bucket, key = path.split("/", 2)
        query = {"uploadType": "multipart"}
        generation = self.headers.get("x-goog-if-generation-match")
        if generation is not None:
            query["ifGenerationMatch"] = generation
        about = json.dumps({"name": urllib.parse.unquote(key)}).encode()
        parts = [("application/json", about), ("application/octet-stream", content)]
        body = b"".join(f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n" for kind, part in parts)
        body += f"--{BOUNDARY}--".encode()
        path = f"/upload/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}"
        headers = {"Content-Type": f"multipart/related; boundary={BOUNDARY}"}
        status, _, answer = self.ask("POST", path, body, headers)
        if status != 200:
            return status, [], answer
        made = json.loads(answer)
        etag = made["etag"].strip('"')
        return 200, [("ETag", f'"{etag}"'), ("x-goog-generation", made["generation"])], b""

    def delete(self, path):
        _, bucket, key = path.split("/", 2)
        key = urllib.parse.quote(urllib.parse.unquote(key), safe="")
        status, _, answer = self.ask("DELETE", f"/storage/v1/b/{bucket}/o/{key}", None, {})
        return (204, [], b"") if status == 200 else (status, [], answer)

    def list(self, bucket, asked):
        names = {"prefix": "prefix", "delimiter": "delimiter", "continuation-token": "pageToken", "max-keys": "maxResults"}
        query = {names[name]: values[0] for name, values in asked.items() if name in names}
        status, _, answer = self.ask("GET", f"/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}", None, {})
        if status != 200:
            return status, [], answer
        found = json.loads(answer)
        text = ["<ListBucketResult>"]
        for item in found.get("items", []):
            about = {"Key": item["name"], "Size": item["size"], "LastModified": item["updated"], "ETag": item["etag"]}
            text.append(f"<Contents>{elements(about)}</Contents>")
        text += [f"<CommonPrefixes>{elements({'Prefix': prefix})}</CommonPrefixes>" for prefix in found.get("prefixes", [])]
        if "nextPageToken" in found:
            text.append(elements({"NextContinuationToken": found["nextPageToken"]}))
        return 200, [("Content-Type", "application/xml")], "".join([*text, "</ListBucketResult>"]).encode()

    def pass_on(self, path, body):
        headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
        status, headers, answer = self.ask(self.command, path, body or None, headers)
        kept = [(name, value) for name, value in headers if name.lower() not in NOT_PASSED_ON]
        if self.command == "HEAD":
            kept += [("Content-Length", value) for name, value in headers if name.lower() == "content-length"]
        return status, kept, answer

    def ask(self, method, path, body, headers):
        inner = http.client.HTTPConnection(HOST, self.inner_port, timeout=60)
        try:
            inner.request(method, path, body, headers)
            response = inner.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            inner.close()


def elements(values):
    return "".join(f"<{name}>{xml.sax.saxutils.escape(value)}</{name}>" for name, value in values.items())


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    program, port, inner_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    url = f"http://{HOST}:{port}"
    command = [program, "-backend", "memory", "-scheme", "http", "-host", HOST, "-port", str(inner_port)]
    subprocess.Popen([*command, "-public-host", f"{HOST}:{port}", "-external-url", url])
    Door.inner_port = inner_port
    Server((HOST, port), Door).serve_forever()


if __name__ == "__main__":
    main()
