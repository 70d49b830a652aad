"""Reads every .eml file of a folder with Python's own email package and checks what a mail program relies on. Prints {"mails": n, "faults": [...]}."""

import email
import email.policy
import json
import pathlib
import sys

faults = []
ids = set()
files = sorted(pathlib.Path(sys.argv[1]).glob("*.eml"))
for file in files:
    raw = file.read_bytes()
    mail = email.message_from_bytes(raw, policy=email.policy.SMTP)
    text, html = mail.get_body(["plain"]), mail.get_body(["html"])
    to, sender = mail["To"].addresses, mail["From"].addresses
    unsubscribe = mail["List-Unsubscribe"] or ""
    checks = {
        "defects": not mail.defects and not any(part.defects for part in mail.walk()),
        "one To": len(to) == 1 and to[0].addr_spec.endswith("@shop.example") and to[0].addr_spec.startswith("c"),
        "one From": len(sender) == 1 and sender[0].addr_spec == "post@shop.example",
        "one-click pair": mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" and unsubscribe.startswith("<https://shop.example/u/v1."),
        "List-ID": "win-back" in (mail["List-ID"] or ""),
        "Message-ID": mail["Message-ID"] not in ids,
        "Date": mail["Date"] is not None and mail["Date"].datetime.isoformat().startswith("1998-07-01T0"),
        "subject": bool(mail["Subject"].strip()),
        "text and html": mail.get_content_type() == "multipart/alternative" and text is not None and html is not None,
        "imprint": text is not None and html is not None and "Zuckerstadt" in text.get_content() and "Zuckerstadt" in html.get_content(),
        "link": text is not None and html is not None and unsubscribe.strip("<>") in text.get_content() and unsubscribe.strip("<>") in html.get_content(),
        "short lines": all(len(line) <= 998 for line in raw.split(b"\r\n")) and b"\n" not in raw.replace(b"\r\n", b""),
    }
    ids.add(mail["Message-ID"])
    faults += [f"{file.name}: {name}" for name, good in checks.items() if not good]
print(json.dumps({"mails": len(files), "faults": faults[:20]}))
