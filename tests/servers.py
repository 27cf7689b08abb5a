#!/usr/bin/env python3
"""Real servers for the tests, from Debian's packages: each in a temporary folder, on loopback, with a port of its own.

    with start_postgres() as postgres:            # or start_mariadb(), start_mosquitto(), start_nats()
        postgres.sql("CREATE TABLE t (a int)")    # as the administrator, over its Unix socket
        postgres.port, postgres.socket_dir
        postgres.kill(); postgres.start()         # kill -9, and again on the same data and port

    tests/servers.py postgres mariadb -- PROGRAM [ARGUMENT…]

runs a program with the servers it names, for the C tests: where they are is in its environment (CITYBRAIN_POSTGRES_PORT,
CITYBRAIN_POSTGRES_SOCKET_DIR, CITYBRAIN_MARIADB_PORT, …), and its exit code is ours. Each server runs as an unprivileged user when
we are root, is ended by its id, and also ends when the test is killed. A server that is not installed fails the test.
Standard library only.
"""
import base64
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from city import free_port

POSTGRES_BIN = "/usr/lib/postgresql/15/bin"
DATABASE = "department"
_dead_signal = ctypes.CDLL(None).prctl


def unprivileged():
    """Who runs a server when we are root: initdb refuses root, and a server under test needs no rights."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


class Server:
    """One server process on a folder of its own. The children say how it is made, started and asked."""
    name, program, package, stop_signal = "", "", "", signal.SIGTERM

    def __init__(self):
        if not os.access(self.program, os.X_OK):
            raise AssertionError(f"{self.program} is not there; mend: tools/setup test installs {self.package}")
        self.process, self.port, self.user = None, free_port(), unprivileged()
        self.folder = tempfile.mkdtemp(prefix=f"citybrain-{self.name}-")
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.data, self.socket_dir = os.path.join(self.folder, "data"), self.folder
        try:
            self.make()
            self.start()
            self.prepare()
        except BaseException:
            self.close()
            raise

    def become(self):
        """In the child, before the program: the user, and a signal when the test dies (PR_SET_PDEATHSIG)."""
        if self.user:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)
        _dead_signal(1, self.stop_signal, 0, 0, 0)

    def run(self, *command, **more):
        """A tool of the server's, as the server's user."""
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=self.become,
                                cwd=self.folder, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": self.folder}, check=False, **more)
        if result.returncode != 0:
            raise AssertionError(f"{command[0]}: {result.stdout.decode(errors='replace')[-2000:]}")

    def certificates(self):
        """server.crt and server.key for localhost, and other.crt, which nobody uses: for a client that trusts somebody else."""
        for name in ("server", "other"):
            self.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                     "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", f"{self.folder}/{name}.key", "-out", f"{self.folder}/{name}.crt")
            os.chmod(f"{self.folder}/{name}.key", 0o600)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as text:
            return text.read()

    def start(self, within_s=60):
        with open(os.path.join(self.folder, "log"), "ab") as out:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=self.folder,
                                            preexec_fn=self.become, start_new_session=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
        until = time.monotonic() + within_s
        while True:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended at its start:\n{self.log()[-3000:]}")
            try:
                self.sql("SELECT 1", database="")
                return
            except AssertionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def _end(self, number, within_s=30):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(within_s)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # its own session: what it left behind
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process = None

    def stop(self):
        self._end(self.stop_signal)

    def kill(self):
        """kill -9 of the server and all its processes; they are gone when it returns, or the next start finds their shared memory in use."""
        if self.process is None:
            return
        group, until = self.process.pid, time.monotonic() + 10
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended by itself
        self._end(signal.SIGKILL)
        try:
            while time.monotonic() < until:
                os.killpg(group, 0)
                time.sleep(0.01)
        except ProcessLookupError:
            pass

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def environment(self):
        head = f"CITYBRAIN_{self.name.upper()}_"
        return {head + "PORT": str(self.port), head + "SOCKET_DIR": self.socket_dir, head + "PID": str(self.process.pid)}

    def client(self, command, text):
        result = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
        if result.returncode != 0:
            raise AssertionError(f"{self.name}: {result.stderr.strip()[-2000:]}")
        return result.stdout

    def make(self):
        raise NotImplementedError

    def prepare(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def sql(self, text, database=DATABASE):
        raise NotImplementedError


class Postgres(Server):
    """PostgreSQL 15. Administrator "postgres" over the socket without a password; roles over TCP by SCRAM, with TLS on offer."""
    name, program, package, stop_signal = "postgres", POSTGRES_BIN + "/postgres", "postgresql-15", signal.SIGQUIT

    def make(self):
        self.run(POSTGRES_BIN + "/initdb", "--pgdata", self.data, "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust",
                 "--no-sync", "--no-instructions")
        self.certificates()
        with open(self.data + "/pg_hba.conf", "w", encoding="ascii") as rules:
            rules.write("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")

    def command(self):
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.socket_dir, "fsync": "off", "max_connections": 60,
            "dynamic_shared_memory_type": "mmap",  # in its own folder: what is killed leaves nothing in /dev/shm
            "shared_buffers": "64MB", "ssl": "on", "ssl_cert_file": self.folder + "/server.crt", "ssl_key_file": self.folder + "/server.key",
        }
        return [self.program, "-D", self.data] + [f"--{key}={value}" for key, value in settings.items()]

    def prepare(self):
        self.sql(f"CREATE DATABASE {DATABASE}", database="")

    def sql(self, text, database=DATABASE):
        """What the statements print, one row a line, fields divided by |."""
        return self.client(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.socket_dir, "-p", str(self.port), "-U", "postgres",
                            "-d", database or "postgres", "-f", "-"], text)


class AuditedPostgres(Postgres):
    """With the extension pgaudit, which writes each read of what the role "auditor" may read into {folder}/data/audit/audit.json."""

    def __init__(self):
        if not os.path.exists("/usr/lib/postgresql/15/lib/pgaudit.so"):
            raise AssertionError("pgaudit is not there; mend: tools/setup test installs postgresql-15-pgaudit")
        self.audit = ""
        super().__init__()

    def command(self):
        self.audit = self.data + "/audit/audit.json"
        settings = {
            "shared_preload_libraries": "pgaudit", "pgaudit.log_statement": "off", "pgaudit.log_parameter": "off",
            "log_destination": "jsonlog", "logging_collector": "on", "log_directory": "audit", "log_filename": "audit.log", "log_rotation_size": 0,
            "log_rotation_age": 0, "log_min_error_statement": "panic",
        }
        return super().command() + [f"--{key}={value}" for key, value in settings.items()]

    def prepare(self):
        self.sql("CREATE ROLE auditor", database="")
        self.sql("ALTER SYSTEM SET pgaudit.role = 'auditor'", database="")  # where a test can change it
        self.sql("SELECT pg_reload_conf()", database="")
        super().prepare()
        self.sql("CREATE EXTENSION pgaudit")

    def environment(self):
        return {**super().environment(), "CITYBRAIN_POSTGRES_AUDIT": self.audit}

    def log(self):
        with open(self.audit, encoding="utf-8", errors="replace") as text:
            return super().log() + text.read()


class Mariadb(Server):
    """MariaDB 10.11. Administrator "root" over the socket without a password."""
    name, program, package = "mariadb", "/usr/sbin/mariadbd", "mariadb-server-core"

    def make(self):
        os.mkdir(self.folder + "/tmp")
        if self.user:
            os.chown(self.folder + "/tmp", self.user.pw_uid, self.user.pw_gid)
        self.run("/usr/bin/mariadb-install-db", "--no-defaults", "--datadir=" + self.data, "--tmpdir=" + self.folder + "/tmp",
                 "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=8M", "--innodb-flush-method=nosync")

    def command(self):
        settings = {
            "datadir": self.data, "tmpdir": self.folder + "/tmp", "socket": self.socket_dir + "/socket", "port": self.port, "bind-address": "127.0.0.1",
            "pid-file": self.folder + "/pid", "innodb-flush-method": "nosync", "innodb-flush-log-at-trx-commit": 0, "innodb-buffer-pool-size": "64M",
            "character-set-server": "utf8mb4", "collation-server": "utf8mb4_general_ci", "userstat": 1, "performance-schema": 0, "skip-name-resolve": 1,
        }
        return [self.program, "--no-defaults"] + [f"--{key}={value}" for key, value in settings.items()]

    def prepare(self):
        self.sql(f"CREATE DATABASE {DATABASE}", database="")

    def sql(self, text, database=DATABASE):
        """What the statements print, one row a line, fields divided by tabs."""
        return self.client(["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4",
                            "--socket=" + self.socket_dir + "/socket", "--user=root", *([database] if database else [])], text)


class AuditedMariadb(Mariadb):
    """With the plugin server_audit, which writes who connected and which table was read into {folder}/audit.log."""
    plugins = ("/usr/lib/mysql/plugin", os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".cache", "mariadb"))

    def __init__(self):
        self.audit = ""
        super().__init__()

    def make(self):
        found = [folder for folder in self.plugins if os.path.exists(folder + "/server_audit.so")]
        if not found:
            raise AssertionError("MariaDB's plugin server_audit is not there; mend: tools/setup test fetches it out of mariadb-server")
        os.mkdir(self.folder + "/plugin")
        shutil.copy(found[0] + "/server_audit.so", self.folder + "/plugin")
        os.chmod(self.folder + "/plugin/server_audit.so", 0o644)
        super().make()

    def command(self):
        self.audit = self.folder + "/audit.log"
        settings = {
            "plugin-dir": self.folder + "/plugin", "plugin-load-add": "server_audit", "server-audit": "FORCE_PLUS_PERMANENT", "server-audit-logging": "ON",
            "server-audit-events": "CONNECT,TABLE", "server-audit-file-path": self.audit,
        }
        return super().command() + [f"--{key}={value}" for key, value in settings.items()]

    def environment(self):
        return {**super().environment(), "CITYBRAIN_MARIADB_AUDIT": self.audit}


def nkey():
    """A client's key for NATS: (seed "SU…", public "U…"). Ed25519 by openssl, the text form (base32, CRC-16/XMODEM) after nkeys' README."""
    def text(raw):
        crc = 0
        for byte in raw:
            crc ^= byte << 8
            for _ in range(8):
                crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xffff
        return base64.b32encode(raw + crc.to_bytes(2, "little")).decode().rstrip("=")

    def openssl(*words, given=None):
        return subprocess.run(["openssl", *words], input=given, stdout=subprocess.PIPE, check=True).stdout

    key = openssl("genpkey", "-algorithm", "ed25519", "-outform", "DER")
    public = openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", given=key)
    return text(bytes([18 << 3 | 20 << 3 >> 5, (20 << 3 & 31) << 3]) + key[-32:]), text(bytes([20 << 3]) + public[-32:])


class Nats(Server):
    """nats-server with TLS (`url`, `ca`), users by nkey: key("name") is the file with a user's seed, made known to the server if it is new.

    A user subscribes below cb. and to its own inbox. `more`: further lines of the configuration (leaf nodes: `leaf_port` is kept free)."""
    name, program, package = "nats", "/usr/sbin/nats-server", "nats-server"

    def __init__(self, more=""):
        self.users, self.more, self.leaf_port = {}, more, free_port()
        super().__init__()

    def make(self):
        self.certificates()
        self.url, self.ca = f"tls://localhost:{self.port}", self.folder + "/server.crt"
        os.chmod(self.folder, 0o755)  # its files are read by the test's own user too
        self.write()

    def write(self):
        users = "\n".join(
            f'    {{nkey: {public}, permissions: {{publish: ["cb.>", "_INBOX.>"], subscribe: ["cb.>", "_INBOX.{public}.>"]}}}}'
            for public in self.users.values())
        with open(self.folder + "/config", "w", encoding="ascii") as config:
            config.write(f'host: "127.0.0.1"\nport: {self.port}\n'
                         f'tls {{ cert_file: "{self.folder}/server.crt", key_file: "{self.folder}/server.key" }}\n'
                         f'authorization {{ users = [\n{users}\n] }}\n{self.more}\n')

    def key(self, user):
        path = f"{self.folder}/{user}.nkey"
        if user not in self.users:
            seed, self.users[user] = nkey()
            with open(path, "w", encoding="ascii") as file:
                file.write(seed + "\n")
            os.chmod(path, 0o600)
            self.write()
            if self.process is not None:
                self.process.send_signal(signal.SIGHUP)  # it reads its configuration again
        return path

    def command(self):
        return [self.program, "-c", self.folder + "/config"]

    def prepare(self):
        pass

    def sql(self, text, database=DATABASE):
        """No SQL here: the server's greeting, which says that it is there."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                greeting = connection.recv(4096)
        except OSError as error:
            raise AssertionError(str(error)) from error
        if not greeting.startswith(b"INFO "):
            raise AssertionError(f"no greeting of NATS: {greeting!r}")
        return greeting.decode()


