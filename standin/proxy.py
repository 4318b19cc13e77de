"""The wire: a TCP front that changes statement text and nothing else of the protocol.

Protocol 3.0 messages pass both ways. Changed are: start-up parameters PostgreSQL does not know, the text of Parse
and Query, the reported server version, the type of SUPER columns, and the completion of COPY and UNLOAD. A refusal
becomes a statement that raises it, so that PostgreSQL itself keeps the transaction's state.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standin import storage
from standin.dialect import quote
from standin.gate import NotOnRedshift
from standin.rewrite import Rewritten, rewrite, split_statements

_FORWARDED = {b"user", b"database", b"application_name", b"options", b"client_encoding", b"replication"}
_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_PROTOCOL_3 = 196608
_SUPER_OID = 4000
_JSON_OIDS = {114, 3802}
_REWRITTEN_REPLIES = frozenset(b"STCEZIs12")
_CHUNK = 1 << 16

Transfer = storage.Copy | storage.Unload


@dataclass
class Fault:
    """A failure to inject on the wire, for the statements that match ``pattern``.

    ``action``: "drop" closes the connection before the statement runs, "drop_after" when it has run but before its
    answer, "serialization" fails it with Redshift's error 1023.
    """

    pattern: str
    action: str
    times: int = 1

    def strikes(self, sql: str) -> bool:
        """Does this fault hit ``sql``? Each hit uses one of ``times``."""
        if self.times <= 0 or not re.search(self.pattern, sql, re.I | re.S):
            return False
        self.times -= 1
        return True


@dataclass
class _Prepared:
    sql: str
    transfer: Transfer | None = None


@dataclass
class _Running:
    transfer: Transfer | None = None
    drop_after: bool = False


class _Dropped(Exception):
    """The connection was cut on purpose."""


def failing_statement(sql: str, message: str, state: str, detail: str = "") -> str:
    """A statement that raises ``message`` and takes the same bind parameters as ``sql``."""
    parameters = sorted({int(n) for n in re.findall(r"\$(\d+)", sql)})
    columns = "".join(f", ${n}::text" for n in parameters)
    return f"select pg_catalog.rs_raise({quote(message)}, {quote(state)}, {quote(detail)}){columns}"


_CONFLICT = (
    "1023",
    "XX000",
    "Serializable isolation violation on table - 100042, transactions forming the cycle are: 7, 8 (pid:9)",
)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _error_response(text: str) -> bytes:
    fields = (("S", "ERROR"), ("C", "XX000"), ("M", text))
    return _message(b"E", b"".join(k.encode() + v.encode() + b"\0" for k, v in fields) + b"\0")


@dataclass
class _Session:
    front: Front
    client_in: asyncio.StreamReader
    client_out: asyncio.StreamWriter
    server_in: asyncio.StreamReader = field(init=False)
    server_out: asyncio.StreamWriter = field(init=False)
    statements: dict[bytes, _Prepared] = field(default_factory=dict)
    portals: dict[bytes, _Prepared] = field(default_factory=dict)
    running: deque[_Running] = field(default_factory=deque)
    hidden: deque[int] = field(default_factory=deque)

    async def run(self) -> None:
        if not await self._start_up():
            return
        both = [asyncio.create_task(self._requests()), asyncio.create_task(self._replies())]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            self.server_out.close()
            self.client_out.close()

    async def _start_up(self) -> bool:
        while True:
            size = struct.unpack("!i", await self.client_in.readexactly(4))[0]
            body = await self.client_in.readexactly(size - 4)
            code = struct.unpack("!i", body[:4])[0]
            if code not in (_SSL, _GSS):
                break
            if code == _SSL and self.front.tls is not None:
                self.client_out.write(b"S")
                await self.client_out.drain()
                await self.client_out.start_tls(self.front.tls)
            else:
                self.client_out.write(b"N")
                await self.client_out.drain()
        self.server_in, self.server_out = await asyncio.open_connection("127.0.0.1", self.front.server_port)
        if code == _CANCEL:
            self.server_out.write(struct.pack("!i", size) + body)
            await self.server_out.drain()
            self.server_out.close()
            return False
        parts = body[4:].split(b"\0")
        given = dict(zip(parts[0::2], parts[1::2], strict=False))
        self.front.log(event="connect", user=given.get(b"user", b"").decode())
        kept = b"".join(k + b"\0" + v + b"\0" for k, v in given.items() if k in _FORWARDED) + b"\0"
        self.server_out.write(struct.pack("!ii", len(kept) + 8, _PROTOCOL_3) + kept)
        await self.server_out.drain()
        return True

    # ---- client to server -------------------------------------------------------------------------------
    async def _requests(self) -> None:
        while True:
            head = await self.client_in.readexactly(5)
            body = await self.client_in.readexactly(struct.unpack("!i", head[1:])[0] - 4)
            kind = head[:1]
            if kind == b"P":
                out = await self._parse(body)
            elif kind == b"B":
                portal, statement, _ = body.split(b"\0", 2)
                self.portals[portal] = self.statements.get(statement, _Prepared(""))
                out = _message(kind, body)
            elif kind == b"E":
                out = await self._execute(body)
            elif kind == b"Q":
                out = await self._simple_query(body[:-1].decode())
            else:
                out = _message(kind, body)
            self.server_out.write(out)
            await self.server_out.drain()

    async def _parse(self, body: bytes) -> bytes:
        end_of_name = body.index(0)
        end_of_sql = body.index(0, end_of_name + 1)
        sql = body[end_of_name + 1 : end_of_sql].decode()
        done = await asyncio.to_thread(self.front.translate, sql)
        self.statements[body[:end_of_name]] = _Prepared(sql, done.transfer)
        return _message(b"P", body[: end_of_name + 1] + done.sql.encode() + body[end_of_sql:])

    async def _execute(self, body: bytes) -> bytes:
        prepared = self.portals.get(body[: body.index(0)], _Prepared(""))
        running = _Running(prepared.transfer)
        action = self.front.fault(prepared.sql)
        if action == "drop":
            raise _Dropped
        running.drop_after = action == "drop_after"
        self.running.append(running)
        if action == "serialization":
            self.hidden.extend(b"12")  # the replies to the two messages put in here
            failing = b"\0" + failing_statement("", *_CONFLICT).encode() + b"\0\0\0"
            bind = b"\0\0" + struct.pack("!hhh", 0, 0, 0)
            return (
                _message(b"P", failing) + _message(b"B", bind) + _message(b"E", b"\0" + struct.pack("!i", 0))
            )
        if prepared.transfer:
            await asyncio.to_thread(prepared.transfer.before)
        return _message(b"E", body)

    async def _simple_query(self, sql: str) -> bytes:
        parts = [sql]
        if ";" in sql.rstrip().rstrip(";"):
            parts = await asyncio.to_thread(split_statements, sql)
        texts = []
        for part in parts:
            done = await asyncio.to_thread(self.front.translate, part)
            running = _Running(done.transfer)
            action = self.front.fault(part)
            if action == "drop":
                raise _Dropped
            running.drop_after = action == "drop_after"
            if done.transfer:
                await asyncio.to_thread(done.transfer.before)
            self.running.append(running)
            texts.append(failing_statement("", *_CONFLICT) if action == "serialization" else done.sql)
        return _message(b"Q", ";\n".join(texts).encode() + b"\0")

    # ---- server to client -------------------------------------------------------------------------------
    async def _replies(self) -> None:
        buffer = bytearray()
        while True:
            chunk = await self.server_in.read(_CHUNK)
            if not chunk:
                return
            buffer += chunk
            out, at = bytearray(), 0
            while len(buffer) - at >= 5:
                end = at + 1 + struct.unpack_from("!i", buffer, at + 1)[0]
                if len(buffer) < end:
                    break
                if buffer[at] in _REWRITTEN_REPLIES:
                    out += await self._reply(buffer[at], bytes(buffer[at + 5 : end]))
                else:
                    out += buffer[at:end]
                at = end
            del buffer[:at]
            self.client_out.write(bytes(out))
            await self.client_out.drain()

    async def _reply(self, kind: int, body: bytes) -> bytes:
        letter = bytes([kind])
        if letter in b"12":
            if self.hidden and self.hidden[0] == kind:
                self.hidden.popleft()
                return b""
        elif letter == b"S" and body.startswith(b"server_version\0"):
            body = b"server_version\x008.0.2\0"
        elif letter == b"T":
            body = _super_columns(body)
        elif letter == b"Z":
            self.running.clear()
        elif letter in b"CIs":
            running = self.running.popleft() if self.running else _Running()
            if running.drop_after:
                raise _Dropped
            if running.transfer and letter == b"C":
                try:
                    await asyncio.to_thread(running.transfer.after)
                except Exception as problem:  # the statement's effect failed outside the server
                    return _error_response(str(problem))
                body = b"COPY\0" if isinstance(running.transfer, storage.Copy) else b"UNLOAD\0"
        return _message(letter, body)


def _super_columns(body: bytes) -> bytes:
    """RowDescription with the JSON types named SUPER."""
    out, at = bytearray(body), 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        at = body.index(0, at) + 1 + 6
        if struct.unpack_from("!i", body, at)[0] in _JSON_OIDS:
            out[at : at + 4] = struct.pack("!i", _SUPER_OID)
        at += 12
    return bytes(out)


class Front:
    """Listens for Redshift clients in front of one PostgreSQL port."""

    def __init__(self, server_port: int, spool: Path, log_file: Path, tls: Any = None) -> None:
        self.server_port = server_port
        self.spool = spool
        self.faults: list[Fault] = []
        self.tls = tls
        self._log = log_file.open("a", buffering=1)
        self._sessions: set[asyncio.Task[None]] = set()

    def log(self, **record: Any) -> None:
        """One line of JSON in the statement log."""
        self._log.write(json.dumps(record) + "\n")

    def fault(self, sql: str) -> str | None:
        """The action of the first planned fault that ``sql`` triggers."""
        for planned in self.faults:
            if planned.strikes(sql):
                self.log(event="fault", action=planned.action, sql=sql)
                return planned.action
        return None

    def translate(self, sql: str) -> Rewritten:
        """PostgreSQL text for ``sql``; a refusal or a fault of ours becomes a statement that raises it."""
        started, record = time.perf_counter(), {"event": "sql", "sql": sql}
        try:
            done = rewrite(sql, self.spool)
            record["rules"] = done.rules
        except NotOnRedshift as refusal:
            record["refused"] = str(refusal)
            done = Rewritten(failing_statement(sql, f"not supported on Amazon Redshift: {refusal}", "0A000"))
        except (
            Exception
        ) as problem:  # a fault of the stand-in must reach the client as an error, never as silence
            record["error"] = f"{type(problem).__name__}: {problem}"
            done = Rewritten(failing_statement(sql, f"stand-in: {problem}", "XX000"))
        record["out"] = None if done.sql == sql else done.sql
        record["ms"] = round((time.perf_counter() - started) * 1000, 2)
        self.log(**record)
        return done

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_Session(self, reader, writer).run())
        self._sessions.add(task)
        try:
            await task
        except (asyncio.IncompleteReadError, ConnectionError, _Dropped, asyncio.CancelledError):
            writer.close()
        finally:
            self._sessions.discard(task)

    async def serve(self, port: int, stop: asyncio.Event, ready: Any = None) -> None:
        """Accept clients on the loopback address until ``stop`` is set."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        if ready is not None:
            ready.set()
        try:
            await stop.wait()
        finally:
            server.close()
            for session in list(self._sessions):
                session.cancel()
            await asyncio.gather(*self._sessions, return_exceptions=True)
            self._log.close()
