"""What the tests of objects share: a long file among the department's X-rays, a reader that stands still, the outcome of a use."""
import json
import os
import socket

from city import wait_for

PATH = "/hub/v1/object/hangzhou/health/xray?purpose=medical.refer&key="


class WithObjects:
    """For a TestCase with `city`, the department's `folder` of files, and `bearer`, the header of who may read them."""

    def make_long(self, name, megabytes):
        """A file of mostly holes, with something in each megabyte, so that a piece in the wrong place is seen."""
        path = os.path.join(self.folder, name + ".png")
        self.addCleanup(os.unlink, path)
        with open(path, "wb") as out:
            for i in range(megabytes):
                out.seek(i << 20)
                out.write(b"%d" % i)
            out.truncate(megabytes << 20)
        return path

    def outcome(self, receipt):
        """The outcome leaf, when it is durable."""
        def asked():
            status, _, body = self.city.request("GET", "/hub/v1/outcome/" + receipt.split("/")[1], headers=self.bearer)
            return status == 200 and json.loads(body)["leaf"]
        return wait_for(asked, 60, "the outcome of " + receipt)

    def open_slowly(self, key):
        """A connection that has asked and got the head of the answer, and reads no more; with its receipt."""
        connection = socket.create_connection(("127.0.0.1", self.city.port), timeout=60)
        self.addCleanup(connection.close)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.sendall(f"GET {PATH}{key} HTTP/1.1\r\nHost: h\r\nAuthorization: {self.bearer['Authorization']}\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        self.assertIn(b" 200 ", head)
        return connection, next(line for line in head.decode().split("\r\n") if line.startswith("Citybrain-Receipt"))[19:]