class Mosquitto(Server):
    """Mosquitto: `port` and the Unix socket `socket` for anybody, `tls_port` with TLS and the user hub, password "geheim 雨"; what waits for a client
    stays in memory."""
    name, program, package = "mosquitto", "/usr/sbin/mosquitto", "mosquitto"

    def __init__(self):
        self.tls_port = free_port()
        super().__init__()

    @property
    def socket(self):
        return os.path.join(self.folder, "mqtt.sock")

    def make(self):
        self.certificates()
        os.chmod(self.folder, 0o755)  # its certificates are read by the test's own user too
        self.run("mosquitto_passwd", "-b", "-c", self.folder + "/passwords", "hub", "geheim 雨")
        with open(self.folder + "/config", "w", encoding="utf-8") as config:
            config.write(f"per_listener_settings true\nmax_queued_messages 100000\nlistener {self.port} 127.0.0.1\nallow_anonymous true\n"
                         f"listener {self.tls_port} 127.0.0.1\nallow_anonymous false\npassword_file {self.folder}/passwords\n"
                         f"certfile {self.folder}/server.crt\nkeyfile {self.folder}/server.key\nlistener 0 {self.socket}\nallow_anonymous true\n")

    def command(self):
        return [self.program, "-c", self.folder + "/config"]

    def environment(self):
        return super().environment() | {"CITYBRAIN_MOSQUITTO_TLS_PORT": str(self.tls_port)}

    def prepare(self):
        pass

    def sql(self, text, database=DATABASE):
        """No SQL here: a CONNECT and its CONNACK, which say that the broker is there."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01?")
                answer = connection.recv(4)
        except OSError as error:
            raise AssertionError(str(error)) from error
        if answer != b"\x20\x02\x00\x00":
            raise AssertionError(f"no CONNACK: {answer!r}")
        return ""


def start_mosquitto():
    return Mosquitto()


def start_nats():
    return Nats()


def start_postgres():
    return Postgres()


def start_mariadb():
    return Mariadb()


STARTERS = {"postgres": start_postgres, "mariadb": start_mariadb, "mosquitto": start_mosquitto, "nats": start_nats, "audited-postgres": AuditedPostgres, "audited-mariadb": AuditedMariadb}


def main(arguments):
    if "--" not in arguments or not arguments.index("--") or not set(arguments[:arguments.index("--")]) <= set(STARTERS):
        print(f"usage: tests/servers.py {'|'.join(STARTERS)}… -- PROGRAM [ARGUMENT…]", file=sys.stderr)
        return 2
    at = arguments.index("--")
    servers, environment = [], dict(os.environ)
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))  # a time-out of the test runner: the servers end first
    try:
        for name in arguments[:at]:
            servers.append(STARTERS[name]())
            environment.update(servers[-1].environment())
        process = subprocess.Popen(arguments[at + 1:], env=environment, preexec_fn=lambda: _dead_signal(1, signal.SIGKILL, 0, 0, 0))
        code = process.wait()
        if code != 0:
            for server in servers:
                print(f"---- the end of {server.name}'s log ----\n{server.log()[-3000:]}", file=sys.stderr)
        return code if code >= 0 else 1
    finally:
        for server in servers:
            server.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
