"""A mail relay for tests: aiosmtpd, whose mails are read with Python's own email package.

Usage: server.py SETTINGS, a JSON object: tls ("starttls", "implicit", "none"), certificate and key (files), user with password or token,
utf8, size. Prints `listening on 127.0.0.1:PORT`, then one line of JSON for each mail it takes. Orders come as lines of JSON on its input and are
answered with `ok`; it ends when that is closed.

Orders: {"refuse": {address or "*": reply}}, {"answer": reply to the mail, "times": n}, {"drop": n}: has the mail and breaks off without an answer,
{"stall": n}: has the mail and says nothing, {"greeting": "inject"}: puts words after its answer to STARTTLS.
"""

import asyncio
import base64
import email
import email.policy
import hashlib
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

SETTINGS = json.loads(sys.argv[1])


def read(raw):
    """What a mail program makes of a message."""
    message = email.message_from_bytes(raw, policy=email.policy.SMTPUTF8)
    parts, defects = [], [repr(defect) for defect in message.defects]
    for part in message.walk():
        defects += [repr(defect) for defect in part.defects]
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        parts.append({
            "type": part.get_content_type(),
            "charset": part.get_content_charset(),
            "name": part.get_filename(),
            "disposition": part.get_content_disposition(),
            "encoding": part.get("Content-Transfer-Encoding"),
            "text": part.get_content().replace("\r\n", "\n") if part.get_content_maintype() == "text" else None,
            "sha256": hashlib.sha256(content).hexdigest(),
        })
    headers = {}
    for name, value in message.items():
        headers.setdefault(name.lower(), []).append(str(value))
        defects += [repr(defect) for defect in getattr(value, "defects", ())]
    # Headers in UTF-8 are no defect where the relay takes them (RFC 6532); this parser of bytes has a word for them all the same.
    defects = [defect for defect in defects if not defect.startswith(("NonASCIILocalPart", "UndecodableBytes"))]
    return {"headers": headers, "kind": message.get_content_type(), "parts": parts, "defects": defects}


class Handler:
    def __init__(self):
        self.refuse, self.replies, self.drops, self.stalls, self.inject = {}, [], 0, 0, False

    def order(self, order):
        self.refuse = order.get("refuse", self.refuse)
        self.replies += [order["answer"]] * order.get("times", 1) if "answer" in order else []
        self.drops += order.get("drop", 0)
        self.stalls += order.get("stall", 0)
        self.inject = order.get("greeting") == "inject"

    async def handle_RCPT(self, server, session, envelope, address, options):
        reply = self.refuse.get(address) or self.refuse.get("*")
        if reply:
            return reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        if self.replies:
            return self.replies.pop(0)
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "options": envelope.mail_options,
            "tls": session.ssl is not None or SETTINGS.get("tls") == "implicit",
            "user": session.auth_data if isinstance(session.auth_data, str) else None,
            "hello": session.host_name,
            "longest_line": max(len(line) for line in envelope.original_content.split(b"\r\n")),
            "bare": b"\n" in envelope.original_content.replace(b"\r\n", b"") or b"\r" in envelope.original_content.replace(b"\r\n", b""),
            "raw": base64.b64encode(envelope.original_content).decode(),
        }
        mail.update(read(envelope.original_content))
        print(json.dumps(mail), flush=True)
        if self.drops:
            self.drops -= 1
            server.transport.abort()
        if self.stalls:
            self.stalls -= 1
            await asyncio.sleep(3600)
        return "250 2.0.0 Ok: queued as TEST"

    async def auth_XOAUTH2(self, server, args):
        text = base64.b64decode(args[1]).decode()
        fields = dict(part.split("=", 1) for part in text.split("\x01") if part)
        if SETTINGS.get("token") and fields.get("auth") == "Bearer " + SETTINGS["token"] and fields.get("user") == SETTINGS["user"]:
            return AuthResult(success=True, auth_data=fields["user"])
        await server.challenge_auth('{"status":"401"}')
        return AuthResult(success=False, handled=False)


class Server(SMTP):
    async def smtp_STARTTLS(self, arg):
        if not self.event_handler.inject:
            return await super().smtp_STARTTLS(arg)
        # What somebody between could do who can't break TLS.
        self.transport.write(b"220 Ready\r\n250-mail.test\r\n250 AUTH PLAIN\r\n")


def authenticate(server, session, envelope, mechanism, data):
    if mechanism not in ("LOGIN", "PLAIN") or "password" not in SETTINGS:
        return AuthResult(success=False, handled=False)
    good = (data.login, data.password) == (SETTINGS["user"].encode(), SETTINGS["password"].encode())
    return AuthResult(success=good, handled=False, auth_data=SETTINGS["user"])


async def main():
    handler = Handler()
    context = None
    if SETTINGS.get("tls") in ("starttls", "implicit"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(SETTINGS["certificate"], SETTINGS["key"])
    options = {"enable_SMTPUTF8": SETTINGS.get("utf8", False), "hostname": "mail.test", "ident": "test", "data_size_limit": SETTINGS.get("size", 1 << 25)}
    if "user" in SETTINGS:
        options |= {"auth_required": True, "authenticator": authenticate, "auth_require_tls": SETTINGS.get("tls") == "starttls"}
        options |= {"auth_exclude_mechanism": SETTINGS.get("without", [])}
    if SETTINGS.get("tls") == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    make = lambda: Server(handler, loop=asyncio.get_running_loop(), **options)
    implicit = context if SETTINGS.get("tls") == "implicit" else None
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", SETTINGS.get("port", 0), ssl=implicit)
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        handler.order(json.loads(line))
        print("ok", flush=True)


asyncio.run(main())
