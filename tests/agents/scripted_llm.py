#!/usr/bin/env python3
"""A scripted LLM: tells a real agent which tools to use, and notes what came back.

    scripted_llm.py SCRIPT.json TRANSCRIPT.jsonl PORT_FILE [REQUESTS.jsonl]

It listens on a free port of 127.0.0.1, writes the port to PORT_FILE and speaks
the Anthropic Messages API, the OpenAI Chat Completions API and the OpenAI
Responses API, streamed or whole.

SCRIPT is a list of steps, one tool call each:

    {"tool": "shell", "command": "cat ~/.ssh/id_rsa"}
    {"tool": "read",  "path": "/etc/passwd"}
    {"tool": "write", "path": "/tmp/x", "content": "text"}

A step becomes a call of a tool that the agent itself offers: the agent's own
reader and writer where it has them, otherwise its shell. After the last step
the answer is the text "done".

Which step is next follows from the conversation that the agent sends, so an
agent that repeats a request gets the same answer. Every result is one line of
TRANSCRIPT: {"step", "tool", "name", "input", "is_error", "result"}, the last
three as the agent reported them. A step that the agent offers no tool for is a
line with "problem", and the request fails.
"""

import json
import re
import shlex
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Emulated machines are slow: the longest time that the agents' tools accept.
SHELL_TIMEOUT_MS = 600_000

# Codex returns before a slow command ends; then its session is asked again.
CODEX_STILL_RUNNING = re.compile(r"Process running with session ID (\d+)")
CODEX_EXITED_WELL = "Process exited with code 0\n"

FINAL_TEXT = "done"


class Problem(Exception):
    """The script asks for something that this agent cannot do."""


def shell_command(step):
    """The shell command that does what a step asks for."""
    if step["tool"] == "shell":
        return step["command"]
    path = shlex.quote(step["path"])
    if step["tool"] == "read":
        return f"cat {path}"
    return f"printf %s {shlex.quote(step.get('content', ''))} > {path}"


# For each kind of step the tools that can do it, best first: the name that an
# agent gives the tool, and its arguments. Claude Code: Bash, Read, Write.
# Codex: exec_command, shell_command, shell. Ours: shell, read_file, write_file.
SHELL_TOOLS = [
    ("Bash", lambda s: {"command": shell_command(s), "description": "scripted", "timeout": SHELL_TIMEOUT_MS}),
    ("exec_command", lambda s: {"cmd": shell_command(s), "yield_time_ms": 30_000}),
    ("shell_command", lambda s: {"command": shell_command(s), "timeout_ms": SHELL_TIMEOUT_MS}),
    ("shell", lambda s: {"command": shell_command(s)}),
]
TOOLS = {
    "shell": SHELL_TOOLS,
    "read": [
        ("Read", lambda s: {"file_path": s["path"]}),
        ("read_file", lambda s: {"path": s["path"]}),
        *SHELL_TOOLS,
    ],
    "write": [
        ("Write", lambda s: {"file_path": s["path"], "content": s.get("content", "")}),
        ("write_file", lambda s: {"path": s["path"], "content": s.get("content", "")}),
        *SHELL_TOOLS,
    ],
}


def tool_call(step, offered):
    """The agent's tool and the arguments for a step."""
    for name, arguments in TOOLS[step["tool"]]:
        if name not in offered:
            continue
        values = arguments(step)
        command = offered[name].get("properties", {}).get("command", {})
        if name == "shell" and command.get("type") == "array":
            values = {"command": ["bash", "-c", values["command"]]}
        return name, values
    raise Problem(f"no tool for a {step['tool']} step among {sorted(offered)}")


