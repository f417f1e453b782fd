#!/usr/bin/env python3
"""An OpenAI-compatible server that reads its prompt and finds the number in it.

    python3 tests/cli/finder_server.py > /dev/null 2>&1 &

It listens on a free port of this machine, which it writes to the file `port`. Of each hundred
prompts it answers as many wrong as the file `lost` says, always the same ones. It ends when the
folder that it was started in is gone, or after five minutes.
"""

import http.server
import json
import os
import pathlib
import re
import threading
import time
import zlib

VALUE = re.compile(r"magic numbers? for (?:\S+) is:? (\d+)")


def answer_to(prompt):
    found = VALUE.search(prompt)
    lost = pathlib.Path("lost")
    share = int(lost.read_text()) if lost.exists() else 0
    if found is None or zlib.crc32(prompt.encode()) % 100 < share:
        return " 1234567"
    return " " + found[1]


class Finder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, content_type, body):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send("application/json", json.dumps(
            {"object": "list", "data": [{"id": "finder", "object": "model"}]}).encode())

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = answer_to(asked["prompt"])
        head = {"id": "x", "object": "text_completion", "created": 1, "model": "finder"}
        events = [dict(head, choices=[{"index": 0, "text": text, "finish_reason": "stop"}]),
                  dict(head, choices=[], usage={"prompt_tokens": 100000, "completion_tokens": 4,
                                                "total_tokens": 100004})]
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        self.send("text/event-stream", ("".join(lines) + "data: [DONE]\n\n").encode())


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Finder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pathlib.Path("port.part").write_text(str(server.server_address[1]))
    os.rename("port.part", "port")
    for _ in range(300):
        time.sleep(1)
        if not pathlib.Path("port").exists():
            return


if __name__ == "__main__":
    main()
