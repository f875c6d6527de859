#!/usr/bin/env python3
"""A Mixdown client in Python, on nothing but grpcio and the .proto files.

usage: client.py COORDINATOR SESSION.json OUT

SESSION.json is a session document whose clips name files beside it. The files are made known to the farm by their
digest, the missing ones uploaded, the session submitted, the job watched to its end and the finished files written to OUT.
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import uuid

import grpc
from blake3 import blake3

ROOT = pathlib.Path(__file__).resolve().parent.parent
PART = 1 << 20


def load_protocol():
    """Compiles the protos and returns the generated modules of jobs and blobs."""
    generated = tempfile.mkdtemp()
    protos = sorted((ROOT / "proto/mixdown/v1").glob("*.proto"))
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", f"--python_out={generated}",
         f"--grpc_python_out={generated}", *map(str, protos)], check=True)
    sys.path.insert(0, generated)
    from mixdown.v1 import blobs_pb2, blobs_pb2_grpc, jobs_pb2, jobs_pb2_grpc
    return blobs_pb2, blobs_pb2_grpc, jobs_pb2, jobs_pb2_grpc


def files(document):
    """The names of the files that a document plays: of its clips and of its convolutions."""
    strips = [*document["tracks"], *document.get("buses", []), document.get("master", {})]
    clips = [clip for track in document["tracks"] for clip in track.get("clips", [])]
    inserts = [insert for strip in strips for insert in strip.get("inserts", [])]
    return sorted({part["file"] for part in clips + [insert.get("convolution", {}) for insert in inserts] if "file" in part})


def facts(path):
    """What the document must say of a WAV file: read from its fmt and data chunks."""
    data, at = path.read_bytes(), 12
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"fmt ":
            channels, sample_rate_hz, _, frame_bytes = struct.unpack_from("<HIIH", data, at + 10)
        if name == b"data":
            frames = size // frame_bytes
        at += 8 + size + size % 2
    return {"digest": blake3(data).hexdigest(), "size_bytes": len(data), "frames": frames,
            "sample_rate_hz": sample_rate_hz, "channels": channels, "lossy": False}


def picture_facts(path):
    """What the document must say of a PNG: its size stands in the first chunk."""
    data = path.read_bytes()
    width, height = struct.unpack_from(">II", data, 16)
    return {"digest": blake3(data).hexdigest(), "size_bytes": len(data), "format": "png", "width": width, "height": height}


def upload(blobs, pb, digest, path):
    def parts():
        data = path.read_bytes()
        yield pb.UploadRequest(head=pb.UploadHead(digest=digest, size_bytes=len(data)))
        for start in range(0, len(data), PART):
            yield pb.UploadRequest(data=data[start:start + PART])
    blobs.Upload(parts())


def main(coordinator, session_path, out):
    blobs_pb2, blobs_grpc, jobs_pb2, jobs_grpc = load_protocol()
    session_path = pathlib.Path(session_path)
    document = json.loads(session_path.read_text())
    document["assets"] = {name: facts(session_path.parent / name) for name in files(document)}
    cover = document.get("metadata", {}).get("cover")
    document["pictures"] = {cover: picture_facts(session_path.parent / cover)} if cover else {}
    inputs = [*document["assets"].items(), *document["pictures"].items()]
    by_digest = {found["digest"]: session_path.parent / name for name, found in inputs}
    with grpc.insecure_channel(coordinator) as channel:
        blobs, jobs = blobs_grpc.BlobServiceStub(channel), jobs_grpc.JobServiceStub(channel)
        for digest in blobs.FindMissing(blobs_pb2.FindMissingRequest(digests=list(by_digest))).missing_digests:
            upload(blobs, blobs_pb2, digest, by_digest[digest])
        request = jobs_pb2.SubmitJobRequest(request_id=str(uuid.uuid4()), session_json=json.dumps(document))
        job = jobs.SubmitJob(request).job
        again = jobs.SubmitJob(request).job
        assert again.job_id == job.job_id, "a repeated submit is the same job"
        sequence = 0
        for event in jobs.WatchJob(jobs_pb2.WatchJobRequest(job_id=job.job_id)):
            assert event.sequence in (sequence, sequence + 1), "events come without gaps"
            sequence = event.sequence
        done = jobs.GetJob(jobs_pb2.GetJobRequest(job_id=job.job_id))
        assert done.job.state == jobs_pb2.JOB_STATE_SUCCEEDED, done.job
        for deliverable in done.deliverables:
            target = pathlib.Path(out) / deliverable.file_name
            with target.open("wb") as file:
                for part in blobs.Download(blobs_pb2.DownloadRequest(digest=deliverable.digest)):
                    file.write(part.data)
            assert blake3(target.read_bytes()).hexdigest() == deliverable.digest
            print(deliverable.file_name, deliverable.digest)


if __name__ == "__main__":
    main(*sys.argv[1:])