def text_of(content):
    """The text of a message's content, whatever its shape."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text_of(part.get("text", "")) for part in content if isinstance(part, dict))
    return json.dumps(content)


class Session:
    """The script, and how far the agent has come with it."""

    def __init__(self, script, transcript):
        self.script = script
        self.transcript = transcript
        self.written = 0
        self.lock = threading.Lock()

    def note(self, line):
        self.transcript.write(json.dumps(line) + "\n")
        self.transcript.flush()

    def answer(self, offered, results):
        """What to say after these results: a tool call, or None for the final text."""
        with self.lock:
            running = results and CODEX_STILL_RUNNING.search(results[-1]["result"])
            if running and "write_stdin" in offered:
                return "write_stdin", {"session_id": int(running[1]), "yield_time_ms": 300_000}
            while self.written < min(len(results), len(self.script)):
                step, result = self.script[self.written], results[self.written]
                self.written += 1
                self.note({"step": self.written, "tool": step["tool"], **result})
            if not offered or len(results) >= len(self.script):
                return None
            step = self.script[len(results)]
            try:
                return tool_call(step, offered)
            except Problem as problem:
                self.note({"step": len(results) + 1, "tool": step["tool"], "problem": str(problem)})
                raise


class Anthropic:
    """POST /v1/messages."""

    @staticmethod
    def parse(body):
        offered = {t["name"]: t.get("input_schema", {}) for t in body.get("tools", []) if "name" in t}
        calls, results = {}, []
        for message in body.get("messages", []):
            if not isinstance(message.get("content"), list):
                continue
            for part in message["content"]:
                if part.get("type") == "tool_use":
                    calls[part["id"]] = part
                elif part.get("type") == "tool_result":
                    call = calls.get(part["tool_use_id"], {})
                    results.append({
                        "name": call.get("name"),
                        "input": call.get("input"),
                        "is_error": bool(part.get("is_error")),
                        "result": text_of(part.get("content", "")),
                    })
        return offered, results

    @staticmethod
    def reply(body, call):
        if call:
            name, values = call
            block = {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex[:20]}", "name": name, "input": values}
        else:
            block = {"type": "text", "text": FINAL_TEXT}
        message = {
            "id": f"msg_{uuid.uuid4().hex[:20]}", "type": "message", "role": "assistant",
            "model": body.get("model", "scripted"), "content": [block],
            "stop_reason": "tool_use" if call else "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        if not body.get("stream"):
            return message, None
        if call:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        else:
            start = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": FINAL_TEXT}
        events = [
            {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": start},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
             "usage": {"output_tokens": 1}},
            {"type": "message_stop"},
        ]
        return None, [(event["type"], event) for event in events]


class Chat:
    """POST /v1/chat/completions."""

    @staticmethod
    def parse(body):
        offered = {t["function"]["name"]: t["function"].get("parameters", {})
                   for t in body.get("tools", []) if t.get("type") == "function"}
        calls, results = {}, []
        for message in body.get("messages", []):
            for call in message.get("tool_calls") or []:
                calls[call["id"]] = call["function"]
            if message.get("role") == "tool":
                call = calls.get(message.get("tool_call_id"), {})
                text = text_of(message.get("content", ""))
                results.append({
                    "name": call.get("name"), "input": json.loads(call.get("arguments", "null")),
                    "is_error": text.startswith("error: "), "result": text,
                })
        return offered, results

    @staticmethod
    def reply(body, call):
        if call:
            name, values = call
            function = {"name": name, "arguments": json.dumps(values)}
            calls = [{"id": f"call_{uuid.uuid4().hex[:20]}", "type": "function", "function": function}]
            message = {"role": "assistant", "content": None, "tool_calls": calls}
        else:
            message = {"role": "assistant", "content": FINAL_TEXT}
        finish = "tool_calls" if call else "stop"
        whole = {"id": f"chatcmpl-{uuid.uuid4().hex[:20]}", "created": 0, "model": body.get("model", "scripted")}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return {**whole, "object": "chat.completion", "choices": [choice], "usage": usage}, None
        delta = dict(message)
        if call:
            delta["tool_calls"] = [{"index": 0, **message["tool_calls"][0]}]
        chunk = {**whole, "object": "chat.completion.chunk"}
        first = {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        last = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": usage}
        return None, [(None, first), (None, last), (None, "[DONE]")]


class Responses:
    """POST /v1/responses."""

    @staticmethod
    def parse(body):
        offered = {}
        for tool in body.get("tools", []):
            if tool.get("type") == "function":
                offered[tool["name"]] = tool.get("parameters", {})
        calls, results = {}, []
        for item in body.get("input", []):
            if item.get("type") == "function_call":
                calls[item["call_id"]] = item
            elif item.get("type") == "function_call_output":
                call = calls.get(item["call_id"], {})
                text = text_of(item.get("output", ""))
                if call.get("name") == "write_stdin" and results:
                    before = CODEX_STILL_RUNNING.sub("", results[-1]["result"])
                    results[-1].update(result=before + text, is_error=CODEX_EXITED_WELL not in text)
                    continue
                results.append({
                    "name": call.get("name"), "input": json.loads(call.get("arguments", "null")),
                    "is_error": CODEX_EXITED_WELL not in text, "result": text,
                })
        return offered, results

    @staticmethod
    def reply(body, call):
        if call:
            name, values = call
            item = {"type": "function_call", "id": f"fc_{uuid.uuid4().hex[:20]}", "status": "completed",
                    "call_id": f"call_{uuid.uuid4().hex[:20]}", "name": name, "arguments": json.dumps(values)}
        else:
            text = {"type": "output_text", "text": FINAL_TEXT, "annotations": []}
            item = {"type": "message", "id": f"msg_{uuid.uuid4().hex[:20]}", "status": "completed",
                    "role": "assistant", "content": [text]}
        usage = {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1,
                 "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2}
        response = {"id": f"resp_{uuid.uuid4().hex[:20]}", "object": "response", "created_at": 0,
                    "model": body.get("model", "scripted"), "status": "completed", "output": [item],
                    "usage": usage, "error": None, "parallel_tool_calls": False, "tools": []}
        if not body.get("stream"):
            return response, None
        begun = {**response, "status": "in_progress", "output": [], "usage": None}
        events = [
            {"type": "response.created", "response": begun},
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response},
        ]
        return None, [(e["type"], {**e, "sequence_number": n}) for n, e in enumerate(events)]


APIS = {"/messages": Anthropic, "/chat/completions": Chat, "/responses": Responses}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    session = None
    requests = None

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        path = self.path.split("?")[0]
        if self.requests:
            self.requests.write(json.dumps({"path": self.path, "headers": dict(self.headers), "body": body}) + "\n")
            self.requests.flush()
        if path.endswith("/count_tokens"):
            return self.send(200, {"input_tokens": 1})
        api = next((api for end, api in APIS.items() if path.endswith(end)), None)
        if api is None:
            return self.send(404, {"error": {"message": f"no such path: {path}"}})
        try:
            call = self.session.answer(*api.parse(body))
        except Problem as problem:
            return self.send(400, {"error": {"type": "invalid_request_error", "message": str(problem)}})
        whole, events = api.reply(body, call)
        if whole is not None:
            return self.send(200, whole)
        text = ""
        for name, data in events:
            if name:
                text += f"event: {name}\n"
            text += f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"
        return self.send(200, text, "text/event-stream")

    def do_GET(self):
        if self.path.split("?")[0].endswith("/models"):
            return self.send(200, {"object": "list", "data": [], "models": []})
        return self.send(404, {"error": {"message": "not found"}})

    def do_HEAD(self):
        self.send(200, "")

    def send(self, status, content, kind="application/json"):
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


def load(path):
    """The steps of a script; exits with a reason when one is not a step."""
    with open(path, encoding="utf-8") as file:
        script = json.load(file)
    needs = {"shell": "command", "read": "path", "write": "path"}
    for number, step in enumerate(script, 1):
        need = needs.get(step.get("tool"))
        if need is None or not isinstance(step.get(need), str):
            sys.exit(f"{path}: step {number} is not a shell, read or write step: {json.dumps(step)}")
    return script


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    script, transcript, port_file = load(sys.argv[1]), sys.argv[2], sys.argv[3]
    Handler.session = Session(script, open(transcript, "w", encoding="utf-8"))
    if len(sys.argv) == 5:
        Handler.requests = open(sys.argv[4], "w", encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with open(port_file, "w", encoding="utf-8") as file:
        file.write(f"{server.server_address[1]}\n")
    server.serve_forever()


if __name__ == "__main__":
    main()
