"""A server on this machine that plays the hubs."""

import contextlib
import hashlib
import http.server
import io
import json
import pathlib
import tarfile
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Answer(NamedTuple):
    """What is sent; a header of `None` is left out, Content-Length too."""

    status: int = 200
    body: bytes = b""
    headers: dict = {}  # noqa: RUF012  Never changed.


def redirect(location: str) -> Answer:
    return Answer(302, headers={"Location": location})


class Server(http.server.ThreadingHTTPServer):
    """Answers by `routes`, from path to `Answer` or to a function of the body and query sent.

    `requests` keeps the paths that were asked for, with the query, and `tokens` what was sent as
    `Authorization`.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, Answer | Callable[..., Answer]] = {}
        self.requests: list[str] = []
        self.tokens: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.server.requests.append(self.path)
        self.server.tokens.add(self.headers.get("Authorization", ""))
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        answer = self.server.routes.get(urllib.parse.unquote(path), Answer(404))
        answer = answer(sent, dict(urllib.parse.parse_qsl(query))) if callable(answer) else answer
        self.send_response(answer.status)
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_CONNECT = answer  # noqa: N815

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def tar_gz(*members: tuple[str, bytes], folder: pathlib.Path | None = None) -> bytes:
    """Returns an archive of names and contents, or of a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        if folder:
            tar.add(folder, arcname=".")
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def huggingface(
    repository: str, files: dict[str, bytes], commit: str = "1" * 40, revision: str = "main"
) -> dict[str, Answer]:
    """Returns the routes of a repository of the Hugging Face Hub.

    Of its interface, this is what a download needs: the commit and the files of a revision, and
    for each file its digest, as ETag and, if it is large, also as that of what it links to.
    """
    information = {
        "id": repository,
        "sha": commit,
        "siblings": [{"rfilename": name} for name in files],
        "tags": [],
        "private": False,
    }
    api = f"/api/models/{repository}"
    routes = {
        api: _json(information),
        f"{api}/revision/{revision}": _json(information),
        f"{api}/revision/{commit}": _json(information),
        f"{api}/tree/{commit}": _json([_entry(name, body) for name, body in files.items()]),
    }
    for name, body in files.items():
        digest = _entry(name, body).get("lfs", {}).get("oid") or _entry(name, body)["oid"]
        headers = {
            "ETag": f'"{digest}"',
            "X-Repo-Commit": commit,
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(body)),
        }
        routes[f"/{repository}/resolve/{commit}/{name}"] = Answer(body=body, headers=headers)
    return routes


def _entry(name: str, body: bytes) -> dict:
    git = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
    entry = {"type": "file", "path": name, "size": len(body), "oid": git}
    if name.endswith((".safetensors", ".bin", ".h5", ".msgpack")):
        digest = hashlib.sha256(body).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(body), "pointerSize": 134}
    return entry


def modelscope(
    repository: str, files: dict[str, bytes], revision: str | None = None
) -> dict[str, Answer | Callable[..., Answer]]:
    """Returns the routes of a repository of ModelScope whose main branch has another name, too.

    As on that site, a revision that does not exist is a success without files, and each file has
    its sha256 in the list. The site's own library (modelscope-hub 0.5.1) downloads from this.
    """
    known = (None, "master", revision)
    entries = [
        {
            "Name": name.rpartition("/")[2],
            "Path": name,
            "Revision": "1" * 40,
            "Sha256": hashlib.sha256(body).hexdigest(),
            "Size": len(body),
            "Type": "blob",
        }
        for name, body in files.items()
    ]
    entries.append({"Name": "onnx", "Path": "onnx", "Sha256": "", "Size": 0, "Type": "tree"})

    def listing(sent: bytes, query: dict[str, str]) -> Answer:
        whole = query.get("Recursive", "").lower() == "true"
        found = entries if whole and query.get("Revision") in known else None
        content = {"Code": 200, "Success": True, "Message": "success", "Data": {"Files": found}}
        return _json(content)

    def file(sent: bytes, query: dict[str, str]) -> Answer:
        there = query.get("Revision") in known and query["FilePath"] in files
        return Answer(body=files[query["FilePath"]]) if there else Answer(404)

    api = f"/api/v1/models/{repository}"
    return {f"{api}/repo/files": listing, f"{api}/repo": file}


def kaggle(files: dict[str, bytes], version: int = 4) -> dict[str, Answer]:
    """Returns the routes of one model of Kaggle, for a proxy that stands before `localhost`."""
    service = "http://localhost/api/v1/models.ModelApiService"
    names = [{"name": name, "size": len(body)} for name, body in files.items()]

    def download(sent: bytes, query: dict[str, str]) -> Answer:
        return Answer(body=files[json.loads(sent)["path"]])

    return {
        f"{service}/GetModelInstance": _json({"versionNumber": version}),
        f"{service}/ListModelInstanceVersionFiles": _json({"files": names, "nextPageToken": ""}),
        f"{service}/DownloadModelInstanceVersion": download,
    }


def _json(content: object) -> Answer:
    return Answer(body=json.dumps(content).encode(), headers={"Content-Type": "application/json"})
