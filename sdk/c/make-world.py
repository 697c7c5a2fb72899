#!/usr/bin/env python3
"""Writes include/sangam/world.h and src/world_fetch.h from the contract in ../../wit: the worlds in the binary form that a component is made from.

Run it when the contract grows, with wit-bindgen-cli 0.61 on PATH and a folder with the WIT packages wasi:http, wasi:io and wasi:clocks of 0.2.12:

    python3 make-world.py WASI-FOLDER
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CONTRACT = HERE.parent.parent / "wit"
FETCH = "package sangam:fetch;\nworld fetch {\n  import wasi:http/outgoing-handler@0.2.12;\n}\n"


def number(data, at):
    """A LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def section(module):
    """The content of the custom section that describes the world."""
    at = 8
    while at < len(module):
        kind = module[at]
        size, at = number(module, at + 1)
        end = at + size
        if kind == 0:
            length, start = number(module, at)
            if module[start : start + length].startswith(b"component-type"):
                return module[start + length : end]
        at = end
    raise SystemExit("no component-type section")


def bytes_of(wit, world):
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(["wit-bindgen", "c", str(wit), "--world", world, "--out-dir", out], check=True, stdout=subprocess.DEVNULL)
        return section(pathlib.Path(out, f"{world.replace('-', '_')}_component_type.o").read_bytes())


def macro(name, world, content):
    # Letters as they are; everything else in octal, for the assembler and within a C string.
    text = "".join(chr(b) if chr(b).isalnum() and b < 128 or chr(b) in " -:/@.[]" else f"\\\\{b:03o}" for b in content)
    lines, line = [], ""
    i = 0
    while i < len(text):
        step = 5 if text[i] == "\\" else 1
        line += text[i : i + step]
        i += step
        if len(line) > 110:
            lines.append(line)
            line = ""
    lines.append(line)
    out = [f"#define {name} \\", f'    ".section \\".custom_section.component-type:sangam-{world}\\",\\"\\",@\\n\\t.ascii \\"" \\']
    out += [f'    "{line}" \\' for line in lines]
    out += ['    "\\"\\n\\t.text\\n"']
    return "\n".join(out) + "\n"


def main():
    wasi = pathlib.Path(sys.argv[1])
    parts = ["""/* Written by make-world.py from wit/. The worlds of the contract in the binary form that a component is made from, as assembler
 * that puts them into a custom section of the module. */
#ifndef SANGAM_WORLD_H
#define SANGAM_WORLD_H
"""]
    for world in ("connector", "source", "duplex", "batching", "batching-duplex"):
        parts.append(macro(f"SANGAM__WORLD_{world.upper().replace('-', '_')}", world, bytes_of(CONTRACT, world)))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.joinpath("fetch.wit").write_text(FETCH)
        shutil.copytree(wasi, folder / "deps")
        fetch = macro("SANGAM__WORLD_FETCH", "fetch", bytes_of(folder, "fetch"))
    HERE.joinpath("src/world_fetch.h").write_text(f"/* Written by make-world.py: what sangam_fetch imports. */\n{fetch}")
    parts.append("#endif\n")
    HERE.joinpath("include/sangam/world.h").write_text("\n".join(parts))


main()
