#!/usr/bin/env python3
"""What readers with nothing of ours find in files: tags by mutagen, broadcast wave by struct and xml.etree.

usage: read_back.py FILE ... ; prints one JSON object per file and line.
"""
import base64
import io
import json
import struct
import sys
import xml.etree.ElementTree

import blake3
import mutagen
import mutagen.flac
import mutagen.id3
import mutagen.wave


def id3(tags):
    """The text of every frame, and the digest of the front cover."""
    texts, covers = {}, {}
    for name, frame in tags.items():
        if isinstance(frame, mutagen.id3.APIC):
            covers[frame.mime] = [int(frame.type), blake3.blake3(frame.data).hexdigest()]
        else:
            texts[name] = [str(text) for text in frame.text]
    return texts, covers


def comments(tags, pictures):
    """The same of Vorbis comments, with the pictures that stand among them or, in FLAC, beside them."""
    texts = {}
    for name, text in tags:
        if name.upper() == "METADATA_BLOCK_PICTURE":
            pictures = pictures + [mutagen.flac.Picture(base64.b64decode(text))]
        else:
            texts.setdefault(name, []).append(text)
    return texts, {picture.mime: [picture.type, blake3.blake3(picture.data).hexdigest()] for picture in pictures}


def chunks(file):
    """The chunks of a WAVE file, of RF64 too (EBU Tech 3306), without the audio; and the length that it tells."""
    mark, told, _ = struct.unpack("<4sI4s", file.read(12))
    end = file.seek(0, 2)
    at, found, long = 12, {}, {}
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack("<4sI", file.read(8))
        size = long.get(name, size) if size == 0xFFFFFFFF else size
        if at + 8 + size > end:
            raise ValueError(f"{name} ends {at + 8 + size - end} bytes behind the file")
        body = b"" if name == b"data" else file.read(size)
        if name == b"ds64":
            told, long[b"data"], _ = struct.unpack_from("<QQQ", body)
        found[name.decode("ascii")] = body
        at += 8 + size + size % 2
    return mark.decode("ascii"), told + 8, found


def bext(body):
    """The fields of EBU Tech 3285, version 2, clause 2.3."""
    layout = "<256s32s32s10s8sIIH64s5h180s"
    fields = struct.unpack_from(layout, body)
    text = [field.rstrip(b"\0").decode("ascii") for field in fields[:5]]
    names = ["description", "originator", "originator_reference", "origination_date", "origination_time"]
    loudness = ["loudness_value", "loudness_range", "max_true_peak", "max_momentary", "max_short_term"]
    return {
        **dict(zip(names, text)),
        "time_reference": fields[5] + (fields[6] << 32),
        "version": fields[7],
        **dict(zip(loudness, fields[9:14])),
        "reserved_is_zero": not any(fields[14]),
        "coding_history": body[struct.calcsize(layout):].decode("ascii"),
    }


def elements(body):
    """The text of every element of an XML document by its path; of repeated ones a list."""
    found = {}

    def walk(element, path):
        if element.text and element.text.strip():
            found.setdefault("/".join(path), []).append(element.text)
        for child in element:
            walk(child, path + [child.tag])

    walk(xml.etree.ElementTree.fromstring(body), [])
    return found


def wave(path):
    """Tags and the chunks of broadcast wave. mutagen knows no RF64: there it is given the chunk with the tag."""
    with open(path, "rb") as file:
        mark, told, found = chunks(file)
    if mark == "RF64":
        tags, seconds = mutagen.id3.ID3(io.BytesIO(found["id3 "])), None
    else:
        opened = mutagen.wave.WAVE(path)
        tags, seconds = opened.tags, opened.info.length
    texts, covers = id3(tags)
    read = {"kind": "WAVE", "mark": mark, "size_told": told, "tags": texts, "covers": covers, "seconds": seconds}
    if "bext" in found:
        read["bext"], read["ixml"] = bext(found["bext"]), elements(found["iXML"])
    if "axml" in found:
        read["axml"] = elements(found["axml"])
    return read


def read(path):
    with open(path, "rb") as file:
        if file.read(4) in (b"RIFF", b"RF64"):
            return wave(path)
    file = mutagen.File(path)
    if isinstance(file.tags, mutagen.id3.ID3):
        tags, covers = id3(file.tags)
    else:
        tags, covers = comments(file.tags, getattr(file, "pictures", []))
    return {"kind": type(file).__name__, "tags": tags, "covers": covers, "seconds": file.info.length}


for name in sys.argv[1:]:
    print(json.dumps(read(name), ensure_ascii=True))
